"""The functions that a `Gateway`'s callbacks may be, for type checkers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from lineman.config.callback_slots import BoundSlot

if TYPE_CHECKING:
    from lineman.config.callback_types import Nothing
    from lineman.gateway.business.gateway_client import Client
    from lineman.protocols.http.requests import Request

    OfUid = Callable[[str], Nothing] | Callable[[], Nothing]

    OfGap = (
        Callable[[str, str, str], Nothing]
        | Callable[[str, str], Nothing]
        | Callable[[str], Nothing]
        | Callable[[], Nothing]
    )

    OfClient = Callable[[Client], Nothing] | Callable[[], Nothing]
    OfClientHandshake = Callable[[Client, Request], Nothing] | OfClient
    OfClientMessage = Callable[[Client, Any], Nothing] | OfClient
    OfClientClose = (
        Callable[[Client, int, str], Nothing] | Callable[[Client, int], Nothing] | OfClient
    )

    # As decorators they return the function that they were given, with its type.
    U = TypeVar("U", bound=OfUid)
    GG = TypeVar("GG", bound=OfGap)
    GC = TypeVar("GC", bound=OfClient)
    GH = TypeVar("GH", bound=OfClientHandshake)
    GM = TypeVar("GM", bound=OfClientMessage)
    GX = TypeVar("GX", bound=OfClientClose)

    class ForUid(BoundSlot):
        """`on_uid_online` and `on_uid_offline` of a `Gateway`."""

        def __call__(self, function: U) -> U: ...  # noqa: D102

    class ForGap(BoundSlot):
        """`on_history_gap` of a `Gateway`."""

        def __call__(self, function: GG) -> GG: ...  # noqa: D102

    class ForClient(BoundSlot):
        """`on_connect` of a `Gateway`."""

        def __call__(self, function: GC) -> GC: ...  # noqa: D102

    class ForClientHandshake(BoundSlot):
        """`on_websocket_connect` of a `Gateway`."""

        def __call__(self, function: GH) -> GH: ...  # noqa: D102

    class ForClientMessage(BoundSlot):
        """`on_message` of a `Gateway`."""

        def __call__(self, function: GM) -> GM: ...  # noqa: D102

    class ForClientClose(BoundSlot):
        """`on_close` of a `Gateway`."""

        def __call__(self, function: GX) -> GX: ...  # noqa: D102
