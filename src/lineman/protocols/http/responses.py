"""The answer to a plain request: whole, piece by piece, or a file."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from typing import Any

from lineman.errors import UsageError
from lineman.protocols.http.answer_heads import encode_headers, status_line
from lineman.protocols.http.event_stream import MEDIA_TYPE, ServerSentEvent
from lineman.protocols.http.set_cookie import cookie_line

# Lineman frames the message itself: a second opinion in the head is request smuggling's cousin.
_FRAMING = frozenset({"content-length", "connection", "transfer-encoding", "keep-alive", "upgrade"})
# An event must not wait in a cache, nor in the buffer of nginx.
_EVENTS = (("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no"))


class Response:
    """The answer to a plain HTTP request.

    Args:
        body: text (sent as UTF-8) or bytes; or a generator of them or of `ServerSentEvent`s, plain
            or `async`, which is sent as it goes, no faster than its client reads.
        status: 200 to 599.
        content_type: None means `text/plain; charset=utf-8` for text, `text/event-stream` for
            events, what the name of a file says, and `application/octet-stream` for bytes. The
            head of a generator's answer leaves at once if it is given, else with the first piece.
        headers: further headers, as a mapping or as pairs.
        file: the path of a file, in place of a body. Ranges and conditional requests are
            answered; where there is no such file, the answer is 404.
        root: the directory that `file` must be in, also after symbolic links are followed; then a
            leading `/` of `file` means this directory, so that it may be `request.path`.

    Raises:
        UsageError: the body is of another type, the status is none, a header would break the
            message (a line break in a value), or it is one that lineman writes itself
            (`Content-Length`, `Connection`).
    """

    __slots__ = ("body", "file", "has_type", "headers", "root", "status")

    def __init__(
        self,
        body: str | bytes | Iterable[Any] | AsyncIterable[Any] = "",
        status: int = 200,
        content_type: str | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        *,
        file: str | os.PathLike[str] | None = None,
        root: str | os.PathLike[str] | None = None,
    ) -> None:
        if not (isinstance(status, int) and 200 <= status <= 599):
            raise UsageError(f"a response status is a number from 200 to 599, not {status!r}")
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers or ())
        self.has_type = content_type is not None or any(
            isinstance(name, str) and name.lower() == "content-type" for name, _ in pairs
        )
        self.file: str | os.PathLike[str] | None = None
        if file is not None or root is not None:
            self._take_file(file, body, status)
        elif isinstance(body, str):
            content_type = content_type or self._default("text/plain; charset=utf-8")
            body = body.encode()
        elif isinstance(body, bytes):
            content_type = content_type or self._default("application/octet-stream")
        elif not is_pieces(body):
            raise UsageError(
                f"a response body is str, bytes or a generator, not {type(body).__name__}"
            )
        if content_type is not None:
            pairs.insert(0, ("Content-Type", content_type))
        self.body = body
        self.root = root
        self.status = int(status)
        self.headers = pairs
        encode_headers(pairs, _FRAMING)

    def _default(self, content_type: str) -> str | None:
        return None if self.has_type else content_type

    def _take_file(self, file: Any, body: Any, status: int) -> None:
        if not isinstance(file, (str, os.PathLike)) or isinstance(os.fspath(file), bytes):
            raise UsageError(f"file is {file!r}; give the path of a file")
        if body != "":
            raise UsageError("a response has a body and a file; give one of the two")
        if status != 200:
            raise UsageError(
                f"the response of a file has the status {status}; leave it out: the client's "
                "conditions and ranges decide between 200, 206, 304, 412 and 416"
            )
        self.file = file

    @property
    def is_whole(self) -> bool:
        """Whether it can be sent at once."""
        return self.file is None and isinstance(self.body, bytes)

    def check_body(self) -> None:
        """Makes bytes of a text that was set as the body later.

        Raises:
            UsageError: something else was set that cannot be sent.
        """
        if isinstance(self.body, str):
            self.body = self.body.encode()
        elif not isinstance(self.body, bytes) and not is_pieces(self.body):
            raise UsageError(
                f"a response body is str, bytes or a generator, not {type(self.body).__name__}"
            )

    def set_cookie(
        self,
        name: str,
        value: str = "",
        *,
        max_age: int | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        http_only: bool = True,
        same_site: str | None = "Lax",
    ) -> None:
        """Has the client keep a cookie and send it with later requests.

        Args:
            name: a token.
            value: printable ASCII without spaces, quotes, commas, semicolons and backslashes;
                encode others, such as by `urllib.parse.quote`.
            max_age: seconds until the client forgets it; 0: now; None: when the browser ends.
            path: where it is sent to; None: the path of the request and what is below.
            domain: the host, with all hosts below it; None: this host alone.
            secure: whether it is sent over TLS only.
            http_only: whether scripts of pages cannot read it.
            same_site: `Lax`, `Strict` or `None`: whether it is sent with requests that come from
                another site's page. Browsers demand `secure` for `"None"`.

        Raises:
            UsageError: something here cannot be in a cookie.
        """
        line = cookie_line(
            name, value, max_age, path, domain, secure, http_only, same_site
        )  # fmt: skip
        self.headers.append(("Set-Cookie", line))

    def delete_cookie(
        self, name: str, *, path: str | None = "/", domain: str | None = None
    ) -> None:
        """Has the client forget a cookie that was set with the same path and domain.

        Raises:
            UsageError: as `set_cookie`.
        """
        self.set_cookie(name, max_age=0, path=path, domain=domain, same_site=None)

    def encode(self, *, head_only: bool = False, keep_alive: bool = True) -> bytes:
        """A whole response as it goes on the line.

        Args:
            head_only: leave the body out but say its length: the answer to HEAD.
            keep_alive: False announces that the line is closed after it.

        Raises:
            UsageError: a header that was set after construction would break the message.
        """
        body: bytes = self.body  # type: ignore[assignment]
        lines = encode_headers(self.headers, _FRAMING)
        has_body = self.status not in (204, 304)
        length = f"Content-Length: {len(body)}\r\n" if has_body else ""
        connection = "keep-alive" if keep_alive else "close"
        head = f"{status_line(self.status)}{lines}{length}Connection: {connection}\r\n\r\n"
        return head.encode("latin-1") + (body if has_body and not head_only else b"")

    def head(self, first: Any, framing: str, keep_alive: bool) -> bytes:
        """The head of a response whose body follows in pieces.

        Args:
            first: the first piece, which tells the type where the program does not.
            framing: the header that says where the body ends, with its line end; empty where the
                end of the connection says it.
            keep_alive: as for `encode`.

        Raises:
            UsageError: as `encode`.
        """
        pairs = list(self.headers)
        if not self.has_type:
            pairs.append(("Content-Type", _type_of(first)))
        if self.is_events(first):
            given = {name.lower() for name, _ in pairs}
            pairs += [pair for pair in _EVENTS if pair[0].lower() not in given]
        lines = encode_headers(pairs, _FRAMING)
        connection = "keep-alive" if keep_alive else "close"
        return (
            f"{status_line(self.status)}{lines}{framing}Connection: {connection}\r\n\r\n"
        ).encode("latin-1")

    def is_events(self, first: Any = None) -> bool:
        """Whether server-sent events follow.

        Args:
            first: the first piece, if it is known.
        """
        if not self.has_type:
            return isinstance(first, ServerSentEvent)
        return any(
            name.lower() == "content-type" and value.lower().startswith(MEDIA_TYPE)
            for name, value in self.headers
        )


class EventStream(Response):
    """The answer that opens a stream of events, which the program sends as it sends messages.

    The connection is open from then on: `on_connect` gets it, `connection.send(event)` and
    `worker.broadcast(event)` take a `ServerSentEvent` or a text, and `on_close` tells its end.

    Args:
        headers: further headers, as a mapping or as pairs.

    Raises:
        UsageError: as `Response`.
    """

    __slots__ = ()

    def __init__(
        self, headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None
    ) -> None:
        super().__init__("", content_type=f"{MEDIA_TYPE}; charset=utf-8", headers=headers)


def is_pieces(body: object) -> bool:
    """Whether it gives one piece after the other; a list of them is more likely a mistake."""
    return isinstance(body, (AsyncIterable, Iterator))


def piece_of(item: object) -> bytes:
    """A piece of a body as bytes.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, ServerSentEvent):
        return item.encode()
    if isinstance(item, (bytearray, memoryview)):
        return bytes(item)
    raise UsageError(
        f"a piece of a response body is str, bytes or ServerSentEvent, not {type(item).__name__}"
    )


def _type_of(first: object) -> str:
    if isinstance(first, ServerSentEvent):
        return MEDIA_TYPE
    return "text/plain; charset=utf-8" if isinstance(first, str) else "application/octet-stream"


def response_to(result: object) -> Response:
    """What `on_request` returned, as a response.

    Raises:
        UsageError: it is something else.
    """
    if result is None:
        return Response("Not Found\n", status=404)
    if isinstance(result, (str, bytes)):
        return Response(result)
    if isinstance(result, Response):
        result.check_body()
        return result
    if is_pieces(result):
        return Response(result)  # type: ignore[arg-type]
    raise UsageError(
        f"on_request returned {type(result).__name__}; return a Response, str or bytes, or yield "
        "pieces of the answer"
    )
