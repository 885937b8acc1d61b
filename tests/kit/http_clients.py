"""HTTP clients of Python's own, to judge the answers of a site by an independent parser."""

from __future__ import annotations

import http.client

from kit.site import Site


def connect(site: Site) -> http.client.HTTPConnection:
    """A client with its TLS, if the site speaks it; it is closed with the site's other clients."""
    client = site.connect()
    connection = http.client.HTTPConnection("127.0.0.1", site.port)
    connection.sock = _Sock(client.tls or client.plain)  # type: ignore[assignment]
    return connection


def get(
    connection: http.client.HTTPConnection, path: str = "/", method: str = "GET", **headers: str
) -> http.client.HTTPResponse:
    """Sends a request and reads the head of its answer."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=given)
    return connection.getresponse()


class _Sock:
    """As much of a socket as `http.client` uses."""

    def __init__(self, lent: object) -> None:
        self._lent = lent

    def sendall(self, data: bytes) -> None:
        self._lent.sendall(data)  # type: ignore[attr-defined]

    def makefile(self, mode: str) -> object:
        return _Reader(self._lent)

    def close(self) -> None:
        """The site closes it."""


class _Reader:
    """Reads as a file; what was read ahead is lost with it, so answers come one by one."""

    def __init__(self, lent: object) -> None:
        self._lent = lent
        self._ahead = b""

    def _more(self) -> bool:
        data = self._lent.recv(65536)  # type: ignore[attr-defined]
        self._ahead += data
        return bool(data)

    def readline(self, limit: int = -1) -> bytes:
        while b"\n" not in self._ahead and self._more():
            pass
        line, mark, self._ahead = self._ahead.partition(b"\n")
        return line + mark

    def read(self, size: int = -1) -> bytes:
        while (size < 0 or len(self._ahead) < size) and self._more():
            pass
        end = len(self._ahead) if size < 0 else size
        data, self._ahead = self._ahead[:end], self._ahead[end:]
        return data

    def readinto(self, room: bytearray) -> int:
        data = self.read(len(room))
        room[: len(data)] = data
        return len(data)

    def flush(self) -> None: ...

    def close(self) -> None: ...
