"""The numbers of a node's messages: what was sent, what was heard, and what is missing. Pure."""

from __future__ import annotations

import enum
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable

# Entries of the log of what was sent: a node that was cut off asks it what it has missed.
LOGGED = 50_000
# Numbers of messages that were told as missing, of one sender: they may still come, too late.
TOLD = 10_000
# Numbers that are remembered until a report covers them.
UNCOVERED = 200_000

# The number of a message, and a topic on which it was published.
Entry = tuple[int, str]


class SentLog:
    """The topics of the latest messages of this process, by number.

    Args:
        limit: the largest number of entries.

    Attributes:
        last: the number of the latest message; 0 before the first.
        forgotten: up to this number entries may be missing, because newer ones took their place.
    """

    def __init__(self, limit: int = LOGGED) -> None:
        self._entries: deque[Entry] = deque()
        self._limit = limit
        self.last = 0
        self.forgotten = 0

    def next(self) -> int:
        """The number of the next message."""
        self.last += 1
        return self.last

    def note(self, number: int, topic: str) -> None:
        """Notes that a message is published on a topic."""
        self._entries.append((number, topic))
        if len(self._entries) > self._limit:
            self.forgotten, _ = self._entries.popleft()

    def since(self, first: int) -> list[Entry]:
        """The entries from this number on, in order."""
        found = []
        for entry in reversed(self._entries):
            if entry[0] < first:
                break
            found.append(entry)
        found.reverse()
        return found


class Freshness(enum.Enum):
    """What a number says about its message."""

    NEW = "new"
    REPEATED = "repeated"  # it was heard before
    LATE = "late"  # newer messages have overtaken it, and it was told as missing


class HeardSequence:
    """The numbers that one sender's messages had.

    Args:
        covered: the numbers up to this one are none of this node's business.

    Attributes:
        run: counts the sender's connections to the broker.
        covered: up to this number it is known what is missing.
        lost: the number of missing messages in all.
    """

    __slots__ = ("_quiet_since", "_received", "_told", "covered", "lost", "run")

    def __init__(self, covered: int) -> None:
        self._received: set[int] = set()
        self._told: OrderedDict[int, None] = OrderedDict()
        self.run = 0
        self.covered = covered
        self.lost = 0
        self._quiet_since: float | None = None

    def take(self, number: int, run: int) -> Freshness:
        """Notes the number of a message that has come."""
        received = self._received
        if number <= self.covered:
            return Freshness.LATE if number in self._told else Freshness.REPEATED
        if number in received:
            return Freshness.REPEATED
        if run < self.run:
            return Freshness.LATE  # the next report tells it as missing
        self.run = run
        self._quiet_since = None
        received.add(number)
        if len(received) > UNCOVERED:
            self.cover(max(received))  # it sends no reports
        return Freshness.NEW

    def is_over(self, now: float, after: float) -> bool:
        """Whether nothing new has come for so many seconds; to be called again and again."""
        if self._quiet_since is None:
            self._quiet_since = now
        return now - self._quiet_since > after

    def missing(self, sent: Iterable[Entry], is_held: Callable[[str], bool]) -> dict[int, str]:
        """The messages that were sent on a topic held here, and have not come.

        Returns:
            A topic by number; each number only once, however often it is asked for.
        """
        covered, received, told = self.covered, self._received, self._told
        found: dict[int, str] = {}
        for number, topic in sent:
            if number <= covered or number in received or number in told or number in found:
                continue
            if is_held(topic):
                found[number] = topic
        return found

    def tell(self, numbers: Iterable[int]) -> None:
        """Notes numbers as missing."""
        told = self._told
        for number in numbers:
            told[number] = None
            self.lost += 1
        while len(told) > TOLD:
            told.popitem(last=False)

    def cover(self, upto: int) -> None:
        """Notes that all numbers up to this one have been looked at."""
        if upto > self.covered:
            self.covered = upto
            self._received = {number for number in self._received if number > upto}
