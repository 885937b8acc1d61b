from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lineman.gateway.holder.registry import Member, Registry


@pytest.fixture
def registry() -> Registry[Member]:
    return Registry()


def members(count: int) -> list[Member]:
    return [Member() for _ in range(count)]


def test_a_uid_with_two_tabs_lasts_until_the_second_has_left(registry: Registry[Member]) -> None:
    one, two = members(2)
    registry.bind(one, "42")
    registry.bind(two, "42")
    assert set(registry.members_of_uid("42")) == {one, two}
    registry.remove(one)
    assert list(registry.members_of_uid("42")) == [two]
    assert registry.take_interest() == (["uid:42"], [])
    registry.remove(two)
    assert not registry.members_of_uid("42")
    assert registry.take_interest() == ([], ["uid:42"])


def test_a_member_is_one_user_at_a_time(registry: Registry[Member]) -> None:
    (one,) = members(1)
    registry.bind(one, "a")
    registry.bind(one, "b")
    assert (list(registry.uids()), one.uid) == (["b"], "b")
    registry.unbind(one)
    registry.unbind(one)
    assert (list(registry.uids()), one.uid) == ([], None)


def test_joining_twice_is_joining_and_leaving_twice_is_leaving(registry: Registry[Member]) -> None:
    (one,) = members(1)
    registry.join(one, "room")
    registry.join(one, "room")
    assert list(registry.members_of_group("room")) == [one]
    registry.leave(one, "room")
    registry.leave(one, "room")
    registry.leave(one, "another")
    assert not registry.groups()


def test_a_dissolved_group_is_left_by_all(registry: Registry[Member]) -> None:
    one, two = members(2)
    for member in (one, two):
        registry.join(member, "room")
    registry.ungroup("room")
    registry.ungroup("room")
    assert not registry.members_of_group("room")
    assert (one.groups, two.groups) == (set(), set())
    registry.join(one, "room")
    assert list(registry.members_of_group("room")) == [one]


def test_the_users_of_a_group_are_told_without_those_who_have_no_name(
    registry: Registry[Member],
) -> None:
    one, two, three = members(3)
    for member in (one, two, three):
        registry.join(member, "room")
    registry.bind(one, "42")
    registry.bind(two, "42")
    assert registry.uids_of_group("room") == {"42"}
    assert registry.uids_of_group("none") == set()


def test_what_begins_and_ends_before_anybody_asks_is_no_news(registry: Registry[Member]) -> None:
    (one,) = members(1)
    registry.join(one, "room")
    registry.leave(one, "room")
    assert registry.take_interest() == ([], [])
    registry.join(one, "room")
    registry.take_interest()
    registry.leave(one, "room")
    registry.join(one, "room")
    assert registry.take_interest() == ([], [])


UIDS = st.sampled_from(["a", "b", "c"])
GROUPS = st.sampled_from(["x", "y"])
WHO = st.integers(0, 4)


def test_topics_may_be_read_piece_by_piece_while_members_come_and_go() -> None:
    registry: Registry[Member] = Registry()
    members = [Member() for _ in range(10)]
    for number, member in enumerate(members):
        registry.bind(member, f"u{number}")
        registry.join(member, f"g{number}")
    topics = registry.topics()
    read = [next(topics)]
    registry.remove(members[9])
    read += [next(topics) for _ in range(10)]
    registry.join(members[0], "new")
    read += topics
    assert {f"uid:u{number}" for number in range(9)} <= set(read)
    assert {f"group:g{number}" for number in range(9)} <= set(read)


class AgainstAPlainModel(RuleBasedStateMachine):
    """The registry beside two dictionaries, and a subscriber who only hears of changes."""

    def __init__(self) -> None:
        super().__init__()
        self.registry: Registry[Member] = Registry()
        self.members = members(5)
        self.uid: dict[int, str] = {}
        self.joined: set[tuple[int, str]] = set()
        self.subscribed: set[str] = set()

    @rule(who=WHO, uid=UIDS)
    def bind(self, who: int, uid: str) -> None:
        self.registry.bind(self.members[who], uid)
        self.uid[who] = uid

    @rule(who=WHO)
    def unbind(self, who: int) -> None:
        self.registry.unbind(self.members[who])
        self.uid.pop(who, None)

    @rule(who=WHO, group=GROUPS)
    def join(self, who: int, group: str) -> None:
        self.registry.join(self.members[who], group)
        self.joined.add((who, group))

    @rule(who=WHO, group=GROUPS)
    def leave(self, who: int, group: str) -> None:
        self.registry.leave(self.members[who], group)
        self.joined.discard((who, group))

    @rule(group=GROUPS)
    def ungroup(self, group: str) -> None:
        self.registry.ungroup(group)
        self.joined = {pair for pair in self.joined if pair[1] != group}

    @rule(who=WHO)
    def remove(self, who: int) -> None:
        self.registry.remove(self.members[who])
        self.uid.pop(who, None)
        self.joined = {pair for pair in self.joined if pair[0] != who}

    @rule()
    def tell_the_subscriber(self) -> None:
        gained, lost = self.registry.take_interest()
        assert self.subscribed.isdisjoint(gained)
        assert self.subscribed.issuperset(lost)
        self.subscribed = (self.subscribed | set(gained)) - set(lost)
        assert self.subscribed == set(self.registry.topics())

    @invariant()
    def they_agree(self) -> None:
        for uid in ("a", "b", "c"):
            expected = {self.members[who] for who, bound in self.uid.items() if bound == uid}
            assert set(self.registry.members_of_uid(uid)) == expected
        for group in ("x", "y"):
            expected = {self.members[who] for who, joined in self.joined if joined == group}
            assert set(self.registry.members_of_group(group)) == expected
        assert set(self.registry.uids()) == set(self.uid.values())
        assert set(self.registry.groups()) == {group for _, group in self.joined}


AgainstAPlainModel.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestAgainstAPlainModel = AgainstAPlainModel.TestCase
