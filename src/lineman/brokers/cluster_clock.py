"""A clock that the nodes of a service share, by the stamps of their messages. Pure.

It is a hybrid logical clock (Kulkarni and others, 2014): it begins with the machine's time, runs
evenly, and is never behind a stamp that was heard. So clocks of machines need not agree, and a
clock that is set has no effect on a process that runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable

# Seconds: a message that is older is not delivered any more.
MAX_AGE = 30.0
# Seconds by which the clock of a machine that has not heard of this one may be behind.
TOLERANCE = 2.0


class ClusterClock:
    """The time of a node, in milliseconds since 1970.

    Args:
        steady: seconds that only go forward.
        wall: seconds since 1970; asked once.

    Attributes:
        started: the time at which it began.
    """

    def __init__(self, steady: Callable[[], float], wall: Callable[[], float] = time.time) -> None:
        self._steady = steady
        self._offset = wall() - steady()
        self.started = self.now()

    def now(self) -> int:
        """The time."""
        return int((self._steady() + self._offset) * 1000)

    def hear(self, stamp: int) -> float:
        """Notes the stamp of a message of another node: it was not sent in the future.

        Returns:
            Seconds since it was sent.
        """
        passed = (self._steady() + self._offset) * 1000 - stamp
        if passed >= 0:
            return passed / 1000
        self._offset -= passed / 1000
        return 0.0

    def may_begin(self, stamp: int) -> bool:
        """Whether a sender that was never heard of may begin with a message of this stamp.

        A recorded message is from before, or at most `MAX_AGE` old; and who records and repeats it
        within that time finds this process, which has heard it.
        """
        return stamp >= self.started - TOLERANCE * 1000 and self.hear(stamp) <= MAX_AGE
