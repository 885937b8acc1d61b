"""HTTP/1.1 on one connection, the server's end, pure: bytes and a clock in, requests and bytes out.

Whatever is complete in the bytes comes out one by one: a `Request`, which the program answers with
`respond` or `refuse` before the next one comes; a `Reply` to a client that waits to be told to go
on; an `HttpError`, which ends it.

Source: RFC 9112; RFC 9110, sections 9.3.2 (HEAD), 10.1.1 (Expect) and 15.5.9 (408).
"""

from __future__ import annotations

from typing import Any, Protocol

from lineman.errors import HttpError
from lineman.protocols.events import PROGRESS, Progress, Reply
from lineman.protocols.http.answer_heads import encoded_status_line, error_response
from lineman.protocols.http.http_messages import Request
from lineman.protocols.http.incoming_body import IncomingBody
from lineman.protocols.http.requests import CONTINUE, RequestParser
from lineman.protocols.http.responses import Response
from lineman.protocols.interface import Session

# Bytes of requests that are looked at in one go: a few bytes can be much work.
PIECE = 4096
_PIECE = PIECE  # as a C number

MAX_PIPELINED = 16
"""More requests than this, sent without waiting for an answer, are a 400."""

TLS_RECORD = 0x16
"""The first byte of a client that speaks TLS (RFC 8446, section 5.1)."""

BODY_RATE = 1024.0
"""Bytes of a body for which a client has another second."""
_BODY_RATE = BODY_RATE  # as a C number

TOO_LATE = "no handshake in time"
NOTHING_MORE = "no further request in time"


class HttpLimits(Protocol):
    """What a session must know of a service's limits."""

    @property
    def max_head_size(self) -> int:
        """Bytes of a request line and its headers together."""
        ...

    @property
    def max_message_size(self) -> int:
        """Bytes of a request's body."""
        ...

    @property
    def max_upload_size(self) -> int:
        """Bytes of a form whose files are written down; 0 where it is a body as any other."""
        ...

    @property
    def handshake_timeout(self) -> float:
        """Seconds that a client has for a head, and for a body beside those for its bytes."""
        ...

    @property
    def keep_alive_timeout(self) -> float:
        """Seconds after an answer within which another request must begin."""
        ...


class TlsClientError(HttpError):
    """The client speaks TLS where nobody does.

    Args:
        scheme: what it should speak.
    """

    def __init__(self, scheme: str = "ws") -> None:
        super().__init__(400, f"This port does not speak TLS: use {scheme}:// here.")


GO_ON = Reply()
"""The client sent `Expect: 100-continue` and holds its body back."""


