"""A websocket client for tests: one blocking socket, with control of every byte and frame.

It masks, makes keys and decodes by itself, and checks that the server keeps to the protocol. It
does nothing else unless it is asked to: it sends no pong and does not answer a close frame.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from lineman.errors import ProtocolError
from lineman.protocols.http.http_messages import Headers
from lineman.protocols.websocket import close as closing
from lineman.protocols.websocket import frames, handshake
from lineman.protocols.websocket.decoder import Close, Decoder, Event, Ping, Pong
from lineman.testing.tlssocket import TlsSocket

DEADLINE = 20.0
CHUNK = 256 * 1024
MAX_MESSAGE_SIZE = 1 << 30


@dataclass(frozen=True, slots=True)
class RawReply:
    """An HTTP response.

    Attributes:
        status: such as 101 or 403.
        headers: names may be looked up in upper or lower case.
        body: `Content-Length` bytes; empty for a 101 and for the answer to HEAD.
    """

    status: int
    headers: Headers
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class RawClient:
    """A connection to a server; a websocket after `open`.

    Args:
        port: where to connect.
        host: an IP address, a name, or the path of a unix socket.
        tls: how to speak TLS; None for a plain connection.
        server_hostname: the name that the certificate must have.
        timeout: seconds that any wait may take, then `TimeoutError`.
        receive_buffer: size of the kernel's receive buffer in bytes; None leaves it alone. A small
            one makes a slow reader.
        piece: bytes of TLS that are sent at once at most; None for as many as there are.
        preamble: sent first, in the clear: a PROXY header.

    Attributes:
        plain: the socket.
        tls: what encrypts on it, or None.
    """

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        tls: ssl.SSLContext | None = None,
        server_hostname: str = "localhost",
        timeout: float = DEADLINE,
        receive_buffer: int | None = None,
        piece: int | None = None,
        preamble: bytes = b"",
    ) -> None:
        self.timeout = timeout
        self.plain = _connect(host, port, timeout, receive_buffer)
        self.plain.sendall(preamble)
        self.tls: TlsSocket | None = None
        self.host = f"{server_hostname}:{port}"
        self._buffer = b""  # received, and no part of a frame yet
        self._events: deque[Event] = deque()
        self._decoder = Decoder(MAX_MESSAGE_SIZE, expects_mask=False)
        if tls is not None:
            self.tls = TlsSocket(self.plain, tls, server_hostname, piece)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start_tls(self, tls: ssl.SSLContext, server_hostname: str = "localhost") -> Self:
        """Begins TLS in mid-connection, as a client does after `STARTTLS`; returns itself.

        Args:
            tls: how to speak TLS.
            server_hostname: the name that the certificate must have.
        """
        self.tls = TlsSocket(self.plain, tls, server_hostname)
        return self

    # Bytes.

    @property
    def address(self) -> tuple[str, int]:
        """IP address and port of this end."""
        name = self.plain.getsockname()
        return name[0], name[1]

    def send_bytes(self, data: bytes) -> None:
        """Sends raw bytes."""
        (self.tls or self.plain).sendall(data)

    def receive_bytes(self) -> bytes:
        """The next raw bytes; empty at the end of the stream.

        Raises:
            TimeoutError: nothing came in time.
            ConnectionResetError: the peer reset the connection.
            ssl.SSLEOFError: the stream ended without TLS's close_notify.
        """
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        return (self.tls or self.plain).recv(CHUNK)

    def receive_all(self) -> bytes:
        """Everything up to the end of the stream."""
        parts = []
        while data := self.receive_bytes():
            parts.append(data)
        return b"".join(parts)

    def end_writing(self) -> None:
        """Ends our side, with a close_notify if there is TLS; reading goes on."""
        if self.tls is None:
            self.plain.shutdown(socket.SHUT_WR)
        else:
            self.tls.end_writing()

    def reset(self) -> None:
        """Drops the connection with a TCP reset."""
        self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.plain.close()

    def close(self) -> None:
        """Closes the socket at once, as if the program were killed; doing it twice is fine."""
        self.plain.close()

    # HTTP.

    def request(
        self,
        target: str = "/",
        headers: Sequence[tuple[str, str]] = (),
        *,
        method: str = "GET",
        body: bytes = b"",
    ) -> RawReply:
        """Sends a plain HTTP request and returns its answer."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send_bytes("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return self.receive_reply(has_body=method != "HEAD")

    def receive_reply(self, *, has_body: bool = True) -> RawReply:
        """The next HTTP response.

        Raises:
            EOFError: the connection ended before it was whole; the message holds what came.
        """
        head = self._receive_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        lines = [line.split(":", 1) for line in head[1:] if line]
        headers = Headers([(name, value.strip()) for name, value in lines])
        status = int(head[0].split(" ")[1])
        size = int(headers.get("content-length") or 0) if has_body else 0
        return RawReply(status, headers, self._receive_exactly(size))

    def _receive_until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._receive_more()
        head, _, self._buffer = self._buffer.partition(mark)
        return head

    def _receive_exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive_more()
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def _receive_more(self) -> None:
        data = (self.tls or self.plain).recv(CHUNK)
        if not data:
            raise EOFError(f"the connection ended after {self._buffer!r}")
        self._buffer += data

    # The websocket.

    def handshake_bytes(
        self,
        target: str = "/",
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        *,
        key: str | None = None,
    ) -> bytes:
        """A websocket handshake as it goes on the line."""
        key = key or base64.b64encode(os.urandom(16)).decode()
        return handshake.client_request(self.host, target, key, headers, subprotocols)

    def handshake(
        self,
        target: str = "/",
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
    ) -> RawReply:
        """Asks for a websocket; the reply says whether it is open."""
        key = base64.b64encode(os.urandom(16)).decode()
        self.send_bytes(self.handshake_bytes(target, headers, subprotocols, key=key))
        reply = self.receive_reply()
        if reply.status == 101:
            accept = reply.headers.get("sec-websocket-accept")
            assert accept == handshake.accept_key(key), f"Sec-WebSocket-Accept is {accept}"
        return reply

    def open(
        self,
        target: str = "/",
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
    ) -> Self:
        """Asks for a websocket and insists on getting one."""
        reply = self.handshake(target, headers, subprotocols)
        assert reply.status == 101, f"refused with {reply.status}: {reply.body!r}"
        return self

    def send(self, message: str | bytes) -> None:
        """Sends a message: `str` as text, `bytes` as binary."""
        self.send_bytes(encode(message))

    def send_frame(
        self, opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0
    ) -> None:
        """Sends one masked frame, also one that no client may send.

        Args:
            opcode: see `lineman.protocols.websocket.frames`.
            payload: its bytes, not masked yet.
            fin: whether it is the last of its message.
            reserved: RSV bits, such as 0x40.
        """
        self.send_bytes(encode_frame(opcode, payload, fin=fin, reserved=reserved))

    def ping(self, payload: bytes = b"") -> None:
        """Sends a ping."""
        self.send_frame(frames.PING, payload)

    def send_close(self, code: int = closing.NORMAL, reason: str = "") -> None:
        """Sends a close frame; 1005 sends one without a code."""
        payload = b"" if code == closing.NO_STATUS else code.to_bytes(2, "big") + reason.encode()
        self.send_frame(frames.CLOSE, payload)

    def receive(self) -> Event:
        """The next message or control frame, whichever comes.

        Raises:
            EOFError: the connection ended without one.
            ProtocolError: the server broke a rule of the protocol.
            TimeoutError, ConnectionResetError, ssl.SSLEOFError: as for `receive_bytes`.
        """
        while not self._events:
            data = self.receive_bytes()
            if not data:
                raise EOFError("the connection ended")
            self._take(data)
        event = self._events.popleft()
        if isinstance(event, ProtocolError):
            raise event
        return event

    def _take(self, data: bytes) -> None:
        self._events.extend(self._decoder.feed(data))

    def receive_message(self) -> str | bytes:
        """The next message; pings that come before it are answered, pongs ignored.

        Raises:
            EOFError: the server closed instead; the message holds its code and reason.
        """
        while True:
            event = self.receive()
            if isinstance(event, (str, bytes)):
                return event
            if isinstance(event, Ping):
                self.send_frame(frames.PONG, event.payload)
            elif isinstance(event, Close):
                raise EOFError(f"the server closed with {event.code}: {event.reason}")

    def receive_close(self) -> Close:
        """The server's close frame; messages, pings and pongs before it are thrown away."""
        while True:
            event = self.receive()
            if isinstance(event, Close):
                return event

    def receive_pong(self) -> bytes:
        """The payload of the next event, which must be a pong."""
        event = self.receive()
        assert isinstance(event, Pong), f"no pong but {event!r}"
        return event.payload

    def assert_ended(self) -> None:
        """Waits for the orderly end of the stream; anything that comes before it is a failure."""
        assert not self._events, f"before the end came {list(self._events)!r}"
        data = self.receive_bytes()
        assert data == b"", f"before the end came {data!r}"


def encode(message: str | bytes) -> bytes:
    """A message as one masked frame."""
    if isinstance(message, str):
        return encode_frame(frames.TEXT, message.encode())
    return encode_frame(frames.BINARY, message)


def encode_frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0
) -> bytes:
    """A masked frame; see `RawClient.send_frame`."""
    first_bits = (frames.FIN if fin else 0) | reserved
    return frames.encode_masked(opcode, payload, os.urandom(4), first_bits)


def _connect(host: str, port: int, timeout: float, receive_buffer: int | None) -> socket.socket:
    if host.startswith("/"):
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(timeout)
        made.connect(host)
        return made
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.settimeout(timeout)
        # The kernel must not join pieces that a test sends separately.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer is not None:
            # Before connecting: the window that we announce then never grows beyond it.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.connect(address)
    except BaseException:
        made.close()
        raise
    return made


__all__ = ["DEADLINE", "RawClient", "RawReply", "encode", "encode_frame"]
