"""TLS on a socket of our own, on the standard library's `ssl`, without asyncio's transports.

asyncio keeps a buffer of 256 KiB for each TLS connection. Here OpenSSL reads from the descriptor
itself and gives its buffers back while the connection is idle, so that one costs about 15 KiB and
a burst leaves nothing behind; memory BIOs would keep what they have grown to.

On the ordinary path nothing here raises: what is pending is looked at before reading again, since
an `SSLWantReadError` costs as much as a message.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

AGAIN = -1

RECORD = 16 * 1024  # bytes of payload in a record at most (RFC 8446, section 5.1)

HANDSHAKE_RECORD = 0x16  # the first byte of every TLS connection


_END_OF_TCP = "UNEXPECTED_EOF_WHILE_READING"

# What clients do to a handshake, by OpenSSL's name for it.
_EXPLAINED = {
    _END_OF_TCP: "the client hung up during TLS; it probably does not trust the certificate, or "
    "connects by a name that is not in it",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not trust the certificate's authority: give the "
    "whole chain in cert, or have the client trust the CA",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client does not accept the certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client does not accept the certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client finds the certificate expired",
    "UNSUPPORTED_PROTOCOL": "the client speaks no TLS version of ours (1.2 and 1.3)",
    "NO_SHARED_CIPHER": "the client has no cipher in common with us",
    "WRONG_VERSION_NUMBER": "the client does not speak TLS",
}


def is_end_of_tcp(error: OSError) -> bool:
    """Whether the peer ended TCP without ending TLS, as many do."""
    # Some releases of Python raise the plain SSLError here.
    return isinstance(error, ssl.SSLEOFError) or getattr(error, "reason", None) == _END_OF_TCP


def explain(error: ssl.SSLError) -> str:
    """What went wrong in TLS, in words that an operator can act on."""
    reason = _END_OF_TCP if is_end_of_tcp(error) else error.reason or ""
    name = reason.replace("_", " ").lower() or str(error)
    known = _EXPLAINED.get(reason)
    return f"TLS: {known} ({name})" if known else f"TLS: {name}"


class _Accepted(ssl.SSLSocket):
    """A socket that counts as connected, since `accept` has returned it.

    `ssl` looks by itself, and fails in the constructor if the peer has reset it already; here the
    first use of the socket tells.
    """

    def getpeername(self) -> None:
        return None


class TlsStream:
    """One connection's TLS.

    Args:
        context: the server's context.
        fd: a connected, non-blocking descriptor; it stays the caller's, who closes it after
            `release`.

    Attributes:
        is_established: whether the handshake is done.
        wants_write: whether the last call waits for the socket to take bytes.
    """

    __slots__ = ("_object", "_socket", "is_established", "wants_write")

    def __init__(self, context: ssl.SSLContext, fd: int) -> None:
        plain = socket.socket(fileno=fd)
        plain.setblocking(False)  # a socket object of a descriptor takes it for a blocking one
        # As `context.wrap_socket` does it, but for the class.
        self._socket: ssl.SSLSocket = _Accepted._create(  # type: ignore[attr-defined]
            plain,
            server_side=True,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
            context=context,
        )
        # What the socket's own methods call, without their checks on every message.
        self._object: Any = self._socket._sslobj
        self.is_established = False
        self.wants_write = False

    @property
    def version(self) -> str | None:
        """`TLSv1.3` or `TLSv1.2`, None before the handshake is done."""
        return self._socket.version()

    def handshake(self) -> bool:
        """Goes on with the handshake; whether it is done.

        Raises:
            ssl.SSLError: it failed; the peer has been sent the alert that says why.
            OSError: the connection is broken.
        """
        self.wants_write = False
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self.wants_write = True
            return False
        self.is_established = True
        return True

    def read(self, buffer: memoryview) -> int:
        """Decrypts one record into the buffer; its size, 0 at the end of TLS, AGAIN for not now.

        Raises:
            ssl.SSLError: the peer broke TLS, or ended TCP without ending TLS.
            OSError: the connection is broken.
        """
        try:
            count: int = self._object.read(len(buffer), buffer)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return AGAIN
        return count

    @property
    def pending(self) -> int:
        """Decrypted bytes that can be read without the socket."""
        count: int = self._object.pending()
        return count

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Encrypts and sends at most one record; bytes taken, AGAIN for not now.

        After AGAIN the next call must begin with the same bytes.

        Raises:
            ssl.SSLError: TLS has ended.
            OSError: the connection is broken.
        """
        if len(data) > RECORD:
            # OpenSSL would take none of it before it has sent all of it, since Python does not
            # set SSL_MODE_ENABLE_PARTIAL_WRITE: what has left would still look unsent.
            data = data[:RECORD]
        try:
            count: int = self._object.write(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return AGAIN
        return count

    def end(self) -> None:
        """Says goodbye (close_notify), if the handshake was done, without waiting for an answer."""
        if self.is_established:
            with contextlib.suppress(OSError):
                self._object.shutdown()

    def release(self) -> None:
        """Gives the descriptor back to the caller; nothing may be called after."""
        self._socket.detach()
