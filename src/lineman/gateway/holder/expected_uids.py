"""Users who were asked to connect again, and who count as online meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from lineman.gateway.wire.names import UID_TOPIC, uid_topic

# Seconds for which such a user counts as online.
RETURN = 10.0


class ExpectedUids:
    """The users whose last line here was asked to connect again, each until it is back or late.

    While they are expected, this node tells no home that they are gone: a drain whose clients come
    to other nodes at once takes nobody offline.

    Args:
        held: returns the uids that have a client here.
        clock: seconds that only go forward.
    """

    def __init__(self, held: Callable[[], Collection[str]], clock: Callable[[], float]) -> None:
        self._held = held
        self._clock = clock
        self._until: dict[str, float] = {}

    def add(self, uid: str) -> None:
        """A client of this user is about to leave, because it was asked to."""
        self._until.pop(uid, None)
        self._until[uid] = self._clock() + RETURN

    def gone(self, gained: Iterable[str], lost: Iterable[str]) -> list[str]:
        """Those of the lost topics whose users are not expected."""
        for topic in gained:
            self._until.pop(_uid_of(topic), None)
        return [topic for topic in lost if _uid_of(topic) not in self._until]

    def late(self, *, all_of_them: bool = False) -> list[str]:
        """The topics of the users that are not back in time; they are expected no longer."""
        now, held, found = self._clock(), self._held(), []
        for uid, until in list(self._until.items()):
            if until > now and not all_of_them:
                break  # the others were asked later
            del self._until[uid]
            if uid not in held:
                found.append(uid_topic(uid))
        return found

    def __contains__(self, uid: object) -> bool:
        return uid in self._until

    def __len__(self) -> int:
        return len(self._until)

    def with_held(self) -> Collection[str]:
        """These users and all that have a client here."""
        return _Union(self._held(), self._until) if self._until else self._held()


class _Union(Collection[str]):
    """Two collections as one, without a copy."""

    def __init__(self, first: Collection[str], second: Collection[str]) -> None:
        self._first = first
        self._second = second

    def __contains__(self, name: object) -> bool:
        return name in self._first or name in self._second

    def __iter__(self) -> Iterator[str]:
        yield from self._first
        yield from (name for name in self._second if name not in self._first)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _uid_of(topic: str) -> str:
    return topic.removeprefix(UID_TOPIC) if topic.startswith(UID_TOPIC) else ""
