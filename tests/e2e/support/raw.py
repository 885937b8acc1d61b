"""Small servers that misbehave: a function handles each connection."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
DEADLINE = 30.0

Handler = Callable[[socket.socket], None]


@contextmanager
def serving(handler: Handler, *, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of 127.0.0.1 where each connection, TLS done, is handled in a thread and closed."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_links: list[socket.socket] = []

    def handle(link: socket.socket) -> None:
        # Clients may leave in the middle: these servers are made for it.
        with contextlib.suppress(OSError), contextlib.closing(link):
            link.settimeout(DEADLINE)
            if context is not None:
                link = context.wrap_socket(link, server_side=True)
            with contextlib.closing(link):
                handler(link)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = listener.accept()
                open_links.append(link)
                threading.Thread(target=handle, args=(link,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        # Closing alone does not wake the thread that accepts.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for link in open_links:
            link.close()
        thread.join(DEADLINE)


def head_of(link: socket.socket) -> dict[str, str]:
    """The headers of a request, names in lower case."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = link.recv(65536)
        if not more or more[0] == 0x16:  # it speaks TLS, and nobody here does
            raise ConnectionResetError
        data += more
    lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}


def accept_of(key: str) -> str:
    """The `Sec-WebSocket-Accept` for a key (RFC 6455, section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode("ascii") + GUID).digest()).decode("ascii")


def opening(*more: str, accept: str | None = None, then: Handler | None = None) -> Handler:
    """A handler that opens a websocket.

    Args:
        more: header lines to add.
        accept: in place of the right one.
        then: what happens on the open line; nothing, until the client leaves, where None.
    """

    def handle(link: socket.socket) -> None:
        open_line(link, head_of(link), *more, accept=accept)
        (then or swallow)(link)

    return handle


def open_line(
    link: socket.socket, headers: dict[str, str], *more: str, accept: str | None = None
) -> None:
    """Answers a handshake with 101."""
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept or accept_of(headers['sec-websocket-key'])}",
        *more,
    ]
    link.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))


def refusing(header: str, then: Handler) -> Handler:
    """A handler that opens a websocket unless the client sends this header (lower case)."""

    def handle(link: socket.socket) -> None:
        headers = head_of(link)
        if header in headers:
            link.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return
        open_line(link, headers)
        then(link)

    return handle


def swallow(link: socket.socket) -> None:
    """Reads everything and sends nothing."""
    while link.recv(65536):
        pass


def pong(link: socket.socket) -> None:
    """Answers one ping, as a server would."""
    frame = link.recv(65536)
    mask, payload = frame[2:6], frame[6 : 6 + (frame[1] & 127)]
    clear = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    link.sendall(b"\x8a" + bytes([len(clear)]) + clear)
    swallow(link)


def silent(link: socket.socket) -> None:
    """Reads the request and never answers."""
    head_of(link)
    swallow(link)


def answering(data: bytes) -> Handler:
    """A handler that sends the same answer to every client that has sent something."""

    def handle(link: socket.socket) -> None:
        link.recv(65536)
        link.sendall(data)

    return handle
