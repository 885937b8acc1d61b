"""A device for the tests: it speaks lines, frames or bytes on one blocking socket, by itself."""

from __future__ import annotations

import socket
import ssl
from types import TracebackType
from typing import Self

from kit.waiting import DEADLINE


class Device:
    """The client of a `text`, `frame` or `tcp` address.

    Args:
        protocol: which of them.
        port: where to connect.
        path: of a unix socket, in place of the port.
        tls: how to speak TLS; None for a plain connection.
        receive_buffer: bytes of the kernel's buffer; None leaves it alone.
    """

    def __init__(
        self,
        protocol: str,
        port: int = 0,
        *,
        path: str = "",
        tls: ssl.SSLContext | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        self._protocol = protocol
        self.plain = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        if receive_buffer is not None:
            self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.plain.settimeout(DEADLINE)
        self.plain.connect(path or ("127.0.0.1", port))
        self._socket = self.plain
        if tls is not None:
            self._socket = tls.wrap_socket(self.plain, server_hostname="localhost")
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, message: str | bytes) -> None:
        """Sends one message."""
        payload = message.encode() if isinstance(message, str) else message
        if self._protocol == "text":
            payload += b"\n"
        elif self._protocol == "frame":
            payload = (len(payload) + 4).to_bytes(4, "big") + payload
        self._socket.sendall(payload)

    def receive(self) -> bytes:
        """The next message, without its frame; of `tcp` what has come, but at least a byte."""
        if self._protocol == "tcp":
            self._fill(1)
            message, self._received = self._received, b""
        elif self._protocol == "frame":
            self._fill(4)
            size = int.from_bytes(self._received[:4], "big")
            self._fill(size)
            message, self._received = self._received[4:size], self._received[size:]
        else:
            while b"\n" not in self._received:
                self._fill(len(self._received) + 1)
            message, _, self._received = self._received.partition(b"\n")
        return message

    def receive_bytes(self, count: int) -> bytes:
        """This many bytes as they come, whatever frames they are in."""
        self._fill(count)
        data, self._received = self._received[:count], self._received[count:]
        return data

    def _fill(self, count: int) -> None:
        while len(self._received) < count:
            data = self._socket.recv(65536)
            if not data:
                raise EOFError(f"it ended after {self._received!r:.200}")
            self._received += data

    def rest(self) -> bytes:
        """All that comes until the service ends the connection; then this end closes it too."""
        while data := self._socket.recv(65536):
            self._received += data
        self.close()
        rest, self._received = self._received, b""
        return rest

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()