class HttpSession(Session):
    """The requests of one connection.

    Args:
        limits: sizes and times.
        since: when its time began, in seconds on the clock of `on_time`.

    Attributes:
        request: what `next` gave and waits for its answer; nothing more comes until then.
        is_idle: whether a request was answered, and nothing of another one has come.
        is_over: whether nothing more comes: the connection ends when all that is to be sent has
            left.
        has_more: see `Session`.
        sends_body: whether the answer that was begun has a body.
        ends_by_closing: whether only the end of the connection says where that body ends.
        streams: whether a request comes out with its head, and its body is an `IncomingBody`; to
            be set before the first bytes.
    """

    __slots__ = (
        "_is_chunked",
        "_keeps",
        "_limits",
        "_parser",
        "_position",
        "_requests",
        "_since",
        "ends_by_closing",
        "is_idle",
        "is_over",
        "request",
        "sends_body",
        "streams",
    )  # fmt: skip

    def __init__(self, limits: HttpLimits, since: float) -> None:
        self._begin(limits, since)

    def _begin(self, limits: HttpLimits, since: float) -> None:
        """All of `__init__`, as a call in C."""
        self.has_more = False
        self._limits = limits
        self._since = since
        self._parser: RequestParser | None = None  # made for the first bytes
        self._requests: list[Request] = []  # that came behind one that is not answered yet
        self._position = 0  # in the bytes that are being given
        self.request: Any = None
        self.is_idle = False
        self.is_over = False
        self.sends_body = self.ends_by_closing = self._is_chunked = self._keeps = False
        self.streams = False

    # What comes.

    def next(self, data: memoryview) -> Request | Reply | HttpError | Progress | None:
        """The next of what these bytes mean; see the module, and `Session`.

        None as well as long as a request waits for its answer: then the bytes are to be kept, and
        given again after it.
        """
        if self.is_over or self.request is not None:
            self.has_more = False
            return None
        size = len(data)
        if not self._requests and self._position < size:
            error = self._feed(data)
            if error is not None:
                return self._fail(error)
        parser = self._parser
        if not self._requests and parser is not None and parser.error is not None:
            return self._fail(parser.error)
        event: Request | Reply | Progress | None = None
        if self._requests:
            request = self._requests.pop(0)
            if parser is not None and parser.error is not None:
                body = request.body
                if isinstance(body, IncomingBody) and body.is_cut:
                    return self._fail(parser.error)  # nobody has begun to answer it
            event = self.request = request
        elif parser is not None and parser.wants_continue:
            parser.wants_continue = False
            event = GO_ON
        elif self._position < size:
            event = PROGRESS
        self.has_more = self._position < size or bool(self._requests)
        if parser is not None and (parser.error is not None or parser.wants_continue):
            self.has_more = True
        if not self.has_more:
            self._position = 0
        return event

    def wake(self, now: float) -> None:
        """Begins the time of a request whose first bytes are there."""
        if self.is_idle:
            self._since = now

    def _feed(self, data: memoryview) -> HttpError | None:
        self.is_idle = False
        if self._parser is None:
            if data[0] == TLS_RECORD:
                return TlsClientError()
            limits = self._limits
            self._parser = RequestParser(
                limits.max_head_size, limits.max_message_size, limits.max_upload_size, self.streams
            )
        start = self._position
        self._position = min(start + _PIECE, len(data))
        self._requests = self._parser.feed(data[start : self._position])
        if len(self._requests) > MAX_PIPELINED:
            return HttpError(400, "Too many requests sent without waiting.")
        return None

    @property
    def has_open_body(self) -> bool:
        """Whether more may come of the body of the request that waits for its answer."""
        body = None if self.request is None else self.request.body
        return isinstance(body, IncomingBody) and body.is_open

    def take_body(self, data: bytes) -> HttpError | None:
        """Takes bytes while `has_open_body`; what follows the body waits for `next`.

        Returns:
            What is wrong with them; the request is still to be answered, as the last one.
        """
        assert self._parser is not None
        self._requests += self._parser.feed(data)
        if len(self._requests) > MAX_PIPELINED:
            self._requests = []
            self._parser.refuse(HttpError(400, "Too many requests sent without waiting."))
        return self._parser.error

    def _fail(self, error: HttpError) -> HttpError:
        self._requests = []
        self.is_over = True
        self.has_more = False
        return error

    def rest(self, data: memoryview) -> bytes:
        """What of these bytes was not taken yet; see `Session`."""
        rest = bytes(data[self._position :])
        self._position = 0
        return rest

    def unfinished(self) -> Any:
        """What has come of a body that is not whole yet; None without one."""
        return None if self._parser is None or self.is_over else self._parser.unfinished_body

    def held(self) -> int:
        """Bytes of memory that this takes."""
        body = self.unfinished()
        return 0 if body is None else body.__sizeof__()

    # What goes.

    def respond(self, response: Response, may_keep: bool, now: float) -> bytes:
        """The answer to the request, and `is_over` where it is the last one.

        Args:
            response: it.
            may_keep: whether further requests are welcome.
            now: seconds, on the clock of `on_time`: the time of the next request begins.

        Raises:
            UsageError: a header would break it; nothing has happened.
        """
        keeps = self._may_keep(may_keep)
        answer = response.encode(head_only=self.request.method == "HEAD", keep_alive=keeps)
        self._answered(keeps, now)
        return answer

    def _may_keep(self, may_keep: bool) -> bool:
        request = self.request
        if request is None:
            raise RuntimeError("defect: an answer to no request")
        parser = self._parser
        has_fault = parser is not None and parser.error is not None
        return may_keep and request.keep_alive and not has_fault and not self.has_open_body

    def _answered(self, keeps: bool, now: float) -> None:
        self.request = None
        self.is_idle = keeps and not self._requests
        self.is_over = not keeps
        self._since = now

    def begin(self, response: Response, first: Any, size: int | None, may_keep: bool) -> bytes:
        """The head of an answer whose body follows in pieces, up to `finish`.

        Args:
            response: it.
            first: the first piece, if it is known.
            size: bytes of the body; None where nobody knows.
            may_keep: see `respond`.

        Raises:
            UsageError: a header would break it; nothing has happened.
        """
        keeps = self._may_keep(may_keep)
        has_content = response.status not in (204, 304)
        is_chunked = has_content and size is None and self.request.version == "1.1"
        framing = ""
        if is_chunked:
            framing = "Transfer-Encoding: chunked\r\n"
        elif has_content and size is not None:
            framing = f"Content-Length: {size}\r\n"
        elif has_content:
            keeps = False
        head = response.head(first, framing, keeps)
        self.sends_body = has_content and self.request.method != "HEAD"
        self.ends_by_closing = self.sends_body and not framing
        self._is_chunked = is_chunked and self.sends_body
        self._keeps = keeps
        return head

    def begin_encoded(self, status: int, lines: bytes, length: int, may_keep: bool) -> bytes:
        """As `begin`, for header lines that are bytes already.

        Args:
            status: 200 to 599.
            lines: each with its line end, and none about framing.
            length: bytes of the body; -1 where nobody knows.
            may_keep: see `respond`.
        """
        request = self.request
        keeps = self._may_keep(may_keep)
        has_content = status != 204 and status != 304
        is_chunked = has_content and length < 0 and request.version == "1.1"
        framing = b""
        if is_chunked:
            framing = b"Transfer-Encoding: chunked\r\n"
        elif length >= 0 and status != 204:
            framing = b"Content-Length: %d\r\n" % length
        elif has_content:
            keeps = False
        self.sends_body = has_content and request.method != "HEAD"
        self.ends_by_closing = self.sends_body and not framing
        self._is_chunked = is_chunked and self.sends_body
        self._keeps = keeps
        connection = b"keep-alive" if keeps else b"close"
        line = encoded_status_line(status)
        return b"%b%b%bConnection: %b\r\n\r\n" % (line, lines, framing, connection)

    def piece(self, data: bytes) -> bytes:
        """A piece of the body, not empty, as it goes on the line."""
        return b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data

    def finish(self, now: float, trailers: bytes = b"") -> bytes:
        """What ends the answer that was begun, and `is_over` where it is the last one.

        Args:
            now: see `respond`.
            trailers: lines behind a body in chunks, each with its line end; left out elsewhere.
        """
        self._answered(self._keeps and not self.has_open_body, now)
        return b"0\r\n%b\r\n" % trailers if self._is_chunked else b""

    def refuse(self, error: HttpError) -> bytes:
        """An answer that ends the connection."""
        self.request = None
        self._fail(error)
        return error_response(error)

    def answer_to(self, event: Any, now: float) -> bytes | None:
        """What an event is answered with: `100 Continue`, or an error's page."""
        if event is GO_ON:
            return CONTINUE
        return self.refuse(event) if isinstance(event, HttpError) else None

    # The clock.

    def on_time(
        self, now: float, last_received: float, is_reading: bool = True
    ) -> tuple[bytes | None, str | None, float]:
        """Why the client is given up, and what it is told where it has begun to ask something.

        Bytes do not prolong its time: a head that comes byte by byte is as late as none. Those of a
        body do, by a second for each KiB.
        """
        if self.is_over:
            return None, None, 0.0
        due = self._since
        if self.is_idle:
            due += self._limits.keep_alive_timeout
        else:
            due += self._limits.handshake_timeout
            body = self.unfinished()
            if body is not None:
                due += len(body) / _BODY_RATE
        if now < due:
            return None, None, due
        if self.is_idle:
            self._fail_silently()
            return None, NOTHING_MORE, due
        has_begun = self._parser is not None or self.request is not None
        answer = self.refuse(HttpError(408, "Request Timeout")) if has_begun else None
        self._fail_silently()
        return answer, TOO_LATE, due

    def _fail_silently(self) -> None:
        self.is_over = True
        self.is_idle = False
