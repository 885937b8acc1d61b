"""The messages of HTTP/1.1: headers, requests, responses and refusals. `http.py` parses them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Never
from urllib.parse import parse_qsl, unquote

from lineman.base import unknown_names
from lineman.base.unknown_names import RequestNames
from lineman.errors import HttpError, UsageError

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What a look-up found is kept for the next one, for as many names as a program may have. Names that
# clients choose cannot fill the memory.
_KEPT = 32
_LONGEST_KEPT = 64
_UNKNOWN: list[str] = []
# Lineman frames the message itself: a second opinion in the head is request smuggling's cousin.
_FRAMING = frozenset({"content-length", "connection", "transfer-encoding", "keep-alive", "upgrade"})


class Headers:
    """The header lines of one request: read by name in any case, kept in the order sent.

    Names are matched exactly: `X_Real_IP` is not `X-Real-IP`.

    Args:
        lines: name and value of each line, the value without the blanks around it; None to read
            them in `head` when they are asked for.
        head: from the request line to the empty line, well-formed.
    """

    __slots__ = ("_head", "_index", "_lines")

    def __init__(self, lines: list[tuple[str, str]] | None, head: bytes = b"") -> None:
        self._lines = lines
        # By name in small letters: all of `lines`, or what was asked of the head. Built at the
        # first look-up; one value needs no list, and None is a name that is not there.
        self._index: dict[str, str | list[str] | None] | None = None
        self._head = head

    def _find(self, name: str) -> str | list[str] | None:
        if self._index is None:
            self._index = {}
            if self._lines is not None:
                self._build(self._lines)
        found = self._index.get(name, _UNKNOWN)
        if found is _UNKNOWN:
            name = name.lower()
            found = self._index.get(name, _UNKNOWN)
        if found is not _UNKNOWN:
            return found
        if self._lines is not None:
            return None
        values = self._search(name)
        if len(self._index) < _KEPT and len(name) <= _LONGEST_KEPT:
            self._index[name] = values
        return values

    def _search(self, name: str) -> str | list[str] | None:
        """The values in the head. Of most names nobody asks, so they are not read before."""
        if ":" in name:
            return None
        head = self._head
        lower = head.lower()
        line = b"\r\n%b:" % name.encode("latin-1", "replace")
        values = []
        start = lower.find(line)
        while start >= 0:
            start += len(line)
            end = head.find(b"\r\n", start)
            values.append(head[start:end].decode("latin-1").strip(" \t"))
            start = lower.find(line, end)
        if len(values) == 1:
            return values[0]
        return values or None

    def _build(self, lines: list[tuple[str, str]]) -> None:
        index = self._index
        assert index is not None
        for name, value in lines:
            key = name.lower()
            seen = index.get(key)
            if seen is None:
                index[key] = value
            elif isinstance(seen, str):
                index[key] = [seen, value]
            else:
                seen.append(value)

    def forget_looks(self) -> None:
        """Gives back what look-ups keep."""
        self._index = None

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value; several lines of that name are joined with `, ` (RFC 9110, section 5.3)."""
        value = self._find(name)
        if value is None:
            return default
        return value if isinstance(value, str) else ", ".join(value)

    def get_all(self, name: str) -> list[str]:
        """The values of all lines of that name, in the order sent; empty where there is none."""
        value = self._find(name)
        if value is None:
            return []
        return [value] if isinstance(value, str) else list(value)

    def items(self) -> list[tuple[str, str]]:
        """Every line as it was sent, in order."""
        if self._lines is not None:
            return list(self._lines)
        lines = self._head.decode("latin-1").split("\r\n")[1:-2]
        return [
            (name, value.strip(" \t")) for name, _, value in (one.partition(":") for one in lines)
        ]

    def keys(self) -> list[str]:
        """The names as they were sent, in order, each as often as it was sent."""
        return [name for name, _ in self.items()]

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.items())

    def __repr__(self) -> str:
        return f"Headers({self.items()!r})"


def has_token(headers: Headers, name: str, token: str) -> bool:
    """Whether a comma-separated header holds the token, in any case (RFC 9110, section 5.6.1).

    Args:
        headers: where to look.
        name: the header's name.
        token: the token, in lower case.
    """
    value = headers.get(name)
    if value is None:
        return False
    value = value.lower()
    if value == token:
        return True
    return "," in value and token in [one.strip(" \t") for one in value.split(",")]


