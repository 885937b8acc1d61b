"""A client as the program's callbacks in a business worker see it."""

from __future__ import annotations

from collections import deque
from typing import Any, Never, Protocol

from lineman.base import unknown_names
from lineman.base.unknown_names import ClientNames
from lineman.errors import UsageError
from lineman.gateway.wire import told_tls
from lineman.gateway.wire.messages import Bind, Change, Changed, Event, IntroduceClient, Join, Leave
from lineman.gateway.wire.session_data import decode_session, encode_session, merge
from lineman.links.link import Link
from lineman.links.records import MessageData
from lineman.net.stream.tlsinfo import TlsInfo
from lineman.protocols.codecs.text_session import line_of
from lineman.protocols.http.requests import Headers, Request
from lineman.protocols.websocket import close as closing


class ServesClients(Protocol):
    """The business worker that serves a client, as the client sees it."""

    def decide(self, client: Client, **changes: Any) -> None:
        """Notes what `on_websocket_connect` decides about a client."""

    def close_client(
        self, client: Client, message: MessageData | None, code: int, reason: str
    ) -> None:
        """See `OrderApi.close_client`."""

    def destroy_client(self, client: Client) -> None:
        """See `OrderApi.destroy_client`."""

    def bind_uid(self, client: Client, uid: str | int) -> None:
        """See `OrderApi.bind_uid`."""

    def join_group(self, client: Client, group: str | int) -> None:
        """See `OrderApi.join_group`."""

    def leave_group(self, client: Client, group: str | int) -> None:
        """See `OrderApi.leave_group`."""


class _Base:
    """The first base of a compiled class must be a compiled class."""

    __slots__ = ()


