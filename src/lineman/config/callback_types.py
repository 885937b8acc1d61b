"""The types of callbacks, for type checkers: plain or `async def`; the last arguments may be left
out.

A message is `Any`: `str`, `bytes`, or an object of the protocol. Only the value that `on_request`
returns is used; `bool` is allowed elsewhere, because many lambdas return the result of `send`.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from lineman.config.callback_slots import BoundSlot

if TYPE_CHECKING:
    from lineman.net.connection.callbacks import ErrorCode
    from lineman.net.connection.connection import Connection
    from lineman.protocols.http.event_stream import ServerSentEvent
    from lineman.protocols.http.requests import Request
    from lineman.protocols.http.responses import Response

    Nothing = bool | None | Coroutine[Any, Any, bool | None]
    Piece: TypeAlias = str | bytes | bytearray | memoryview | ServerSentEvent
    Page: TypeAlias = Response | str | bytes | Iterator[Piece] | AsyncIterable[Piece] | None
    Answer: TypeAlias = Page | Coroutine[Any, Any, Page]

    OfRequest = Callable[[Request], Answer] | Callable[[], Answer]

    OfConnection = Callable[[Connection], Nothing] | Callable[[], Nothing]
    OfHandshake = Callable[[Connection, Request], Nothing] | OfConnection
    OfMessage = Callable[[Connection, Any], Nothing] | OfConnection
    OfClose = (
        Callable[[Connection, int, str], Nothing]
        | Callable[[Connection, int], Nothing]
        | OfConnection
    )
    OfError = (
        Callable[[Connection, ErrorCode, Exception], Nothing]
        | Callable[[Connection, ErrorCode], Nothing]
        | OfConnection
    )

    # As decorators they return exactly the function that they got, whatever its type.
    R = TypeVar("R", bound=OfRequest)
    C = TypeVar("C", bound=OfConnection)
    H = TypeVar("H", bound=OfHandshake)
    M = TypeVar("M", bound=OfMessage)
    X = TypeVar("X", bound=OfClose)
    E = TypeVar("E", bound=OfError)

    class ForRequest(BoundSlot):
        """`on_request`."""

        def __call__(self, function: R) -> R: ...  # noqa: D102

    class ForConnection(BoundSlot):
        """`on_connect`, `on_buffer_full` and `on_buffer_drain`."""

        def __call__(self, function: C) -> C: ...  # noqa: D102

    class ForHandshake(BoundSlot):
        """`on_websocket_connect`."""

        def __call__(self, function: H) -> H: ...  # noqa: D102

    class ForMessage(BoundSlot):
        """`on_message`."""

        def __call__(self, function: M) -> M: ...  # noqa: D102

    class ForClose(BoundSlot):
        """`on_close`."""

        def __call__(self, function: X) -> X: ...  # noqa: D102

    class ForError(BoundSlot):
        """`on_error`."""

        def __call__(self, function: E) -> E: ...  # noqa: D102
