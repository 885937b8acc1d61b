"""The named timers that one gateway process keeps, and which are due. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

# What one process keeps: timers, and bytes of their keys, names and arguments.
MAX_TIMERS = 100_000
MAX_BYTES = 64 * 1024 * 1024
# What a timer counts for besides these, in bytes.
OVERHEAD = 450


@dataclass(slots=True, eq=False)
class KeptTimer:
    """One timer.

    Attributes:
        key: its name among all nodes.
        id: of this setting; a successor with the same key has another.
        name: the program's function.
        args: its arguments, encoded.
        due: when the next call is due, on this process' clock.
        interval: seconds from one call to the next; 0 for one call.
        stamp: when it was set; of two settings of one key the later one counts.
        homes: the nodes that keep it: the first one has it called.
        deaths: workers that have died, one after the other, while they called it.
        unknown: workers, one after the other, that did not know its function.
        is_running: whether a worker calls it now.
        is_gone: whether it is kept no longer.
    """

    key: str
    id: str
    name: str
    args: bytes
    due: float
    interval: float
    stamp: int
    homes: tuple[str, ...] = ()
    deaths: int = 0
    unknown: int = 0
    is_running: bool = False
    is_gone: bool = False

    @property
    def size(self) -> int:
        """What it counts for, in bytes."""
        return OVERHEAD + len(self.key) + len(self.name) + len(self.args)


class TimerTable:
    """The timers of one gateway process by their keys.

    Args:
        max_timers: how many it keeps.
        max_bytes: how many bytes they may have together.
    """

    def __init__(self, max_timers: int = MAX_TIMERS, max_bytes: int = MAX_BYTES) -> None:
        self._max_timers = max_timers
        self._max_bytes = max_bytes
        self._by_key: dict[str, KeptTimer] = {}
        self._queue: list[tuple[float, int, KeptTimer]] = []
        self._count = 0  # of entries that were ever made: those of one moment stay in order
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[KeptTimer]:
        return iter(list(self._by_key.values()))

    @property
    def is_full(self) -> bool:
        """Whether no further key is taken."""
        return len(self._by_key) >= self._max_timers or self._bytes >= self._max_bytes

    def get(self, key: str) -> KeptTimer | None:
        """The timer with a key."""
        return self._by_key.get(key)

    def put(self, timer: KeptTimer) -> bool:
        """Keeps a timer in place of the one with its key; False if there is no room for it."""
        before = self._by_key.get(timer.key)
        grown = timer.size - (0 if before is None else before.size)
        if self.is_full and (before is None or (grown > 0 and self._bytes >= self._max_bytes)):
            return False
        self.drop(timer.key)
        self._by_key[timer.key] = timer
        self._bytes += timer.size
        self.schedule(timer, timer.due)
        return True

    def drop(self, key: str, id: str = "") -> KeptTimer | None:
        """Removes a timer, if it is there.

        Args:
            key: its key.
            id: the setting that is meant; empty for any.
        """
        timer = self._by_key.get(key)
        if timer is None or (id and timer.id != id):
            return None
        del self._by_key[key]
        self._bytes -= timer.size
        timer.is_gone = True
        return timer

    def schedule(self, timer: KeptTimer, due: float) -> None:
        """Sets when a timer is due next."""
        timer.due = due
        self._count += 1
        heapq.heappush(self._queue, (due, self._count, timer))
        if len(self._queue) > 2 * len(self._by_key) + 100:
            self._tidy()

    def _tidy(self) -> None:
        """Removes the entries of timers that are gone, or are due at another moment."""
        self._queue = [entry for entry in self._queue if _counts(entry)]
        heapq.heapify(self._queue)

    @property
    def next_due(self) -> float | None:
        """When the next timer is due; None if there is none."""
        while self._queue and not _counts(self._queue[0]):
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def take_due(self, now: float) -> KeptTimer | None:
        """The next timer that is due; it is in the table, but has no next moment any more."""
        due = self.next_due
        if due is None or due > now:
            return None
        return heapq.heappop(self._queue)[2]


def _counts(entry: tuple[float, int, KeptTimer]) -> bool:
    due, _, timer = entry
    return not timer.is_gone and timer.due == due


def following(timer: KeptTimer, now: float) -> float:
    """The first moment after now on the grid of a repeated timer."""
    missed = max(0, int((now - timer.due) / timer.interval))
    due = timer.due + (missed + 1) * timer.interval
    return due if due > now else due + timer.interval
