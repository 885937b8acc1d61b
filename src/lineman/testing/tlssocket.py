"""A client's TLS in memory over a plain blocking socket.

`ssl.SSLSocket` can neither end one direction alone nor cut its records: this class itself reads and
writes every byte on the wire.
"""

from __future__ import annotations

import contextlib
import socket
import ssl

CHUNK = 256 * 1024


class TlsSocket:
    """A connected socket that speaks TLS; the handshake is done when it exists.

    Args:
        plain: a connected socket; it belongs to this object from here on.
        context: a client's context.
        server_hostname: the name that the certificate must have.
        piece: bytes that are given to the kernel at once at most, so that TLS records arrive in
            pieces; None for as many as there are.

    Raises:
        ssl.SSLError: the handshake failed; the socket is closed.
        ConnectionResetError: the server dropped the connection, without or after an alert.
    """

    def __init__(
        self,
        plain: socket.socket,
        context: ssl.SSLContext,
        server_hostname: str,
        piece: int | None = None,
    ) -> None:
        self.plain = plain
        self.piece = piece
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        try:
            self._shake_hands()
        except BaseException:
            self.close()
            raise

    def _shake_hands(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush()  # our alert
                raise
            else:
                self._flush()
                return

    def _flush(self) -> None:
        data = self._outgoing.read()
        step = self.piece or len(data) or 1
        for start in range(0, len(data), step):
            self.plain.sendall(data[start : start + step])

    def _fill(self) -> None:
        data = self.plain.recv(CHUNK)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def sendall(self, data: bytes) -> None:
        """Sends all of it."""
        self.tls.write(data)
        self._flush()

    def recv(self, size: int) -> bytes:
        """The next decrypted bytes; empty at the orderly end of TLS.

        Raises:
            ssl.SSLEOFError: TCP ended without the end of TLS.
        """
        while True:
            try:
                return self.tls.read(size)
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLZeroReturnError:  # the normal end, after our own close_notify
                return b""

    def end_writing(self) -> None:
        """Ends our side of TLS and of TCP; reading goes on."""
        self.end_tls()
        self.plain.shutdown(socket.SHUT_WR)

    def end_tls(self) -> None:
        """Ends our side of TLS alone."""
        with contextlib.suppress(ssl.SSLError):  # it would wait for the peer's close_notify
            self.tls.unwrap()
        self._flush()

    def settimeout(self, seconds: float) -> None:
        """Sets how long a wait may take."""
        self.plain.settimeout(seconds)

    def close(self) -> None:
        """Closes the socket without close_notify."""
        self.plain.close()
