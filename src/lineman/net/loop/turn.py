"""How much is done in one turn of the event loop, and for one connection in it. Pure.

Nobody's flood may be everybody's wait: a connection gets a *share* of a turn, in steps of work (a
message, a control frame, a TLS record, a piece of a large one) and in time. What is more waits in
the poller's queue, and all that waits there has one budget together, behind the sockets that are
newly ready.
"""

from __future__ import annotations

from collections.abc import Callable

from lineman.net.loop import ticks

# Seconds of a turn for sockets that are newly ready, and for all together that were put off. A
# callback that is at work when they are over is not interrupted, and is the last one.
READY_TIME = 0.008
QUEUE_TIME = 0.004
# What one connection may do in a turn: steps, and seconds, of those for what is newly ready. Many
# who are ready at once, each with much to do, shall not be a long wait for the last of them: the
# rest comes behind all of them.
STEPS = 256
READY_SHARE_TIME = 0.0001
SHARE_TIME = 0.001
# After so many seconds a turn is late, and the watchdog is told that something was done in it.
LATE = 0.1
_LATE = LATE  # as C numbers
_READY_TIME = READY_TIME
_QUEUE_TIME = QUEUE_TIME
_STEPS = STEPS
_READY_SHARE_TIME = READY_SHARE_TIME
_SHARE_TIME = SHARE_TIME


class Turn:
    """What of a turn is left.

    Args:
        clock: seconds on a clock that does not go back; None for the machine's.

    Attributes:
        serves_queue: whether the queue has its part of the turn, or had it last.
    """

    __slots__ = (
        "_begun",
        "_clock",
        "_ends",
        "_instant",
        "_left",
        "_now",
        "_share_ends",
        "serves_queue",
    )

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._instant = ticks.beginning()
        self._now = self._begun = self._ends = self._share_ends = 0.0
        self._left = 0
        self.serves_queue = False

    def begin(self) -> None:
        """Begins a turn, with the sockets that are newly ready."""
        self._look()
        self._begun = self._now
        self._ends = self._begun + _READY_TIME
        self.serves_queue = False

    def begin_queue(self) -> None:
        """Goes on with what was put off; time that is left over is not handed on to it."""
        self._look()
        self._ends = min(self._now, self._begun + _READY_TIME) + _QUEUE_TIME
        self.serves_queue = True

    def is_over(self) -> bool:
        """Whether nobody else is served in this part of the turn."""
        self._look()
        return self._now >= self._ends

    def is_late(self) -> bool:
        """Whether the turn has taken much longer than it should: a callback has."""
        return self._now >= self._begun + _LATE

    def begin_share(self) -> None:
        """Begins with a connection."""
        share = _SHARE_TIME if self.serves_queue else _READY_SHARE_TIME
        self._share_ends = min(self._now + share, self._ends)
        self._left = _STEPS if self._now < self._share_ends else 1

    def spend(self) -> bool:
        """Counts a step of the connection; whether it has had its share, and shall be put off."""
        self._left -= 1
        return self.has_spent()

    def has_spent(self) -> bool:
        """Whether the connection has had its share."""
        self._look()
        return self._left <= 0 or self._now >= self._share_ends

    def _look(self) -> None:
        if self._clock is None:
            self._instant = ticks.look(self._instant)
            self._now = ticks.seconds(self._instant)
        else:
            self._now = self._clock()
