"""The present drain: clients are asked to connect again while the service goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from lineman.errors import UsageError

MAX_SECONDS = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class DrainOrder:
    """What was ordered.

    Attributes:
        seconds: the time over which clients are asked.
        share: the share of the clients that is asked, at most 1.
        refuses: whether new clients are refused meanwhile and afterwards, until it is cancelled.
        until: when the last client is asked, on the clock that does not go back.
        ends: the same in seconds since 1970.
    """

    seconds: float
    share: float
    refuses: bool
    until: float
    ends: float

    @classmethod
    def read(cls, request: Mapping[str, Any], now: float) -> Self:
        """The order in a command's request.

        Raises:
            UsageError: a value that no command sends.
        """
        seconds: Any = request.get("seconds")
        share: Any = request.get("share")
        if type(seconds) not in (int, float) or not 0 <= seconds <= MAX_SECONDS:
            raise UsageError(f"seconds is {seconds!r:.40}; give 0 to {MAX_SECONDS:g}")
        if share is not None and (type(share) not in (int, float) or not 0 < share <= 1):
            raise UsageError(f"share is {share!r:.40}; give a number above 0 and up to 1, or none")
        part = 1.0 if share is None else share
        return cls(seconds, part, share is None, now + seconds, time.time() + seconds)

    def arguments(self, now: float) -> dict[str, Any]:
        """What a process is told that has to carry it out from now on."""
        left = max(0.0, self.until - now)
        return {"seconds": left, "share": self.share, "refuses": self.refuses}

    def is_over(self, now: float) -> bool:
        """Whether nothing is left to do; a drain that refuses new clients lasts."""
        return not self.refuses and now >= self.until

    def about(self) -> dict[str, Any]:
        """The figures for `status`."""
        return {"drain_share": self.share, "drain_ends": self.ends}


def words(order: DrainOrder) -> str:
    """The order as a line of the log."""
    if order.refuses:
        return (
            f"draining: the clients are asked to connect again over {order.seconds:g} s, new ones "
            "are refused"
        )
    return f"{order.share:.0%} of the clients are asked to connect again over {order.seconds:g} s"