class RequestFields:
    """What a `Request` has."""

    __slots__ = (
        "_cookies", "_head", "_headers", "_path", "_query", "body", "keep_alive", "method",
        "remote_ip", "remote_port", "scheme", "target", "upgrade", "version",
    )  # fmt: skip

    def __init__(
        self,
        method: str,
        target: str,
        version: str,
        headers: Headers | None,
        body: bytes = b"",
        upgrade: bool = False,
        keep_alive: bool = True,
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self._headers = headers
        self._head = b""
        self.body = body
        self.upgrade = upgrade
        self.keep_alive = keep_alive
        self.remote_ip = ""
        self.remote_port = 0
        self.scheme = "http"
        self._path: str | None = None
        self._query: dict[str, list[str]] | None = None
        self._cookies: dict[str, str] | None = None

    def forget_looks(self) -> None:
        """Gives back what looks at headers keep: those of a handshake are done once."""
        if self._headers is not None:
            self._headers.forget_looks()

    @property
    def headers(self) -> Headers:
        """The header lines; see `Headers`."""
        if self._headers is None:
            self._headers = Headers(None, self._head)
        return self._headers

    def _parts(self) -> tuple[str, str, str]:
        """Authority (absolute form only), raw path, query string (RFC 9112, section 3.2)."""
        rest, _, query = self.target.partition("?")
        authority = ""
        if "://" in rest and not rest.startswith("/"):
            authority, slash, path = rest.partition("://")[2].partition("/")
            rest = slash + path or "/"
        return authority, rest, query

    @property
    def path(self) -> str:
        """The path, percent-decoded as UTF-8; bytes that are none become U+FFFD."""
        if self._path is None:
            path = self._parts()[1]
            self._path = unquote(path) if "%" in path else path
        return self._path

    @property
    def raw_path(self) -> str:
        """The path as it was sent, percent-encoded."""
        return self._parts()[1]

    @property
    def query_string(self) -> str:
        """What stands after the `?`, as it was sent; empty where there is none."""
        return self._parts()[2]

    @property
    def query_all(self) -> dict[str, list[str]]:
        """Every name of the query with all its values, decoded, in the order sent."""
        if self._query is None:
            self._query = {}
            for name, value in parse_qsl(self.query_string, keep_blank_values=True):
                self._query.setdefault(name, []).append(value)
        return self._query

    @property
    def query(self) -> dict[str, str]:
        """Every name of the query with its first value, decoded."""
        return {name: values[0] for name, values in self.query_all.items()}

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies; of equal names the first, which is the one with the longer path.

        Source: RFC 6265, section 5.4.
        """
        if self._cookies is None:
            self._cookies = {}
            for pair in ";".join(self.headers.get_all("cookie")).split(";"):
                name, equals, value = (part.strip(" \t") for part in pair.partition("="))
                if len(value) > 1 and value[0] == value[-1] == '"':
                    value = value[1:-1]
                if equals and name:
                    self._cookies.setdefault(name, value)
        return self._cookies

    @property
    def host(self) -> str:
        """The host that the client asked for, with the port if it sent one; an absolute target
        takes precedence over `Host`.

        Source: RFC 9112, section 3.2.2.
        """
        authority = "" if self.target.startswith("/") else self._parts()[0]
        return authority or self.headers.get("host") or ""

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target} HTTP/{self.version}>"


class Request(RequestFields, RequestNames):
    """One HTTP request, complete with its body.

    Attributes:
        method: such as `GET`, in capitals.
        target: what the client asked for, as it was sent: `/chat?room=7`.
        version: `1.1` or `1.0`.
        body: all of it; empty where there is none.
        upgrade: it asks for a websocket, and what follows it on the line is no HTTP.
        keep_alive: another request may follow its answer.
        remote_ip: who sent it; behind a trusted proxy, the client's own address.
        remote_port: the port of that address; 0 where it is not known.
        scheme: `http`, or `https` where the worker itself speaks TLS.
    """

    __slots__ = ()

    @staticmethod
    def of_handshake(head: bytes) -> Request:
        """The request of a websocket handshake from its head, which is well-formed."""
        target = head[4 : head.index(b" ", 4)].decode("ascii")
        request = Request("GET", target, "1.1", None, b"", True, False)
        request._head = head
        return request

    def __setattr__(self, name: str, value: Never) -> None:
        unknown_names.set_or_refuse(self, name, value)
        if name == "target":
            self._path = self._query = None


class Response:
    """The answer to a plain HTTP request.

    Args:
        body: text (sent as UTF-8) or bytes.
        status: 200 to 599.
        content_type: None means `text/plain; charset=utf-8` for text and
            `application/octet-stream` for bytes.
        headers: further headers, as a mapping or as pairs.

    Raises:
        UsageError: the status is none, a header would break the message (a line break in a value),
            or it is one that lineman writes itself (`Content-Length`, `Connection`).
    """

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        body: str | bytes = "",
        status: int = 200,
        content_type: str | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    ) -> None:
        if not isinstance(body, (str, bytes)):
            raise UsageError(f"a response body is str or bytes, not {type(body).__name__}")
        if not (isinstance(status, int) and 200 <= status <= 599):
            raise UsageError(f"a response status is a number from 200 to 599, not {status!r}")
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers or ())
        is_text = isinstance(body, str)
        default = "text/plain; charset=utf-8" if is_text else "application/octet-stream"
        if content_type is not None or not any(
            isinstance(name, str) and name.lower() == "content-type" for name, _ in pairs
        ):
            pairs.insert(0, ("Content-Type", default if content_type is None else content_type))
        self.body = body.encode() if isinstance(body, str) else body
        self.status = int(status)
        self.headers = pairs
        encode_headers(pairs, _FRAMING)

    def encode(self, *, head_only: bool = False, keep_alive: bool = True) -> bytes:
        """The response as it goes on the line.

        Args:
            head_only: leave the body out but say its length: the answer to HEAD.
            keep_alive: False announces that the line is closed after it.

        Raises:
            UsageError: a header that was set after construction would break the message.
        """
        lines = encode_headers(self.headers, _FRAMING)
        has_body = self.status not in (204, 304)
        length = f"Content-Length: {len(self.body)}\r\n" if has_body else ""
        connection = "keep-alive" if keep_alive else "close"
        head = f"{_status_line(self.status)}{lines}{length}Connection: {connection}\r\n\r\n"
        return head.encode("latin-1") + (self.body if has_body and not head_only else b"")


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
        return result
    raise UsageError(
        f"on_request returned {type(result).__name__}; return a Response, str or bytes"
    )


def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n"


def encode_headers(pairs: Iterable[tuple[str, str]], reserved: frozenset[str]) -> str:
    """Header lines, each with its line end.

    Args:
        pairs: names and values.
        reserved: names in lower case that only lineman may write.

    Raises:
        UsageError: a name is no token, a value holds a control character or one outside of latin-1
            (it would start a header of its own), or the name is reserved.
    """
    lines = []
    for name, value in pairs:
        if not isinstance(name, str) or _TOKEN.fullmatch(name) is None:
            raise UsageError(f"{name!r} is not a header name; write letters, digits and dashes")
        if not isinstance(value, str) or _HEADER_VALUE.fullmatch(value) is None:
            raise UsageError(
                f"the value {value!r} of the header {name} is not one line of latin-1 text;"
                " take line breaks and other characters out, or percent-encode them"
            )
        if name.lower() in reserved:
            raise UsageError(f"lineman writes the header {name} itself; leave it out")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines)


def error_response(error: HttpError) -> bytes:
    """The refusal as it goes on the line: one line of plain text, and `Connection: close`."""
    body = (_CONTROL.sub(" ", error.text) + "\n").encode("utf-8", "replace")
    connection = ["close"]
    others = []
    for name, value in error.headers:
        # 426 demands `Connection: Upgrade` (RFC 9110, section 7.8); one line says both.
        if name.lower() == "connection":
            connection.insert(0, value)
        else:
            others.append((name, value))
    head = encode_headers(
        [
            *others,
            ("Connection", ", ".join(connection)),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
        ],
        frozenset(),
    )
    return f"{_status_line(error.status)}{head}\r\n".encode("latin-1") + body
