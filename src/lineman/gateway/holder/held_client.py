"""A client as its gateway process knows it."""

from __future__ import annotations

from collections import deque

from lineman.base.address import without_tls
from lineman.gateway.holder.registry import Member
from lineman.gateway.wire import told_tls
from lineman.gateway.wire.messages import Change, Event, IntroduceClient
from lineman.links.framing import encode_value
from lineman.links.link import Link
from lineman.net.connection.connection import Connection
from lineman.net.loop import syscalls

EMPTY_SESSION = encode_value({})


class HeldClient(Member):
    """One connected client.

    Attributes:
        id: its name for the program, on every node.
        connection: its connection.
        number: its name between this process and its business workers; never used again.
        session: the program's dictionary, in MessagePack.
        link: to the business worker that serves it; None while it has none.
        unacknowledged: the events that its worker has, but has not handled, the oldest first.
        unacknowledged_size: their size in bytes.
        waiting: the events that no worker has; None for none.
        waits_since: when the first of these began to wait, by the event loop's clock.
        is_paused: whether its socket is not read because events wait.
        applied: how many orders about it have come from its worker and earlier workers.
        early: orders about it that wait until it is let in; None if its handshake asks no worker.
        deaths: how many workers in a row have died with an event of it.
        is_gone: whether the connection is over; the record stays until a worker knows it.
    """

    __slots__ = (
        "applied",
        "connection",
        "deaths",
        "early",
        "id",
        "is_gone",
        "is_paused",
        "link",
        "number",
        "session",
        "unacknowledged",
        "unacknowledged_size",
        "waiting",
        "waits_since",
    )

    def __init__(self, client_id: str, connection: Connection) -> None:
        super().__init__()
        self.id = client_id
        self.connection = connection
        self.number = connection.id
        self.session = EMPTY_SESSION
        self.link: Link | None = None
        self.unacknowledged: list[Event] | None = None
        self.unacknowledged_size = 0
        self.waiting: deque[Event] | None = None
        self.waits_since = 0.0
        self.is_paused = False
        self.applied = 0
        self.deaths = 0
        self.early: list[Change] | None = None
        self.is_gone = False

    def __repr__(self) -> str:
        return f"<HeldClient {self.id} {self.connection!r}>"

    def introduction(self, *, is_for_app: bool = False) -> IntroduceClient:
        """The message that a business worker gets before the client's first event.

        Args:
            is_for_app: whether it says where the client has come in, and by which TLS.
        """
        connection = self.connection
        request, endpoint = connection.request, connection.endpoint
        return IntroduceClient(
            number=self.number,
            client=self.id,
            remote_ip=connection.remote_ip,
            remote_port=connection.remote_port,
            target="" if request is None else request.target,
            headers=() if request is None else tuple(request.headers.items()),
            uid=self.uid,
            groups=tuple(self.groups or ()),
            session=self.session,
            applied=self.applied,
            protocol=without_tls(endpoint.scheme),
            listen_address=endpoint.address,
            scheme="" if request is None else request.scheme,
            server=_server(connection) if is_for_app else None,
            tls=told_tls.tell(connection.tls) if is_for_app else None,
        )


def _server(connection: Connection) -> tuple[str, int] | None:
    try:
        return syscalls.local_address(connection.fd)
    except OSError:
        return None
