"""What the members of groups on this node got last of each group's history."""

from __future__ import annotations

from lineman.gateway.holder.member_places import REMEMBERED, MemberPlaces


def test_messages_that_follow_each_other_leave_no_gap() -> None:
    places = MemberPlaces()
    assert [places.accept("a", "e", offset) for offset in (7, 8, 9)] == ["", "", ""]
    assert places.accept("b", "e", 1) == ""
    assert list(places) == [("a", "e"), ("b", "e")]


def test_a_hole_in_the_offsets_is_a_gap_of_the_same_epoch() -> None:
    places = MemberPlaces()
    places.accept("a", "e", 7)
    assert places.accept("a", "e", 9) == "e"
    assert places.accept("a", "e", 10) == ""


def test_a_message_comes_neither_twice_nor_behind_a_later_one() -> None:
    places = MemberPlaces()
    places.accept("a", "e", 7)
    places.accept("a", "e", 9)
    assert [places.accept("a", "e", offset) for offset in (7, 8, 9)] == [None] * 3
    assert not places.is_over("a", "e")


def test_an_epoch_that_is_over_never_comes_back() -> None:
    places = MemberPlaces()
    places.accept("a", "old", 7)
    assert places.accept("a", "new", 1) == "old"
    assert places.accept("a", "old", 8) is None
    assert places.is_over("a", "old")
    assert places.accept("a", "third", 1) == "new"
    assert places.accept("a", "new", 2) is None
    assert places.accept("a", "third", 2) == ""


def test_only_the_last_epochs_are_remembered() -> None:
    places = MemberPlaces()
    for number in range(2 * REMEMBERED):
        places.accept("a", f"e{number}", 1)
    assert len(places.by_group["a"].over) == REMEMBERED


def test_a_member_that_knows_a_page_only_takes_any_next_message() -> None:
    places = MemberPlaces()
    places.expect("a", "e")
    assert places.accept("a", "e", 5) == ""
    places.expect("a", "another")
    assert list(places) == [("a", "e")], "what was delivered counts more than a page"
    places.expect("b", "")
    assert len(list(places)) == 1, "a group without a history has no epoch"


def test_a_group_without_members_is_forgotten() -> None:
    places = MemberPlaces()
    places.accept("a", "e", 7)
    places.forget(["a", "never seen"])
    assert places.accept("a", "e", 9) == ""
