"""What calls of an application have in common: how they wait, and how their failures are told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from lineman.errors import ClientGoneError

# Messages that a call may take and send before it lets others have their turn, where it never waits
# by itself.
SHARE = 32
_SHARE = SHARE  # as a C number


class AppCall:
    """One call of an application, for a request or a websocket.

    Args:
        served: the application and what is known of it.
        scope: of the call.

    Attributes:
        task: runs it.
        scope: of the call.
        is_gone: whether the client has gone.
    """

    __slots__ = ("_served", "_share", "_waiters", "is_gone", "scope", "task")

    def _begin_call(self, served: Any, scope: dict[str, Any]) -> None:
        """In place of `__init__`, as a call in C."""
        self._served = served
        self._share = _SHARE
        self._waiters: list[asyncio.Future[None]] = []
        self.scope = scope
        self.is_gone = False
        self.task: Any = None

    def __repr__(self) -> str:
        what = self.scope.get("method") or "websocket"
        return f"{self._served.name} ({what} {self.scope['path']})"

    async def run(self) -> None:
        """Calls the application, and judges how it ends."""
        served = self._served
        error: BaseException | None = None
        try:
            result = await served.app(self.scope, self.receive, self.send)
            if result is not None:
                served.tell_result(self, result)
        except BaseException as raised:
            error = raised
        self._ended(error)
        served.let_go(self)

    def _ended(self, error: BaseException | None) -> None:
        """Judges how the call has ended; None where it raised nothing."""
        raise NotImplementedError

    async def receive(self) -> dict[str, Any]:
        """The next message for the application."""
        raise NotImplementedError

    async def send(self, message: Any) -> None:
        """Takes a message of the application."""
        raise NotImplementedError

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _new_waiter(self) -> asyncio.Future[None]:
        self._share = _SHARE
        waiter: asyncio.Future[None] = self._served.loop.create_future()
        self._waiters.append(waiter)
        return waiter

    def _drop_waiter(self, waiter: asyncio.Future[None]) -> None:
        self._waiters.remove(waiter)

    def _spend(self) -> bool:
        """Counts a message; whether others shall have their turn now."""
        self._share -= 1
        if self._share > 0:
            return False
        self._share = _SHARE
        return True


def client_gone(code: int, reason: str) -> ClientGoneError:
    """What `send` raises when the client has gone (ASGI 2.4)."""
    return ClientGoneError(code or 1006, reason or "the client has gone")


def is_of_the_end(error: BaseException) -> bool:
    """Whether an application failed only because its client has gone."""
    return any(isinstance(each, ClientGoneError) for each in _chain(error))


def _chain(error: BaseException | None, depth: int = 0) -> Iterator[BaseException]:
    while error is not None and depth < 16:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _chain(each, depth + 1)
        depth += 1
        error = error.__cause__ or error.__context__
