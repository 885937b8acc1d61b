"""The uids and groups of the clients of one gateway process. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Generic, TypeVar

from lineman.gateway.wire.names import group_topic, uid_topic


class Member:
    """The part of a client that the registry uses; the client's own class derives from it.

    Attributes:
        uid: the user; None while it is unknown.
        groups: the groups that it is in; None if it never was in one.
    """

    __slots__ = ("groups", "uid")

    def __init__(self) -> None:
        self.uid: str | None = None
        self.groups: set[str] | None = None


M = TypeVar("M", bound=Member)


class Registry(Generic[M]):
    """Uids and groups of the members of one process.

    A member has one uid at most; a uid may have several members, as when a user has two tabs open.
    Names are not checked here: the caller has checked them.
    """

    __slots__ = ("_groups", "_interest", "_uids")

    def __init__(self) -> None:
        # Nearly every uid has one member: a set is made only for several.
        self._uids: dict[str, M | set[M]] = {}
        self._groups: dict[str, set[M]] = {}
        self._interest: dict[str, bool] = {}

    # Uids.

    def bind(self, member: M, uid: str) -> None:
        """Sets a member's uid; its former uid is forgotten."""
        if member.uid == uid:
            return
        if member.uid is not None:
            self.unbind(member)
        member.uid = uid
        found = self._uids.get(uid)
        if found is None:
            self._uids[uid] = member
            self._note(uid_topic(uid), True)
        elif isinstance(found, set):
            found.add(member)
        else:
            self._uids[uid] = {found, member}

    def unbind(self, member: M) -> None:
        """Forgets a member's uid."""
        uid = member.uid
        if uid is None:
            return
        member.uid = None
        found = self._uids[uid]
        if isinstance(found, set):
            found.discard(member)
            if len(found) == 1:
                (self._uids[uid],) = found
        else:
            del self._uids[uid]
            self._note(uid_topic(uid), False)

    def members_of_uid(self, uid: str) -> Collection[M]:
        """The members here that belong to this user; the caller must not change them."""
        found = self._uids.get(uid)
        if found is None:
            return ()
        return found if isinstance(found, set) else (found,)

    def uids(self) -> Collection[str]:
        """All uids that have a member here."""
        return self._uids.keys()

    # Groups.

    def join(self, member: M, group: str) -> None:
        """Puts a member into a group; once is enough."""
        if member.groups is None:
            member.groups = set()
        elif group in member.groups:
            return
        member.groups.add(group)
        found = self._groups.get(group)
        if found is None:
            self._groups[group] = {member}
            self._note(group_topic(group), True)
        else:
            found.add(member)

    def leave(self, member: M, group: str) -> None:
        """Takes a member out of a group, if it is in it."""
        if member.groups is None or group not in member.groups:
            return
        member.groups.discard(group)
        found = self._groups[group]
        found.discard(member)
        if not found:
            del self._groups[group]
            self._note(group_topic(group), False)

    def ungroup(self, group: str) -> None:
        """Dissolves a group: all its members leave it."""
        found = self._groups.pop(group, None)
        if found is None:
            return
        for member in found:
            if member.groups is not None:
                member.groups.discard(group)
        self._note(group_topic(group), False)

    def members_of_group(self, group: str) -> Collection[M]:
        """The members of a group here; the caller must not change them."""
        return self._groups.get(group, ())

    def uids_of_group(self, group: str) -> set[str]:
        """The users that are in a group here."""
        return {member.uid for member in self.members_of_group(group) if member.uid is not None}

    def groups(self) -> Collection[str]:
        """All groups that have a member here."""
        return self._groups.keys()

    # Removal, and changes to announce.

    def remove(self, member: M) -> None:
        """Forgets a member that has left."""
        self.unbind(member)
        for group in tuple(member.groups or ()):
            self.leave(member, group)

    def topics(self) -> Iterator[str]:
        """Every topic that has a member here: the subscriptions for a broker that has lost them.

        It may be read in pieces, while members come and go.
        """
        yield from map(uid_topic, list(self._uids))
        yield from map(group_topic, list(self._groups))

    def is_held(self, topic: str) -> bool:
        """Whether a topic has a member here."""
        kind, _, name = topic.partition(":")
        return name in (self._uids if kind == "uid" else self._groups)

    def take_interest(self) -> tuple[list[str], list[str]]:
        """The topics that have got their first member since the last call, or lost their last.

        Returns:
            The topics gained, and those lost.

        A topic that did both is in neither.
        """
        changes, self._interest = self._interest, {}
        gained = [topic for topic, is_held in changes.items() if is_held]
        lost = [topic for topic, is_held in changes.items() if not is_held]
        return gained, lost

    def _note(self, topic: str, is_held: bool) -> None:
        # Two changes of a topic since the last call cancel each other.
        if self._interest.pop(topic, is_held) is is_held:
            self._interest[topic] = is_held
