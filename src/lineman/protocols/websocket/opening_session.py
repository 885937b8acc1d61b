"""HTTP on a connection that may become a websocket, the server's end, pure.

Beside what `HttpSession` gives there is an `Opening`: the usual handshake, read in one pass. What
is decided about a handshake is said here, and becomes the answer and the `WebsocketSession`.

Source: RFC 6455, section 4.2; RFC 7692, section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lineman.errors import UsageError
from lineman.protocols.http.http_messages import Request
from lineman.protocols.http.http_session import HttpLimits, HttpSession
from lineman.protocols.interface import Upgrade
from lineman.protocols.websocket import handshake
from lineman.protocols.websocket.fast_handshake import read_opening
from lineman.protocols.websocket.handshake import response
from lineman.protocols.websocket.negotiation import Agreement, DeflateOptions, negotiate
from lineman.protocols.websocket.session import SessionLimits, WebsocketSession


class OpeningSession(HttpSession):
    """The requests of one connection, up to the handshake that opens a websocket.

    Args:
        limits: see `HttpSession`.
        since: see `HttpSession`.

    Attributes:
        subprotocol: the one that is agreed on; None for none.
    """

    __slots__ = ("_compression", "_early", "_headers", "_key", "subprotocol")

    def _begin(self, limits: HttpLimits, since: float) -> None:
        HttpSession._begin(self, limits, since)
        self.subprotocol: str | None = None
        self._key = ""
        self._early = b""  # what came behind the handshake
        self._headers: tuple[tuple[str, str], ...] = ()
        self._compression: tuple[Agreement, str] | None = None

    def next(self, data: memoryview) -> Any:
        """The next of what these bytes mean: an `Opening`, or what `HttpSession` gives."""
        if self._parser is None and self.request is None and not self.is_over and len(data):
            found = read_opening(data, self._limits.max_head_size)
            if found is not None:
                size = len(found.head)
                self.request = found
                self._key = found.key
                self._early = b"" if size == len(data) else bytes(data[size:])
                self.has_more = False
                return found
        return HttpSession.next(self, data)

    def is_handshake(self, request: Request) -> bool:
        """Whether a request wants to be a websocket, rightly or not."""
        return handshake.is_websocket(request) or "sec-websocket-key" in request.headers

    def check(self, request: Request) -> None:
        """Takes a request for a handshake.

        Raises:
            HttpError: it is none that can be accepted; `refuse` it.
        """
        self._key = handshake.check(request)
        assert self._parser is not None
        self._early = self._parser.rest

    # What is agreed on.

    def negotiate(self, request: Request, options: DeflateOptions) -> None:
        """Agrees on compression where the client offers it.

        Raises:
            HttpError: the offer is malformed.
        """
        offers = request.headers.get_all("sec-websocket-extensions")
        self._compression = negotiate(offers, options) if offers else None

    def prefer(self, request: Request, supported: Sequence[str]) -> None:
        """Agrees on the first of these subprotocols that the client offers."""
        offered = handshake.offered_subprotocols(request)
        self.subprotocol = handshake.choose_subprotocol(offered, supported)

    def choose_subprotocol(self, request: Request, name: str) -> None:
        """Agrees on a subprotocol.

        Raises:
            UsageError: the client did not offer it, or it is no name.
        """
        offered = handshake.offered_subprotocols(request)
        if name not in offered:
            raise UsageError(f"subprotocol {name!r} was not offered; the client offered {offered}")
        response(self._key, name)  # what a client offers need not be a name
        self.subprotocol = name

    def add_header(self, name: str, value: str) -> None:
        """Adds a header to the answer.

        Raises:
            UsageError: it would break it.
        """
        response(self._key, headers=[(name, value)])
        self._headers += ((name, value),)

    def upgrade(self, limits: SessionLimits, options: DeflateOptions) -> Upgrade:
        """The answer that opens the websocket, and its session.

        Args:
            limits: of the session.
            options: how it compresses, where that was agreed on.
        """
        agreement, extensions = self._compression or (None, None)
        answer = response(self._key, self.subprotocol, self._headers, extensions)
        self.request = None
        self.is_over = True
        session = WebsocketSession.__new__(WebsocketSession)
        session._begin(limits, agreement, options, None)
        upgrade = Upgrade.__new__(Upgrade)
        upgrade.answer, upgrade.session, upgrade.rest = answer, session, self._early
        return upgrade
