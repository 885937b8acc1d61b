"""Reading HTTP/1.1 requests as a websocket server meets them: handshakes and plain requests.

The parser is llhttp through httptools, in its strict mode; what is added here is what llhttp leaves
to its caller: limits, the `Host` rules, and where one request ends and the next begins.
"""

from __future__ import annotations

import re
import sys
from enum import Enum
from types import SimpleNamespace

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from lineman.errors import HttpError
from lineman.protocols.http.forms import FormBody, is_multipart
from lineman.protocols.http.http_messages import Headers, Request, has_token
from lineman.protocols.http.incoming_body import IncomingBody

__all__ = ["CONTINUE", "MAX_HEADER_LINES", "Headers", "Request", "RequestParser", "has_token"]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""What a client waits for that sent `Expect: 100-continue` (see `RequestParser.wants_continue`)."""

MAX_HEADER_LINES = 128
"""More lines than this are a 431: four bytes on the wire cost two hundred in memory."""

_END = b"\r\n\r\n"
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%!$&'()*+;=]*)(?::[0-9]*)?")
# Eight bytes of framing for each byte of body let a client send chunks of one byte; endless chunk
# extensions and trailers, which count nowhere else, end here.
_FRAMING_PER_BYTE = 8
_FRAMING_ALLOWED = 4096
# Takes the place of a parser that has done its work, so that no reference cycle outlives it.
_SPENT = HttpRequestParser(object())


class _Phase(Enum):
    """What the next byte belongs to."""

    HEAD = "head"
    COUNTED = "body of a declared length"
    CHUNKED = "body in chunks"
    DONE = "nothing: refused, upgraded or closed"


# Plain globals: looking a member up in its Enum costs more than the comparison.
_HEAD, _COUNTED, _CHUNKED, _DONE = _Phase.HEAD, _Phase.COUNTED, _Phase.CHUNKED, _Phase.DONE


class _RefusedError(Exception):
    """Stops llhttp from inside of a callback; `RequestParser.error` says why."""


class RequestParser:
    """Turns the bytes of one connection into requests.

    A request with `Upgrade` to anything but websocket (`h2c`) is an ordinary one: a server may
    ignore the wish (RFC 9110, section 7.8). After a websocket request, a fault, or a request that
    closes the connection, every further byte is ignored.

    Args:
        max_head_size: bytes of the request line and the headers together, to the empty line.
        max_body_size: bytes of one body.
        max_upload_size: bytes of a form with files, which are written down as they come; 0 where
            it is a body as any other.
        streams: whether a request comes out as soon as its head is complete, and its body, of any
            size, is an `IncomingBody`, which is filled by what is fed later.

    Attributes:
        error: None, or why the connection must be answered with an error and closed.
        rest: what followed the head of a websocket request in the same feed.
        wants_continue: after this feed, send `CONTINUE` once all returned requests are answered;
            the client holds its body back until then (RFC 9110, section 10.1.1).
    """

    __slots__ = (
        "_body", "_framing_size", "_head_size", "_is_apart", "_left", "_lines", "_most", "_parser",
        "_phase", "_request", "_requests", "_streams", "_tail", "_url", "error",
        "max_body_size", "max_head_size", "max_upload_size", "rest", "wants_continue",
    )  # fmt: skip

    def __init__(
        self,
        max_head_size: int,
        max_body_size: int,
        max_upload_size: int = 0,
        streams: bool = False,
    ) -> None:
        self._streams = streams
        self.max_head_size = max_head_size
        self.max_body_size = self._most = max_body_size
        self.max_upload_size = max_upload_size
        self.error: HttpError | None = None
        self.rest = b""
        self.wants_continue = False
        self._parser = HttpRequestParser(self)
        self._phase = _HEAD
        self._head_size = 0
        self._tail = b""
        self._url = b""
        self._lines: list[tuple[bytes, bytes]] = []
        self._request: Request | None = None
        self._requests: list[Request] = []
        self._body: bytearray | FormBody | IncomingBody = bytearray()
        self._left = 0
        self._framing_size = 0
        self._is_apart = False

    @property
    def unfinished_body(self) -> bytearray | FormBody | None:
        """What has come of a body that is not whole yet; None where none is on its way, or it is
        handed on as it comes."""
        if isinstance(self._body, IncomingBody):
            return None
        return self._body if self._phase is _COUNTED or self._phase is _CHUNKED else None

    def feed(self, data: bytes | bytearray | memoryview) -> list[Request]:
        """Parse what arrived.

        Args:
            data: the next bytes of the connection; not kept.

        Returns:
            The requests that became complete, in order; also those before a fault in the same
            bytes. Look at `error` after they are answered.
        """
        if self._phase is _DONE:
            return []
        if type(data) is not bytes:
            data = bytes(data)
        self.wants_continue = False
        self._requests = []
        position, size = 0, len(data)
        goes_on = True
        while goes_on and position < size:
            # A piece never holds bytes of two requests: llhttp does not tell where one ends.
            piece = self._piece(data, position)
            position += len(piece)
            goes_on = self._execute(piece)
        requests = self._requests
        self._requests = []
        if not goes_on:
            self._parser = _SPENT
            if requests and requests[-1].upgrade:
                self.rest = data[position:]
        return requests

    def _piece(self, data: bytes, start: int) -> bytes:
        if self._phase is _COUNTED:
            return data[start : start + self._left]
        end = self._end_of_lines(data, start)
        if self._phase is _HEAD:
            end = min(end, start + self.max_head_size - self._head_size)
            self._head_size += end - start
        else:
            self._framing_size += end - start  # `on_body` takes off what was body
        return data[start:end]

    def _end_of_lines(self, data: bytes, start: int) -> int:
        """After the next empty line: a head and a chunked body end there, strictly with CRLF."""
        tail = self._tail
        self._tail = b""
        if tail:
            # The empty line may have begun in the bytes before.
            found = (tail + data[start : start + 3]).find(_END)
            if found >= 0:
                return start + found + 4 - len(tail)
        found = data.find(_END, start)
        if found >= 0:
            return found + 4
        self._tail = (tail + data[max(start, len(data) - 3) :])[-3:]
        return len(data)

    def _execute(self, piece: bytes) -> bool:
        """Parse a piece; False where no byte after it is HTTP."""
        try:
            self._parser.feed_data(piece)
        except HttpParserUpgrade:
            # `on_headers_complete` has seen it coming. Its offset is the length of the piece.
            pass
        except HttpParserError as error:
            self._end()
            if self.error is None:
                if isinstance(error, HttpParserCallbackError):  # a mistake of ours: never hide it
                    raise
                self.error = _syntax_error(self._parser, str(error))
        if self._phase is _HEAD and self._head_size >= self.max_head_size:
            self._fail(
                HttpError(
                    431,
                    f"the request line and headers are longer than {self.max_head_size} bytes;"
                    " send fewer or smaller cookies and headers",
                )
            )
        elif (
            self._phase is _CHUNKED
            and self._framing_size > _FRAMING_ALLOWED + _FRAMING_PER_BYTE * len(self._body)
        ):
            self._fail(HttpError(413, "the chunked body is mostly framing; send larger chunks"))
        return self._phase is not _DONE

    def refuse(self, error: HttpError) -> None:
        """Takes nothing more: the caller has found what is wrong."""
        self._fail(error)

    def _fail(self, error: HttpError) -> None:
        self.error = error
        self._end()

    def _end(self) -> None:
        self._phase = _DONE
        if isinstance(self._body, IncomingBody):
            self._body.end()

    # What llhttp calls, in this order. An exception stops it.

    def on_url(self, url: bytes) -> None:
        """A part of the request target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line, or one trailer line, which is not kept (RFC 9110, section 6.5.1)."""
        if self._phase is not _HEAD:
            return
        lines = self._lines
        lines.append((name, value))
        if len(lines) > MAX_HEADER_LINES:
            self._fail(HttpError(431, f"more than {MAX_HEADER_LINES} header lines; send fewer"))
            raise _RefusedError

    def on_headers_complete(self) -> None:
        """The head is complete: what kind of body follows, and is it allowed to."""
        parser = self._parser
        method = parser.get_method().decode("latin-1")
        version = parser.get_http_version()
        headers = Headers(
            # llhttp leaves blanks at the end of a value.
            [(a.decode("latin-1"), b.decode("latin-1").rstrip(" \t")) for a, b in self._lines],
            encoded=self._lines,
        )
        target = self._url.decode("latin-1")
        fault = _fault(method, target, version, headers)
        if fault is not None:
            self._fail(fault)
            raise _RefusedError
        asks_upgrade = parser.should_upgrade()
        is_websocket = asks_upgrade and has_token(headers, "upgrade", "websocket")
        keep_alive = not is_websocket and parser.should_keep_alive()
        self._request = Request(method, target, version, headers, b"", is_websocket, keep_alive)
        if "content-length" in headers or "transfer-encoding" in headers:
            self._expect_body(headers, version, is_websocket)
            if asks_upgrade:
                self._read_body_apart(headers)

    def _expect_body(self, headers: Headers, version: str, is_websocket: bool) -> None:
        coding = headers.get("transfer-encoding")
        self._left = int(headers.get("content-length") or 0)
        content_type = headers.get("content-type")
        is_upload = self.max_upload_size > 0 and is_multipart(content_type)
        is_upload = is_upload and not self._streams
        self._most = self.max_upload_size if is_upload else self.max_body_size
        if self._streams:
            self._most = sys.maxsize
        fault = None
        if is_websocket and (coding is not None or self._left):
            # Its bytes would be taken for frames here and for a body by a proxy.
            fault = HttpError(400, "a websocket handshake has no body")
        elif coding is not None and version != "1.1":
            fault = HttpError(400, "Transfer-Encoding is not allowed in HTTP/1.0")
        elif coding is not None and coding.lower() != "chunked":
            fault = HttpError(501, "of transfer codings only chunked is understood here")
        elif self._left > self._most:
            fault = self._too_big()
        if fault is not None:
            self._fail(fault)
            raise _RefusedError
        if coding is None and not self._left:
            return
        self._body = IncomingBody() if self._streams else bytearray()
        if is_upload and content_type is not None:
            try:
                self._body = FormBody(content_type)
            except HttpError as error:
                self._fail(error)
                raise _RefusedError from None
        self._framing_size = 0
        self._tail = b""
        self._phase = _COUNTED if coding is None else _CHUNKED
        expects = headers.get("expect")
        self.wants_continue = expects is not None and version == "1.1"
        if isinstance(self._body, IncomingBody):
            self._body.wants_continue, self.wants_continue = self.wants_continue, False
            assert self._request is not None
            self._request.body = self._body  # type: ignore[assignment]  # see `streams`
            self._requests.append(self._request)

    def _read_body_apart(self, headers: Headers) -> None:
        """Let a second parser read the body of a request whose `Upgrade` is ignored.

        llhttp takes such a request for finished and the line for no longer HTTP; without this a
        body behind `Upgrade: h2c` (Java's HttpClient sends it) would be read as a request.
        """
        if self._phase is _HEAD:
            return
        framing = "Transfer-Encoding: chunked"
        if self._phase is _COUNTED:
            framing = f"Content-Length: {self._left}"
        ahead = self._parser
        self._is_apart = True

        def finish() -> None:
            self._parser = ahead
            self._is_apart = False
            self._complete()

        body = SimpleNamespace(on_body=self.on_body, on_message_complete=finish)
        self._parser = HttpRequestParser(body)
        self._parser.feed_data(f"POST / HTTP/1.1\r\n{framing}\r\n\r\n".encode())

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self.wants_continue = False
        self._left -= len(data)
        self._framing_size -= len(data)
        if len(self._body) + len(data) > self._most:
            self._fail(self._too_big())
            raise _RefusedError
        try:
            self._body.extend(data)
        except HttpError as error:
            self._fail(error)
            raise _RefusedError from None

    def on_message_complete(self) -> None:
        """The request is complete, unless its body is read apart."""
        if not self._is_apart:
            self._complete()

    def _complete(self) -> None:
        request = self._request
        assert request is not None
        is_out = False  # with its head
        if self._phase is not _HEAD:
            body, self._body = self._body, bytearray()
            if isinstance(body, FormBody):
                try:
                    request.use_form(body.finish())
                except HttpError as error:
                    self._fail(error)
                    raise _RefusedError from None
            elif isinstance(body, IncomingBody):
                body.is_whole = is_out = True
            else:
                request.body = bytes(body)
        if not is_out:
            self._requests.append(request)
        self._request = None
        self._lines = []
        self._url = b""
        self._head_size = 0
        self._tail = b""
        self._phase = _HEAD if request.keep_alive else _DONE

    def _too_big(self) -> HttpError:
        return HttpError(413, f"the request body is larger than {self._most} bytes")


def _syntax_error(parser: HttpRequestParser, found: str) -> HttpError:
    if parser.get_method() == b"PRI" and parser.get_http_version() == "2.0":
        return HttpError(400, "HTTP/2 is not spoken here; use HTTP/1.1")
    return HttpError(400, f"not an HTTP/1.1 request: {found}")


def _fault(method: str, target: str, version: str, headers: Headers) -> HttpError | None:
    """What llhttp lets pass and RFC 9112 (sections 2.3, 3 and 3.2) does not."""
    if version not in ("1.1", "1.0"):
        return HttpError(505, f"HTTP/{version} is not spoken here; use HTTP/1.1")
    if method == "CONNECT":
        return HttpError(405, "CONNECT is not allowed: this is not a proxy", (("Allow", "GET"),))
    if not target.isascii() or "#" in target:
        return HttpError(400, "the request target has a fragment or bytes that are not ASCII")
    hosts = headers.get_all("host")
    if len(hosts) > 1:
        return HttpError(400, f"{len(hosts)} Host headers; send exactly one")
    if not hosts and version == "1.1":
        return HttpError(400, "the Host header is missing; HTTP/1.1 demands it")
    if hosts and _HOST.fullmatch(hosts[0]) is None:
        return HttpError(400, "the Host header is not a host name or address with an optional port")
    expects = headers.get("expect")
    if expects is not None and expects.lower() != "100-continue":
        return HttpError(417, "of expectations only 100-continue is understood here")
    return None
