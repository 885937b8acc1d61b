"""Users that were asked to connect again: for how long they count as online."""

from __future__ import annotations

from lineman.gateway.holder.expected_uids import RETURN, ExpectedUids


class Story:
    """Expected users, the uids that are held, and a clock."""

    def __init__(self, *held: str) -> None:
        self.held = set(held)
        self.now = 50.0
        self.expected = ExpectedUids(lambda: self.held, lambda: self.now)

    def leave(self, uid: str) -> list[str]:
        """The topics that are told when a user's last client has left."""
        self.held.discard(uid)
        return self.expected.gone([], [f"uid:{uid}", "group:room"])


def test_a_user_that_was_asked_to_return_is_not_gone_until_it_is_late() -> None:
    story = Story("anna", "bert")
    assert story.leave("bert") == ["uid:bert", "group:room"]
    story.expected.add("anna")
    assert story.leave("anna") == ["group:room"]
    assert "anna" in story.expected
    assert list(story.expected.with_held()) == ["anna"]
    story.now += RETURN - 1
    assert story.expected.late() == []
    story.now += 1
    assert story.expected.late() == ["uid:anna"]
    assert "anna" not in story.expected
    assert not story.expected.with_held()
    assert story.expected.late() == []


def test_a_user_that_is_back_is_an_ordinary_one() -> None:
    story = Story("anna")
    story.expected.add("anna")
    story.leave("anna")
    story.held.add("anna")
    assert story.expected.gone(["uid:anna"], []) == []
    assert story.leave("anna") == ["uid:anna", "group:room"]
    assert story.expected.late(all_of_them=True) == []


def test_a_user_with_another_client_here_is_late_without_being_gone() -> None:
    story = Story("anna")
    story.expected.add("anna")  # one of two clients; the other one stays
    held = story.expected.with_held()
    assert (list(held), len(held), "anna" in held, "bert" in held) == (["anna"], 1, True, False)
    story.now += RETURN
    assert story.expected.late() == []


def test_who_is_asked_again_has_the_whole_time_again() -> None:
    story = Story()
    story.expected.add("anna")
    story.expected.add("bert")
    story.now += RETURN - 1
    story.expected.add("anna")
    story.now += 1
    assert story.expected.late() == ["uid:bert"]
    assert story.expected.late(all_of_them=True) == ["uid:anna"]
    assert len(story.expected) == 0
