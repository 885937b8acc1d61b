"""What gateway processes and business workers say about requests that an application answers. Pure.

A request has a number, which its gateway process gives it.
"""

from __future__ import annotations

from lineman.gateway.wire.told_tls import ToldTls
from lineman.links.framing import Message

# From a gateway process to a business worker.


class CallApp(Message, tag=100):
    """A request.

    Attributes:
        body: its body, or the beginning of it.
        has_more: whether `BodyPart`s follow.
        wants_continue: whether the client holds its body back until it is told to go on.
        server: where it has come in; None where that is not known.
        tls: of its connection; None without TLS.
    """

    number: int
    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    remote_ip: str
    remote_port: int
    scheme: str
    server: tuple[str, int] | None
    body: bytes
    has_more: bool
    wants_continue: bool
    tls: ToldTls | None = None


class BodyPart(Message, tag=101):
    """More of a request's body.

    Attributes:
        is_last: whether it is whole now.
    """

    number: int
    data: bytes
    is_last: bool


class CallerGone(Message, tag=102):
    """The client of a request has gone; nothing more is sent to it."""

    number: int


class CallerRoom(Message, tag=103):
    """What was sent before an `AskCallerRoom` has left."""

    number: int


# From a business worker to a gateway process.


class AnswerHead(Message, tag=104):
    """The head of an answer.

    Attributes:
        lines: its header lines, each with its line end, without those about framing.
        length: bytes of its body; -1 where that is not known.
        closes: whether the application asks for the end of the connection.
        is_whole: whether `body` is all of it.
    """

    number: int
    status: int
    lines: bytes
    length: int
    closes: bool
    is_whole: bool = False
    body: bytes = b""


class AnswerPiece(Message, tag=105):
    """A part of an answer's body."""

    number: int
    data: bytes


class AskCallerRoom(Message, tag=106):
    """Asks for a `CallerRoom` when all that was sent has left the gateway process."""

    number: int


class AnswerEnd(Message, tag=107):
    """The answer is whole.

    Attributes:
        trailers: lines behind the body.
    """

    number: int
    trailers: bytes


class AnswerFailed(Message, tag=108):
    """The application has failed.

    Attributes:
        has_begun: whether a part of its answer was sent.
    """

    number: int
    has_begun: bool


class BodyTaken(Message, tag=109):
    """The application has taken what has come of the request's body.

    Attributes:
        goes_on: whether the client is to be told to send it.
    """

    number: int
    goes_on: bool


OfRequest = CallApp | BodyPart | CallerGone | CallerRoom
OfAnswer = AnswerHead | AnswerPiece | AskCallerRoom | AnswerEnd | AnswerFailed | BodyTaken
