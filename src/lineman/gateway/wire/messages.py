"""What gateway processes, business workers and nodes say to each other. Pure.

How they lie in bytes: see `framing.py`. `str` payloads are text messages, `bytes` binary ones.
A client is called by its number where one gateway process and one of its business workers speak,
and by its id everywhere else. What clients say and hear, and that it was handled, goes beside
these: see `records.py`.
"""

from __future__ import annotations

from typing import Any

from lineman.errors import NotReachedError, RefusedError
from lineman.links.framing import Message, WireFormat

VERSION = 3

# `str` or `bytes`; a decoder cannot accept either, so the sender of the next message checks.
Payload = Any


# Orders: what a program wants done with clients, wherever they are.


class Send(Message, tag=1):
    """Sends one message; a client that is named in several ways gets it once.

    Attributes:
        data: `str` as text, `bytes` as binary.
        clients: ids.
        uids: users.
        groups: groups.
        is_to_all: everybody; the three above are empty then.
        exclude: ids of clients that do not get it.
    """

    data: Payload
    clients: tuple[str, ...] = ()
    uids: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    is_to_all: bool = False
    exclude: tuple[str, ...] = ()


class CloseClient(Message, tag=2):
    """Closes a client's connection, after a last message where there is one."""

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
        is_update: whether what is not named stays.
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


# What is known of a client changes by these.
Change = Bind | Join | Leave | SetSession
End = CloseClient | DestroyClient
Order = Send | End | Change | Ungroup | PublishToGroup | Deliver


# Questions.


class LinkQuestion(Message, tag=10):
    """A question to all nodes, or to those that hold a name.

    Attributes:
        number: comes back with the answer.
        what: name of the question, see `questions.py`.
        names: clients, uids or groups that it is about.
    """

    number: int
    what: str
    names: tuple[str, ...] = ()


class LinkAnswer(Message, tag=11):
    """The answer to a `LinkQuestion`.

    Attributes:
        error: why there is no answer, as text; empty if there is one.
        is_unanswered: whether the process that could know was not reached.
    """

    number: int
    value: Any = None
    error: str = ""
    is_unanswered: bool = False

    def to_error(self) -> NotReachedError | RefusedError:
        """What is raised where the question was asked, in place of an answer."""
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
    """A client that this worker is to serve from now on, before the first event of it.

    Attributes:
        number: of the client in this gateway process.
        client: its id.
        request: path, query string and headers of its handshake.
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


class HandshakeRequest(Message, tag=21):
    """The client wants to open a websocket; the worker answers with a `Decision`."""

    number: int


class Opened(Message, tag=22):
    """The client is there."""

    number: int


class Closed(Message, tag=24):
    """The client is gone; its number is free after this."""

    number: int
    code: int
    reason: str


class Forget(Message, tag=25):
    """Another worker serves the client now; its number means nothing any more."""

    number: int


class Changed(Message, tag=26):
    """Somebody else changed what is known of the client; `applied` of its worker's orders count."""

    number: int
    uid: str | None
    groups: tuple[str, ...]
    session: bytes
    applied: int


class Retired(Message, tag=27):
    """The worker that retires has done with all that it had; the link may end."""


class UserEvent(Message, tag=28):
    """A user has come online anywhere, or gone offline everywhere."""

    uid: str
    is_online: bool


# What happens to a client; `str` and `bytes` are messages that it has sent.
Event = HandshakeRequest | Opened | Closed | str | bytes


# From a business worker, or a program that pushes, to a gateway process.


class Hello(Message, tag=30):
    """The first message on a link, of either side.

    Attributes:
        version: of this protocol.
        node: of a gateway process; empty for others.
        slot: of a business worker; -1 for a program that only pushes.
        pid: for the log.
    """

    version: int
    node: str = ""
    slot: int = -1
    pid: int = 0


class Decision(Message, tag=33):
    """Whether a client may open its websocket.

    Attributes:
        status: 0 to let it in, else the HTTP status that refuses it.
        body: words for the one refused.
        subprotocol: the one that was chosen, empty for none.
        headers: for the 101.
    """

    number: int
    status: int = 0
    body: str = ""
    subprotocol: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Retire(Message, tag=34):
    """The worker takes no new events; it finishes those that it has."""


class LinkPing(Message, tag=29):
    """Asks a business worker whether its event loop turns; at once it says `LinkPong`."""


class LinkPong(Message, tag=36):
    """It does."""


class Leaving(Message, tag=37):
    """The gateway process ends in order: the end of the link is nothing to be told of."""


class Refresh(Message, tag=35):
    """What the worker was told of a client crossed its own orders: it asks to be told again."""

    number: int


ToBusiness = (
    Hello
    | IntroduceClient
    | HandshakeRequest
    | Opened
    | Closed
    | Forget
    | Changed
    | Retired
    | UserEvent
    | LinkPing
    | Leaving
    | LinkAnswer
)
ToGateway = Hello | Decision | Retire | Refresh | LinkPong | Order | LinkQuestion


TO_BUSINESS = WireFormat(ToBusiness)
TO_GATEWAY = WireFormat(ToGateway)