class Client(_Base, ClientNames):
    """One client; what the callbacks of a `Gateway` get.

    Attributes:
        id: the client's id on every node; nobody can guess it, and each connection has a new one.
        remote_ip: its address; behind a trusted proxy the one that the proxy reports.
        remote_port: its port; 0 if a proxy does not report it.
        protocol: the protocol that it speaks: `ws` (also with TLS), `text`, `frame` or `tcp`.
        listen_address: the address of the gateway at which it has come, as the program writes it.
    """

    __slots__ = (
        "_business",
        "_groups",
        "_groups_shown",
        "_introduction",
        "_is_of_lines",
        "_loaded",
        "_request",
        "_session",
        "_uid",
        "id",
        "link",
        "listen_address",
        "number",
        "ordered",
        "protocol",
        "queue",
        "remote_ip",
        "remote_port",
        "stored_session",
    )

    def __init__(self, business: ServesClients, link: Link, introduction: IntroduceClient) -> None:
        self._business = business
        self._introduction = introduction
        self._request: Request | None = None
        self._session: dict[str, Any] | None = None  # None until a callback reads it
        self.id = introduction.client
        self.link = link
        self.number = introduction.number
        self._uid = introduction.uid
        self._groups = set(introduction.groups)
        self._groups_shown: frozenset[str] | None = None
        self.remote_ip = introduction.remote_ip
        self.remote_port = introduction.remote_port
        self.protocol = introduction.protocol
        self.listen_address = introduction.listen_address
        self._is_of_lines = self.protocol == "text"
        self.stored_session = introduction.session
        self.ordered = introduction.applied  # orders about it, of all its workers so far
        self._loaded = b""  # what `session` was made of
        self.queue: deque[Event] | None = None  # while an async callback is running

    def __setattr__(self, name: str, value: Never) -> None:
        unknown_names.set_or_refuse(self, name, value)

    def __repr__(self) -> str:
        return f"<client {self.id} {self.remote_ip} uid={self.uid!r}>"

    @property
    def uid(self) -> str | None:
        """The user; None until `bind` sets it."""
        return self._uid

    @property
    def groups(self) -> frozenset[str]:
        """The groups that it is in; `join` and `leave` change them."""
        if self._groups_shown is None:
            self._groups_shown = frozenset(self._groups)
        return self._groups_shown

    @property
    def request(self) -> Request | None:
        """The handshake: path, query, headers, cookies; None if its protocol has none."""
        if self._request is None and self._introduction.target:
            headers = Headers([(name, value) for name, value in self._introduction.headers])
            self._request = Request("GET", self._introduction.target, "1.1", headers)
            self._request.remote_ip = self.remote_ip
            self._request.remote_port = self.remote_port
            self._request.scheme = self._introduction.scheme or self._request.scheme
        return self._request

    @property
    def server(self) -> tuple[str, int] | None:
        """Where it has come in; None where that is not told."""
        return self._introduction.server

    @property
    def tls(self) -> TlsInfo | None:
        """What an application learns of its TLS; None where that is not told."""
        return told_tls.hear(self._introduction.tls)

    @property
    def session(self) -> dict[str, Any]:
        """The program's own dictionary; what a callback changes in it is kept when it returns."""
        if self._session is None:
            self._loaded = self.stored_session
            self._session = decode_session(self._loaded)
        return self._session

    @session.setter
    def session(self, session: dict[str, Any]) -> None:
        self._session = session
        self._loaded = b""

    def take_session_change(self) -> bytes | None:
        """The session, if a callback has changed it.

        Raises:
            UsageError: the session cannot be stored.
        """
        session, self._session = self._session, None
        if session is None:
            return None
        encoded = encode_session(session)
        # A session that was only read must not undo what others have written meanwhile.
        return None if encoded in (self._loaded, self.stored_session) else encoded

    def change(self, changed: Changed) -> bool:
        """Takes over a change made elsewhere; False if it crossed orders of this worker."""
        if changed.applied != self.ordered:
            return False
        self._uid = changed.uid
        self._groups = set(changed.groups)
        self._groups_shown = None
        self.stored_session = changed.session
        return True

    def apply(self, order: Change) -> None:
        """Applies an order about this client here as well, so that the program sees it at once.

        Raises:
            UsageError: its session would be too big.
        """
        if isinstance(order, Bind):
            self._uid = order.uid
        elif isinstance(order, Join):
            self._groups.add(order.group)
            self._groups_shown = None
        elif isinstance(order, Leave):
            self._groups.discard(order.group)
            self._groups_shown = None
        elif not order.is_update:
            self.stored_session = order.session
        else:
            given = decode_session(order.session)
            merged = merge(decode_session(self.stored_session), given)
            self.stored_session = encode_session(merged)
            if self._session is not None:
                self._session = merge(self._session, given)
        self.ordered += 1  # an order that was refused above is not sent, and must not count

    # The most frequent orders: they do the same as the functions of `Api`.

    def send(self, message: MessageData) -> None:
        """Sends a message to this client.

        Raises:
            LinkFullError: its gateway process reads too slowly; see `Gateway.drain`.
            UsageError: its protocol cannot carry the message.
        """
        link = self.link
        if link.is_full:
            link.check_room()
        if self._is_of_lines:
            line_of(message)  # its mistake is reported here, not in the gateway process
        link.send(self.number, message)

    def close(
        self,
        message: MessageData | None = None,
        code: int = closing.NORMAL,
        reason: str = "",
    ) -> None:
        """Closes this client's connection, after a last message where one is given."""
        if self._is_of_lines and message is not None:
            line_of(message)
        self._business.close_client(self, message, code, reason)

    def destroy(self) -> None:
        """Drops this client's connection at once, without a close frame."""
        self._business.destroy_client(self)

    def bind(self, uid: str | int) -> None:
        """Sets the user of this client."""
        self._business.bind_uid(self, uid)

    def join(self, group: str | int) -> None:
        """Puts this client into a group."""
        self._business.join_group(self, group)

    def leave(self, group: str | int) -> None:
        """Takes this client out of a group."""
        self._business.leave_group(self, group)

    # In on_websocket_connect only.

    def reject(self, status: int = 403, body: str = "") -> None:
        """Refuses the handshake with an HTTP status and a text."""
        if isinstance(status, bool) or not isinstance(status, int) or not 300 <= status <= 599:
            raise UsageError(f"reject() takes an HTTP status from 300 to 599, got {status!r}")
        self._business.decide(self, status=status, body=_text(body))

    def choose_subprotocol(self, name: str) -> None:
        """Agrees on a subprotocol that the client offered."""
        self._business.decide(self, subprotocol=_text(name))

    def add_header(self, name: str, value: str) -> None:
        """Adds a header to the 101."""
        self._business.decide(self, headers=((_text(name), _text(value)),))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"text is wanted here, got {value!r:.80}")
    return value
