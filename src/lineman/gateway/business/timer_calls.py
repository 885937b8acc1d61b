"""The calls of named timers in a business worker."""

from __future__ import annotations

import asyncio
import inspect
import logging
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lineman.base.cancellation import is_cancelled_itself
from lineman.base.loglimit import LogLimit
from lineman.errors import NotReachedError, UsageError
from lineman.gateway.business.running_callbacks import RunningCallbacks
from lineman.gateway.push.timer_api import too_many, too_old
from lineman.gateway.wire.timer_args import decode_args
from lineman.gateway.wire.timer_messages import SetTimer, TimerDone, TimerDue, TimerOrder
from lineman.gateway.wire.versions import TIMERS_SINCE
from lineman.links.link import Link

logger = logging.getLogger("lineman")


class TimerCalls:
    """Sets timers in the gateway processes, and calls the functions of those that are due.

    Args:
        functions: the program's functions by name.
        running: the tasks of the worker; it waits for them when it retires.
        note_error: gets what a function raised.

    Attributes:
        versions: of the wire, by the links to gateway processes that have said their names.
        full: the links to those that take no more timers.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[..., Any]],
        running: RunningCallbacks,
        note_error: Callable[[BaseException], None],
    ) -> None:
        self._functions = functions
        self._running = running
        self._note_error = note_error
        self._log = LogLimit(logger)
        self.versions: dict[Link, int] = {}
        self.full: set[Link] = set()

    def leave(self, link: Link) -> None:
        """A link is over."""
        self.versions.pop(link, None)
        self.full.discard(link)

    def set_full(self, link: Link, is_full: bool) -> None:
        """A gateway process takes no more timers, or takes them again."""
        if is_full:
            self.full.add(link)
        else:
            self.full.discard(link)

    def give(self, order: TimerOrder) -> None:
        """Gives an order to a gateway process: all orders about a key to the same one, in order.

        Raises:
            NotReachedError: none is reached.
            RefusedError: it keeps no timers, or no more.
            LinkFullError: it reads too slowly.
        """
        able = [link for link, version in self.versions.items() if version >= TIMERS_SINCE]
        if not able:
            if self.versions:
                raise too_old("the gateway process of this machine")
            raise NotReachedError(
                "no gateway process is reachable from this business worker; no timer was set",
                "set timers when on_worker_start has returned; after that, see that the gateway "
                "processes run: lineman status",
            )
        able.sort(key=lambda link: link.peer)
        link = able[zlib.crc32(order.key.encode()) % len(able)]
        if link in self.full and isinstance(order, SetTimer):
            raise too_many(f"the gateway process {link.peer}")
        link.check_room()
        link.post(order, len(order.args) if isinstance(order, SetTimer) else 0)

    def call(self, link: Link, due: TimerDue) -> None:
        """Calls the function of a timer that is due, and reports its end."""
        function = self._functions.get(due.name)
        if function is None:
            text = "a timer wants the function %r, and this program has %s; fix: @gateway.timer"
            have = ", ".join(sorted(self._functions)) or "none"
            kind = "timers of unknown functions"
            self._log.log(logging.ERROR, kind, text, due.name[:80], have[:400])
            link.post(TimerDone(due.id, is_unknown=True))
            return
        try:
            result = function(*decode_args(due.args))
        except BaseException as error:
            self._note_error(error)
        else:
            if inspect.isawaitable(result):  # also a future or a task
                self._running.start(f"timer {due.name}", self._await(link, due, result))
                return
        link.post(TimerDone(due.id))

    async def _await(self, link: Link, due: TimerDue, result: Awaitable[Any]) -> None:
        try:
            await result
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled_itself():
                raise  # it is not done: another worker begins it anew
            self._note_error(error)
        link.post(TimerDone(due.id))


def check_known(call: str, name: str, functions: Mapping[str, Callable[..., Any]]) -> None:
    """Refuses the name of a function that the program has not.

    Raises:
        UsageError: it is unknown; the error names those that there are.
    """
    if name not in functions:
        have = ", ".join(sorted(functions)) or "none"
        raise UsageError(
            f"{call}: no function {name!r:.80} is known for timers, and the program has {have}; "
            "write @gateway.timer above the function"
        )
