"""A websocket client for the e2e tests: any request header, every frame, one thread.

The protocol is the `websockets` package's, so that client and server cannot share a mistake.
Its client with threads is not used: reading and writing one TLS 1.3 socket from two threads loses
an answer about once in a thousand connections (websockets 17.4, CPython 3.11).
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from kit.waiting import DEADLINE

# The name in the howto's configurations; the certificate is for it.
DOMAIN = "domain.com"

# Where the tests' clients connect from: not the address that the proxy itself has.
CLIENT_IP = "127.0.0.2"

Headers = Sequence[tuple[str, str]]


def tcp(port: int) -> socket.socket:
    """A connection to a port of 127.0.0.1, from another loopback address."""
    made = socket.create_connection(("127.0.0.1", port), DEADLINE, source_address=(CLIENT_IP, 0))
    # Otherwise the bytes after the TLS handshake wait for an acknowledgement that comes 40 ms late.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def tls(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """The same with TLS, with the howto's domain as the server name."""
    plain = tcp(port)
    try:
        return context.wrap_socket(plain, server_hostname=DOMAIN)
    except BaseException:
        plain.close()
        raise


def http_get(sock: socket.socket, path: str) -> str:
    """The server's answer to a GET, head and body, until it closes the connection."""
    with sock:
        request = f"GET {path} HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n"
        sock.sendall(request.encode())
        return b"".join(iter(lambda: sock.recv(65536), b"")).decode("latin-1")


class Client:
    """A websocket on a connected socket; the handshake is done, `response` says how it ended.

    Args:
        sock: with TLS where the server wants it; every wait on it must be bounded.
        path: what to ask for.
        headers: to send as well; one that the handshake has itself is replaced.
        options: for `websockets.client.ClientProtocol`.
    """

    def __init__(
        self, sock: socket.socket, path: str = "/wss", headers: Headers = (), **options: Any
    ) -> None:
        self._sock = sock
        self.protocol = ClientProtocol(parse_uri(f"wss://{DOMAIN}{path}"), max_size=None, **options)
        request = self.protocol.connect()
        for name, _ in headers:
            if name in request.headers:
                del request.headers[name]
        for name, value in headers:
            request.headers[name] = value
        self.protocol.send_request(request)
        self._events = self._receive()
        response = next(self._events)
        assert isinstance(response, Response)
        self.response = response

    def _flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self._sock.sendall(data)

    def _receive(self) -> Iterator[Frame | Response]:
        self._flush()
        while data := self._sock.recv(65536):
            self.protocol.receive_data(data)
            self._flush()
            for event in self.protocol.events_received():
                assert isinstance(event, Frame | Response)
                yield event
        self.protocol.receive_eof()

    def frames(self) -> Iterator[Frame]:
        """Every frame that arrives, pings among them (they are answered), until the line ends."""
        for event in self._events:
            assert isinstance(event, Frame)
            yield event

    def recv(self) -> str | bytes:
        """The next message.

        Raises:
            EOFError: the connection ended first; the protocol has the close code and reason.
        """
        payload = b""
        is_text = False
        for frame in self.frames():
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                payload += frame.data
                is_text = is_text or frame.opcode is Opcode.TEXT
                if frame.fin:
                    return payload.decode() if is_text else payload
        raise EOFError(f"{self.protocol.close_code} {self.protocol.close_reason}")

    def send(self, message: str | bytes) -> None:
        """Send one message: str as text, bytes as binary."""
        if isinstance(message, str):
            self.protocol.send_text(message.encode())
        else:
            self.protocol.send_binary(message)
        self._flush()

    def ask(self, message: str | bytes) -> str | bytes:
        """Send a message and return the answer."""
        self.send(message)
        return self.recv()

    def is_silent_for(self, seconds: float) -> bool:
        """Whether nothing comes for this time, not even the end."""
        return not select.select([self._sock], [], [], seconds)[0]

    def close(self, code: int, reason: str) -> None:
        """Close, and wait until the server has answered and closed."""
        self.send_close(code, reason)
        for _ in self.frames():
            pass

    def send_close(self, code: int, reason: str) -> None:
        """Send a close frame without waiting for the answer."""
        self.protocol.send_close(code, reason)
        self._flush()


@contextmanager
def websocket(
    sock: socket.socket, path: str = "/wss", headers: Headers = (), **options: Any
) -> Iterator[Client]:
    """An open websocket on this socket; closed afterwards, with a close frame if it is still open.

    Apache needs the close frame: if a client vanishes just before its stop, that takes ten seconds.
    """
    with sock:
        client = Client(sock, path, headers, **options)
        assert client.response.status_code == 101, client.response
        yield client
        if client.protocol.state is State.OPEN:
            client.close(1000, "")


def refusal(sock: socket.socket, path: str, headers: Headers = ()) -> Response:
    """The answer to a handshake that is refused."""
    with sock:
        response = Client(sock, path, headers).response
        assert response.status_code != 101
        return response
