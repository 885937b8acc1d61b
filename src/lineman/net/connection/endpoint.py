"""What all connections to one of a worker's addresses have in common."""

from __future__ import annotations

from collections.abc import Callable

from lineman.net.connection.limits import Limits
from lineman.protocols.interface import Session
from lineman.protocols.websocket.origins import OriginPolicy


class Endpoint:
    """One of the addresses of a worker.

    Args:
        address: as the program writes it.
        scheme: of the address for clients, such as `wss` or `text+tls`.
        protocol: makes the session of a new connection; None where it begins with HTTP.
        is_tls: whether connections begin with TLS.
        origins: who may connect from a browser.
        may_start_tls: whether they begin in the clear, and may go on with TLS.
        has_app: whether an application answers, which has websockets at `http` addresses as well.

    Attributes:
        has_websockets: whether HTTP may become a websocket there.
    """

    __slots__ = (
        "address", "has_websockets", "http_scheme", "is_tls", "may_start_tls", "origins",
        "protocol", "scheme",
    )  # fmt: skip

    def __init__(
        self,
        address: str = "",
        scheme: str = "ws",
        protocol: Callable[[Limits], Session] | None = None,
        is_tls: bool = False,
        origins: OriginPolicy | None = None,
        may_start_tls: bool = False,
        has_app: bool = False,
    ) -> None:
        self.address = address
        self.scheme = scheme
        self.protocol = protocol
        is_for_requests = scheme in ("http", "https") and not has_app
        self.has_websockets = protocol is None and not is_for_requests
        self.is_tls = is_tls
        self.http_scheme = "https" if is_tls else "http"
        self.origins = origins or OriginPolicy(None)
        self.may_start_tls = may_start_tls
