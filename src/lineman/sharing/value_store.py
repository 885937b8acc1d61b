"""Keys with values that expire, bounded in number and size. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from lineman.sharing.shared_values import MAX_NUMBER, MIN_NUMBER, to_number
from lineman.sharing.store_messages import Outcome, StoreReply, StoreRequest

MAX_KEYS = 100_000
# Bytes of keys and values together.
MAX_BYTES = 64 * 1024 * 1024
# Deadlines that are kept beside each key at most, as keys are written again.
STALE_DEADLINES = 2


@dataclass(slots=True)
class StoredValue:
    """A value, and the time at which it is deleted; None for never."""

    value: bytes
    deadline: float | None


class ValueStore:
    """The shared values of a program.

    Args:
        clock: gives the time in seconds.
        max_keys: how many keys there may be.
        max_bytes: how many bytes keys and values may have together.
    """

    def __init__(
        self, clock: Callable[[], float], max_keys: int = MAX_KEYS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._max_bytes = max_bytes
        self._entries: dict[str, StoredValue] = {}
        self._deadlines: list[tuple[float, str]] = []
        self._size = 0
        self._operations: dict[str, Callable[[StoreRequest], StoreReply]] = {
            "get": self._get,
            "set": self._set,
            "add": self._add,
            "delete": self._delete,
            "compare_and_set": self._compare_and_set,
            "increment": self._increment,
            "expire": self._expire,
        }

    def __len__(self) -> int:
        self._remove_expired()
        return len(self._entries)

    def apply(self, request: StoreRequest) -> StoreReply:
        """Does one operation, whole or not at all."""
        self._remove_expired()
        return self._operations[request.operation](request)

    def find(self, key: str) -> StoredValue | None:
        """What is kept of a key."""
        return self._entries.get(key)

    def keep(self, key: str, entry: StoredValue) -> None:
        """Keeps what another store has had of a key."""
        self._entries[key] = entry
        self._size += len(entry.value) + len(key.encode())
        if entry.deadline is not None:
            heapq.heappush(self._deadlines, (entry.deadline, key))

    def _get(self, request: StoreRequest) -> StoreReply:
        entry = self._entries.get(request.key)
        if entry is None:
            return StoreReply(request.number, "not done")
        return StoreReply(request.number, "done", entry.value)

    def _set(self, request: StoreRequest) -> StoreReply:
        return self._answer(request, self._put(request.key, request.value, request.seconds))

    def _add(self, request: StoreRequest) -> StoreReply:
        if request.key in self._entries:
            return StoreReply(request.number, "not done")
        return self._set(request)

    def _delete(self, request: StoreRequest) -> StoreReply:
        is_there = request.key in self._entries
        self._remove(request.key)
        return StoreReply(request.number, "done" if is_there else "not done")

    def _compare_and_set(self, request: StoreRequest) -> StoreReply:
        entry = self._entries.get(request.key)
        if (None if entry is None else entry.value) != request.expected:
            return StoreReply(request.number, "not done")
        return self._set(request)

    def _increment(self, request: StoreRequest) -> StoreReply:
        entry = self._entries.get(request.key)
        try:
            total = (0 if entry is None else to_number(entry.value)) + request.by
        except ValueError:
            return StoreReply(request.number, "no number")
        if not MIN_NUMBER <= total <= MAX_NUMBER:
            return StoreReply(request.number, "no number")
        value = b"%d" % total
        if entry is None:
            return self._answer(request, self._put(request.key, value, request.seconds), value)
        self._size += len(value) - len(entry.value)  # it keeps its deadline
        entry.value = value
        return StoreReply(request.number, "done", value)

    def _expire(self, request: StoreRequest) -> StoreReply:
        entry = self._entries.get(request.key)
        if entry is None:
            return StoreReply(request.number, "not done")
        self._schedule(request.key, entry, request.seconds)
        return StoreReply(request.number, "done")

    def _answer(self, request: StoreRequest, outcome: Outcome, value: bytes = b"") -> StoreReply:
        return StoreReply(request.number, outcome, value if outcome == "done" else b"")

    def _put(self, key: str, value: bytes, seconds: float | None) -> Outcome:
        old = self._entries.get(key)
        grown = len(value) - len(old.value) if old else len(value) + len(key.encode())
        if self._size + grown > self._max_bytes or (
            old is None and len(self._entries) >= self._max_keys
        ):
            return "full"
        self._size += grown
        entry = self._entries[key] = StoredValue(value, None)
        self._schedule(key, entry, seconds)
        return "done"

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= len(entry.value) + len(key.encode())

    def _schedule(self, key: str, entry: StoredValue, seconds: float | None) -> None:
        entry.deadline = None if seconds is None else self._clock() + seconds
        if entry.deadline is not None:
            heapq.heappush(self._deadlines, (entry.deadline, key))
        if len(self._deadlines) > STALE_DEADLINES * len(self._entries) + 64:
            self._deadlines = [
                (each.deadline, name)
                for name, each in self._entries.items()
                if each.deadline is not None
            ]
            heapq.heapify(self._deadlines)

    def _remove_expired(self) -> None:
        now = self._clock()
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, key = heapq.heappop(self._deadlines)
            entry = self._entries.get(key)
            if entry is not None and entry.deadline == deadline:
                self._remove(key)
