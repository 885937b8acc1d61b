"""What a home says of the uids of one message."""

from __future__ import annotations

from lineman.gateway.cluster.home_words import HomeWords, parts_of
from lineman.gateway.cluster.presence import Presence, homes_of
from lineman.gateway.wire.node_messages import HomeWord

NODES = ("a", "b", "c")


def uid_at_home(home: str) -> str:
    return next(uid for uid in map(str, range(99)) if homes_of(uid, NODES)[0] == home)


def said(presence: Presence, uid: str, node: str, *, is_asked: bool) -> list[tuple[str, HomeWord]]:
    words = HomeWords(presence)
    is_new = node not in presence.holders_of(uid)
    words.note(uid, node, is_new, presence.hold(uid, node), is_asked)
    return sorted(words.messages("a", node, 7), key=lambda pair: pair[0])


def test_the_first_home_says_who_is_alone_and_tells_all_when_another_comes() -> None:
    presence = Presence("a")
    presence.nodes = NODES
    uid = uid_at_home("a")
    assert said(presence, uid, "b", is_asked=True) == [("b", HomeWord("a", 7, (uid,), ()))]
    assert said(presence, uid, "b", is_asked=True) == [("b", HomeWord("a", 7, (uid,), ()))]
    assert said(presence, uid, "b", is_asked=False) == []
    assert said(presence, uid, "c", is_asked=False) == [
        ("b", HomeWord("a", 0, (), (uid,))),
        ("c", HomeWord("a", 0, (), (uid,))),
    ]
    assert said(presence, uid, "c", is_asked=False) == []  # nothing is new
    assert [node for node, _ in said(presence, uid, "c", is_asked=True)] == ["b", "c"]
    assert presence.is_shared(uid)


def test_the_second_home_says_nothing() -> None:
    presence = Presence("a")
    presence.nodes = NODES
    uid = next(u for u in map(str, range(99)) if homes_of(u, NODES)[1] == "a")
    for node in ("b", "b", "c"):
        assert said(presence, uid, node, is_asked=True) == []
    assert not presence.is_shared(uid)


def test_names_go_in_parts() -> None:
    assert list(parts_of(["1", "2", "3"], 2)) == [("1", "2"), ("3",)]
    assert list(parts_of([], 2)) == []
