"""`connect`: a connection to a server, to be awaited or used by `async with`."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

from lineman.client.client_options import ClientOptions, options_of, plan
from lineman.client.client_service import ClientService, service_for
from lineman.client.opening import open_connection
from lineman.client.reconnecting import ReconnectingLine
from lineman.errors import UnknownNameError, UsageError
from lineman.net.connection.connection import Connection

# Options that a connection which is opened once would not use.
_OF_RECONNECTING = ("on_open", "first_delay", "last_delay", "max_waiting")


class Connecting:
    """A connection that is not open yet; made by `connect`."""

    def __init__(self, url: str, options: ClientOptions) -> None:
        self._plan = plan(url, options)
        self._service: ClientService | None = None
        self._connection: Connection | None = None

    def __repr__(self) -> str:
        return f"<connect {self._plan.target}>"

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            raise UnknownNameError(
                f"{self!r} has no {name}, and is not open yet: write "
                "`async with connect(…) as line:` or `line = await connect(…)`, and use the line"
            )

    async def _open(self) -> Connection:
        opened = await open_connection(self._plan)
        self._service = service_for(self._plan)
        self._connection = self._service.begin(self._plan, opened)
        return self._connection

    def __await__(self) -> Generator[Any, Any, Connection]:
        return self._open().__await__()

    async def __aenter__(self) -> Connection:
        return await self._open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._connection is not None
        assert self._service is not None
        self._connection.close()
        await self._service.ended(self._connection)


@overload
def connect(url: str, *, reconnect: Literal[True], **given: Any) -> ReconnectingLine: ...
@overload
def connect(url: str, *, reconnect: Literal[False] = False, **given: Any) -> Connecting: ...
def connect(url: str, **given: Any) -> Connecting | ReconnectingLine:
    """Connects to a server: `async with connect("wss://example.com/chat") as line`, or `await`.

    Args:
        url: `ws://`, `wss://`, `tcp://`, `text://`, `frame://`, the last three also as `…+tls://`;
            all as `…+unix://`.
        **given: see `ClientOptions`.

    Returns:
        What gives a `Connection` when it is awaited or entered: `send` sends, `async for message in
        line` reads, and the end of the block closes it. With `reconnect=True` a
        `ReconnectingLine`, to be entered by `async with`.

    Raises:
        UsageError: an option that does not exist, or a value that cannot be.
        ConfigError: a file or a limit that cannot work.
        ConnectError: when it is awaited: the server is not reached, or refuses.
    """
    options = options_of("connect", given)
    if options.reconnect:
        return ReconnectingLine(url, options)
    for name in _OF_RECONNECTING:
        if name in given:
            raise UsageError(f"{name} is for a line that comes back: give reconnect=True as well")
    return Connecting(url, options)
