"""The messages between gateway processes and business workers, and those for all nodes. Pure.

`framing.py` encodes them. `str` payloads are text messages, `bytes` binary ones. Between a gateway
process and its business workers a client is called by its number, everywhere else by its id. The
messages of clients, and reports that they were handled, are not among these: they are records, see
`records.py`.
"""

from __future__ import annotations

from typing import Any

from lineman.errors import NotReachedError, RefusedError
from lineman.gateway.wire import versions
from lineman.gateway.wire.request_messages import OfAnswer, OfRequest
from lineman.gateway.wire.timer_messages import TimerDone, TimerDue, TimerOrder, TimersFull
from lineman.gateway.wire.told_tls import ToldTls
from lineman.links.framing import Message, WireFormat

# `str` or `bytes`: the decoder cannot check this, so the code that sends it on does.
Payload = Any


# Orders of a program about clients on any node.


class Send(Message, tag=1):
    """Sends one message; a client that is named in several ways gets it once.

    Attributes:
        data: `str` as text, `bytes` as binary.
        clients: ids of clients that get it.
        uids: users whose clients get it.
        groups: groups whose members get it.
        is_to_all: whether all clients get it; then the three above are empty.
        exclude: ids of clients that do not get it.
    """

    data: Payload
    clients: tuple[str, ...] = ()
    uids: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    is_to_all: bool = False
    exclude: tuple[str, ...] = ()


class CloseClient(Message, tag=2):
    """Closes a client's connection, after a last message if there is one."""

    client: str
    data: Payload | None = None
    code: int = 1000
    reason: str = ""


class DestroyClient(Message, tag=12):
    """Drops a client's connection at once, without a close frame."""

    client: str


class Bind(Message, tag=3):
    """Sets a client's uid; without a uid, removes it."""

    client: str
    uid: str | None = None


class Join(Message, tag=4):
    """Puts a client into a group."""

    client: str
    group: str


class Leave(Message, tag=5):
    """Takes a client out of a group."""

    client: str
    group: str


class Ungroup(Message, tag=6):
    """Dissolves a group."""

    group: str


class SetSession(Message, tag=7):
    """Replaces a client's session, or adds to it.

    Attributes:
        session: a dictionary in MessagePack.
        is_update: whether other values of the session stay.
    """

    client: str
    session: bytes
    is_update: bool = False


class PublishToGroup(Message, tag=8):
    """Sends a message to a group and keeps it in the group's history."""

    data: Payload
    group: str


class Deliver(Message, tag=9):
    """A message with its place in its group's history, from the group's home to the members."""

    data: Payload
    group: str
    epoch: str
    offset: int


# The orders that change a client's uid, groups or session.
Change = Bind | Join | Leave | SetSession
End = CloseClient | DestroyClient
Order = Send | End | Change | Ungroup | PublishToGroup | Deliver


# Questions.


class LinkQuestion(Message, tag=10):
    """A question to all nodes, or to those that hold a name.

    Attributes:
        number: the question's number, which the answer repeats.
        what: the name of the question, see `questions.py`.
        names: the clients, uids or groups that it is about.
    """

    number: int
    what: str
    names: tuple[str, ...] = ()


class LinkAnswer(Message, tag=11):
    """The answer to a `LinkQuestion`.

    Attributes:
        error: the reason why there is no answer; empty if there is one.
        is_unanswered: whether the process that could answer was not reached.
        missing: who took no part in it: gateway processes, or `BROKER`.
    """

    number: int
    value: Any = None
    error: str = ""
    is_unanswered: bool = False
    missing: tuple[str, ...] = ()

    def to_error(self) -> NotReachedError | RefusedError:
        """The exception that the asker gets in place of an answer."""
        if self.is_unanswered:
            fix = "see that every gateway process runs, and reaches the broker; then ask again"
            return NotReachedError(self.error, fix)
        return RefusedError(
            f"a question was refused: {self.error}",
            "look at the gateway process' log; see that both sides run the same version of Lineman",
        )

    def in_place(self, problem: str) -> Message:
        """If no frame can carry an answer, the caller gets the reason instead."""
        return LinkAnswer(self.number, error=f"the answer cannot be sent: {problem}"[:500])


# From a gateway process to a business worker.


class IntroduceClient(Message, tag=20):
    """Introduces a client that this worker serves from now on, before the client's first event.

    Attributes:
        number: the client's number in this gateway process.
        client: the client's id.
        target: path and query string of its handshake; empty if its protocol has no handshake.
        headers: those of its handshake.
        protocol: the protocol that it speaks, as `Address.protocol` names it.
        listen_address: the address of the gateway at which it has come, as the program writes it.
        scheme: `http` or `https`, as its handshake has come; empty without one.
        server: where it has come in, for applications; None for programs.
        tls: of its connection, for applications; None for programs, and without TLS.
    """

    number: int
    client: str
    remote_ip: str
    remote_port: int
    target: str
    headers: tuple[tuple[str, str], ...]
    uid: str | None
    groups: tuple[str, ...]
    session: bytes
    applied: int
    protocol: str = "ws"
    listen_address: str = ""
    scheme: str = ""
    server: tuple[str, int] | None = None
    tls: ToldTls | None = None


