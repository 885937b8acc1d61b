"""Which channels are in which groups, and until when."""

from __future__ import annotations

from lineman.channels.memberships import Memberships


def test_a_channel_is_in_a_group_until_it_is_removed() -> None:
    some = Memberships()
    some.add("g", "a", 10.0)
    some.add("g", "b", 10.0, 7)
    some.add("h", "a", 10.0)
    assert some.of("g", 0.0) == [("a", 0), ("b", 7)]
    assert some.groups(0.0) == ["g", "h"]
    assert some.drop("g", "a") is False
    assert some.drop("g", "b") is True
    assert some.drop("g", "b") is False
    assert some.drop("nothing", "b") is False
    assert some.groups(0.0) == ["h"]


def test_a_membership_ends_unless_it_is_renewed() -> None:
    some = Memberships()
    some.add("g", "a", 10.0)
    some.add("g", "b", 10.0)
    some.add("g", "a", 20.0)
    assert list(some.all(15.0)) == [("g", "a", 20.0, 0)]
    assert some.of("g", 15.0) == [("a", 0)]
    assert some.of("g", 25.0) == []
    assert some.groups(25.0) == []
    some.add("g", "a", 50.0)
    some.clear()
    assert some.of("g", 30.0) == []
