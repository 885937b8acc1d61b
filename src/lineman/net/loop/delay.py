"""A call that is made later: it waits in the timing wheel, and at the end in the event loop.

The wheel is cheap and looks only four times a second; a handle of the event loop is exact and takes
much more memory. So a call waits in the wheel until it is due within half a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from lineman.net.loop.wheel import Timed

# Seconds before its moment at which a call goes to the event loop: two ticks of the wheel.
NEAR = 0.5
_NEAR = NEAR  # as a C number
# A loop that woke too early sleeps at least so long again: uvloop counts whole milliseconds.
_AGAIN = 0.001


class Delay(Timed):
    """A call that is made later, once. `cancel` takes it back.

    Args:
        owner: a connection or a worker's timekeeper. It has a `service`, and the methods
            `run_delay` and `forget_delay`.
        seconds: the time until the call.
        function: the function.
        args: its arguments; None for a function that gets the owner.
    """

    __slots__ = ("_due", "args", "function", "owner")

    def __init__(
        self, owner: Any, seconds: float, function: Callable[..., Any], args: tuple[Any, ...] | None
    ) -> None:
        self.filed_tick = 0
        self.owner = owner
        self.function: Any = function
        self.args = args
        self._due = time.monotonic() + seconds
        if seconds > _NEAR:
            wheel = owner.service.wheel
            wheel.file(self, wheel.now + seconds - _NEAR)
        else:
            owner.service.loop.call_later(seconds, self._look)

    @property
    def is_over(self) -> bool:
        """Whether the call was made or taken back."""
        return self.owner is None

    def cancel(self) -> None:
        """Takes the call back; does nothing after it was made."""
        owner = self.owner
        if owner is not None:
            owner.forget_delay(self)
            self.drop()

    def drop(self) -> None:
        """The same for its owner, which forgets it in its own way."""
        if self.owner is not None:
            self.owner.service.wheel.remove(self)
            self.owner = self.function = self.args = None

    def on_deadline(self, now: float) -> float:
        """See `Timed`."""
        left = self._due - time.monotonic()
        if left > _NEAR:
            return now + left - _NEAR
        self.owner.service.loop.call_later(max(left, 0.0), self._look)
        return 0.0

    def _look(self) -> None:
        """Has the call made, unless the event loop woke too early."""
        if self.owner is None:
            return
        left = self._due - time.monotonic()
        if left > 0:
            self.owner.service.loop.call_later(max(left, _AGAIN), self._look)
        else:
            self.owner.run_delay(self)