class HandshakeRequest(Message, tag=21):
    """The client wants to open a websocket; the worker answers with a `Decision`."""

    number: int


class Opened(Message, tag=22):
    """The client is connected: a websocket has done its handshake."""

    number: int


class Resumed(Message, tag=23):
    """The client is connected, and was served by another worker until now."""

    number: int


class Closed(Message, tag=24):
    """The client is gone; its number is no longer valid after this."""

    number: int
    code: int
    reason: str


class Forget(Message, tag=25):
    """The worker no longer serves the client; the client's number is no longer valid."""

    number: int


class Changed(Message, tag=26):
    """The client has changed; `applied` of its worker's orders are contained in this state."""

    number: int
    uid: str | None
    groups: tuple[str, ...]
    session: bytes
    applied: int


class HasRoom(Message, tag=31):
    """All that was sent to the client before an `AskRoom` has left."""

    number: int


class Retired(Message, tag=27):
    """The retiring worker gets no more events, and has handled them unless it keeps its clients."""


class UserEvent(Message, tag=28):
    """A user has come online anywhere, or gone offline everywhere.

    Attributes:
        number: a `NewsDone` with it is expected; 0 for none, as from a version before 7.
    """

    uid: str
    is_online: bool
    number: int = 0


class HistoryGap(Message, tag=80):
    """Members of a group may have missed messages; an equal epoch still has them.

    Attributes:
        old_epoch: the epoch that the members know.
        new_epoch: the epoch now.
        number: see `UserEvent`.
    """

    group: str
    old_epoch: str
    new_epoch: str
    number: int = 0


class NewsDone(Message, tag=82):
    """A business worker has handled a `UserEvent` or a `HistoryGap`."""

    number: int


# The events of a client; `str` and `bytes` are messages that it has sent.
Event = HandshakeRequest | Opened | Resumed | Closed | str | bytes


# From a business worker, or a program that pushes, to a gateway process.


class Hello(Message, tag=30):
    """The first message on a link, from either side.

    Attributes:
        version: the oldest version of the wire that this side understands, see `versions.py`.
        node: the name of a gateway process; empty for others.
        slot: the slot of a business worker; -1 for a program that only pushes.
        pid: the process id, for the log.
        newest: the newest version that this side speaks; version 4 does not say it.
    """

    version: int
    node: str = ""
    slot: int = -1
    pid: int = 0
    newest: int = 0

    @property
    def versions(self) -> versions.WireVersions:
        """The versions that this side understands."""
        return versions.of_peer(self.version, self.newest)


def new_hello(pid: int, node: str = "", slot: int = -1) -> Hello:
    """The `Hello` of this process."""
    return Hello(versions.own.oldest, node, slot, pid, versions.own.newest)


class Decision(Message, tag=33):
    """Whether a client may open its websocket.

    Attributes:
        status: 0 to let it in, else the HTTP status of the refusal.
        body: the text of the refusal.
        subprotocol: the chosen subprotocol; empty for none.
        headers: further headers of the 101.
        answer: the whole refusal as it goes on the line; empty to make one of `body`.
    """

    number: int
    status: int = 0
    body: str = ""
    subprotocol: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    answer: bytes = b""


class Retire(Message, tag=34):
    """The worker takes no new events; it finishes those that it has."""


class LetGo(Message, tag=38):
    """A retiring worker has finished with clients; their next events are for other workers.

    Events of them that it has not acknowledged were not handled.
    """

    numbers: tuple[int, ...]


class AskRoom(Message, tag=39):
    """Asks for a `HasRoom` when all that was sent to a client has left the gateway process."""

    number: int


class LinkPing(Message, tag=29):
    """Asks a business worker whether its event loop runs; it answers at once with `LinkPong`."""


class LinkPong(Message, tag=36):
    """The answer to `LinkPing`."""


class Leaving(Message, tag=37):
    """The gateway process stops normally: the end of the link is not logged."""


class LinkConfirm(Message, tag=38):
    """What the other end has said so far was handled, and sent to where it belongs.

    Attributes:
        handled: the bytes of it, counted from the beginning of the link.
    """

    handled: int


class Refresh(Message, tag=35):
    """The worker asks for a client's state again: a `Changed` crossed its own orders."""

    number: int


ToBusiness = (
    Hello
    | IntroduceClient
    | HandshakeRequest
    | Opened
    | Resumed
    | OfRequest
    | Closed
    | Forget
    | Changed
    | HasRoom
    | Retired
    | UserEvent
    | HistoryGap
    | LinkPing
    | Leaving
    | LinkConfirm
    | LinkAnswer
    | TimerDue
    | TimersFull
)
ToGateway = (
    Hello
    | Decision
    | Retire
    | LetGo
    | AskRoom
    | OfAnswer
    | Refresh
    | LinkPong
    | NewsDone
    | Order
    | LinkQuestion
    | TimerOrder
    | TimerDone
)


TO_BUSINESS = WireFormat(ToBusiness)
TO_GATEWAY = WireFormat(ToGateway)
