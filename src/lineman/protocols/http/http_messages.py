"""The requests of HTTP/1.1 and their headers. `requests.py` parses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Never
from urllib.parse import parse_qsl, unquote

from lineman.base import unknown_names
from lineman.base.unknown_names import RequestNames
from lineman.protocols.http.forms import Form, UploadedFile, read_form
from lineman.protocols.http.json_bodies import read_json

# What a look-up found is kept for the next one, for as many names as a program may have. Names that
# clients choose cannot fill the memory.
_KEPT = 32
_LONGEST_KEPT = 64
_UNKNOWN: list[str] = []


class Headers:
    """The header lines of one request: read by name in any case, kept in the order sent.

    Names are matched exactly: `X_Real_IP` is not `X-Real-IP`.

    Args:
        lines: name and value of each line, the value without the blanks around it; None to read
            them in `head` when they are asked for.
        head: from the request line to the empty line, well-formed.
        encoded: the lines as they came, the value with the blanks behind it; None without them.
    """

    __slots__ = ("_encoded", "_head", "_index", "_lines")

    def __init__(
        self,
        lines: list[tuple[str, str]] | None,
        head: bytes = b"",
        encoded: list[tuple[bytes, bytes]] | None = None,
    ) -> None:
        self._lines = lines
        self._encoded = encoded
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

    def encode(self) -> list[tuple[bytes, bytes]]:
        """Every line in order, as bytes, the names in small letters."""
        if self._encoded is not None:
            return [(name.lower(), value.rstrip(b" \t")) for name, value in self._encoded]
        if self._lines is not None:
            return [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in self._lines
            ]
        lines = self._head.split(b"\r\n")[1:-2]
        return [
            (name.lower(), value.strip(b" \t"))
            for name, _, value in [line.partition(b":") for line in lines]
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
        "_cookies", "_form", "_head", "_headers", "_path", "_query", "_watchers", "body",
        "is_disconnected", "keep_alive", "method", "remote_ip",
        "remote_port", "scheme", "target", "upgrade", "version",
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
        self.is_disconnected = False
        self._form: Form | None = None
        self._watchers: list[Callable[[], Any]] | None = None

    def on_disconnect(self, function: Callable[[], Any]) -> Callable[[], Any]:
        """Has a function called, plain or `async`, when the client goes before its answer is sent.

        At once if it has gone already. What `on_request` awaits goes on: to end it, give what ends
        it, such as `task.cancel`.

        Returns:
            The function, so that this may stand above it as a decorator.
        """
        if self._watchers is None:
            self._watchers = []
        if self.is_disconnected:
            function()
        else:
            self._watchers.append(function)
        return function

    def note_disconnected(self, call: Callable[[Callable[[], Any]], Any]) -> None:
        """Notes, once, that the client has gone.

        Args:
            call: calls each function that `on_disconnect` got.
        """
        if not self.is_disconnected:
            self.is_disconnected = True
            watchers, self._watchers = self._watchers, None
            for function in watchers or ():
                call(function)

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

    def json(self) -> Any:
        """What the body says in JSON: dictionaries, lists, `str`, numbers, booleans, None.

        Raises:
            HttpError: it is none; where the program does not catch it, the client gets 400.
        """
        return read_json(self.body)

    def use_form(self, form: Form) -> None:
        """Takes a form whose files were written down as they came."""
        self._form = form

    def _read_form(self) -> Form:
        if self._form is None:
            self._form = read_form(self.headers.get("content-type"), self.body)
        return self._form

    @property
    def form_all(self) -> dict[str, list[str]]:
        """Every field of a form with all its values, in the order sent; empty without a form.

        Raises:
            HttpError: it is broken; where the program does not catch it, the client gets 400.
        """
        return self._read_form().fields

    @property
    def form(self) -> dict[str, str]:
        """Every field of a form with its first value; raises like `form_all`."""
        return {name: values[0] for name, values in self.form_all.items()}

    @property
    def files_all(self) -> dict[str, list[UploadedFile]]:
        """Every file field of a form with all its files; raises like `form_all`."""
        return self._read_form().files

    @property
    def files(self) -> dict[str, UploadedFile]:
        """Every file field of a form with its first file; raises like `form_all`."""
        return {name: files[0] for name, files in self.files_all.items()}

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
        body: all of it; empty where there is none, and of a form whose files were written down
            (`max_upload_size`).
        upgrade: it asks for a websocket, and what follows it on the line is no HTTP.
        keep_alive: another request may follow its answer.
        remote_ip: who sent it; behind a trusted proxy, the client's own address.
        remote_port: the port of that address; 0 where it is not known.
        scheme: `http`, or `https` where the worker itself speaks TLS.
        is_disconnected: whether the client has gone before its answer was sent.
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
