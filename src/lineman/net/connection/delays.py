"""The calls that a program makes later on a connection; they end with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineman.base.durations import check_function, check_seconds
from lineman.net.connection.context import ConnectionContext
from lineman.net.connection.endpoint import Endpoint
from lineman.net.connection.peer import Peer
from lineman.net.connection.state import CLOSED
from lineman.net.loop.delay import Delay


class DelayedCalls(Peer):
    """Owns the calls that wait for their moment."""

    __slots__ = ("_delays",)

    def _begin_delays(
        self, service: ConnectionContext, endpoint: Endpoint, fd: int, peer: tuple[str, int]
    ) -> None:
        """In place of `__init__`, as `_begin_facts`."""
        self._begin_facts(service, endpoint, fd, peer)
        # None, the only one, or a set of several: most connections have none or one.
        self._delays: Delay | set[Delay] | None = None

    def after(self, seconds: float, function: Callable[..., Any], *args: Any) -> Delay:
        """Calls `function(*args)` once, unless the connection ends before.

        The call is never early; its failure is logged and counted, and the connection goes on. A
        connection that has ended already calls nothing.

        Args:
            seconds: the time until then, 0 or more.
            function: plain or `async def`.

        Returns:
            The waiting call; its `cancel()` takes it back.

        Raises:
            UsageError: the seconds are no number of 0 or more, or the function is none.
        """
        call = "connection.after(seconds, f, *args)"
        delay_for = check_seconds(call, seconds)
        check_function(call, function)
        given: tuple[Any, ...] | None = args
        if not args and getattr(function, "__self__", None) is self:
            # A method of this connection, such as `close`: the bound method would take 64 bytes.
            method = getattr(function, "__func__", None)
            if method is not None:
                function, given = method, None
        delay = Delay(self, delay_for, function, given)
        if self._state is CLOSED:
            delay.drop()
        elif self._delays is None:
            self._delays = delay
        elif isinstance(self._delays, set):
            self._delays.add(delay)
        else:
            self._delays = {self._delays, delay}
        return delay

    def run_delay(self, delay: Delay) -> None:
        """Makes a call whose moment has come; for `Delay`."""
        function, args = delay.function, (self,) if delay.args is None else delay.args
        delay.cancel()
        self.service.call_named("connection.after", function, *args)

    def forget_delay(self, delay: Delay) -> None:
        """Keeps a call no longer; for `Delay`."""
        if self._delays is delay:
            self._delays = None
        elif isinstance(self._delays, set):
            self._delays.discard(delay)

    def _drop_delays(self) -> None:
        """Drops the calls that wait: the connection ends."""
        delays, self._delays = self._delays, None
        if isinstance(delays, set):
            for each in delays:
                each.drop()
        elif delays is not None:
            delays.drop()

    # The connection's own deadlines.

    def _look_after(self, seconds: float) -> None:
        """Has `on_deadline` called after so many seconds, or sooner if that was planned."""
        self.service.wheel.file(self, self.service.wheel.now + seconds)

    def _look_anew(self, seconds: float) -> None:
        """As `_look_after`, and not sooner, whatever was planned."""
        self.service.wheel.remove(self)
        self._look_after(seconds)
