"""TLS between the socket and the codec, on the standard library's `ssl`, without its transports.

asyncio keeps a buffer of 256 KiB for each TLS connection; a bare `SSLObject` costs about 15 KiB.
On the ordinary path nothing here raises: what is pending is looked at before reading again, since
an `SSLWantReadError` costs as much as a message.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import cast

# A record's payload at most (RFC 8446, section 5.1). Both BIOs are filled and emptied in pieces of
# about this size: a memory BIO never gives back what it has grown to.
PIECE = 16 * 1024

HANDSHAKE_RECORD = 0x16  # the first byte of every TLS connection


class TlsStream:
    """One connection's TLS; bytes in, bytes out, no socket.

    Args:
        context: the server's context.

    Attributes:
        has_begun: whether anything came from the peer.
        is_established: whether the handshake is done.
    """

    __slots__ = ("_incoming", "_object", "_outgoing", "has_begun", "is_established")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.has_begun = False
        self.is_established = False

    @property
    def version(self) -> str | None:
        """`TLSv1.3` or `TLSv1.2`, None before the handshake is done."""
        return self._object.version()

    def feed(self, data: memoryview) -> None:
        """Takes bytes from the wire, at most `PIECE` at once."""
        self.has_begun = True
        self._incoming.write(data)

    def handshake(self) -> bool:
        """Goes on with the handshake; whether it is done.

        Raises:
            ssl.SSLError: it failed; `take_output` holds the alert for the peer.
        """
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.is_established = True
        return True

    def read(self, buffer: memoryview) -> int:
        """Decrypts into the buffer; 0 when nothing more can be decrypted now.

        Raises:
            ssl.SSLZeroReturnError: the peer has ended its side.
            ssl.SSLError: the peer broke TLS; `take_output` holds the alert.
        """
        if not self._incoming.pending and not self._object.pending():
            return 0
        try:
            # With a buffer it returns a count; the stubs know the other form only.
            count = cast(int, self._object.read(len(buffer), cast(bytearray, buffer)))
        except ssl.SSLWantReadError:
            return 0
        if not count:
            raise ssl.SSLZeroReturnError(ssl.SSL_ERROR_ZERO_RETURN, "the peer has ended TLS")
        return count

    def encrypt(self, data: memoryview) -> None:
        """Encrypts all of it; `take_output` holds the records."""
        self._object.write(data)

    def take_output(self) -> bytes:
        """What must go to the wire now."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def end(self) -> None:
        """Says goodbye (close_notify), if the handshake was done; `take_output` holds it."""
        if not self.is_established:
            return
        with contextlib.suppress(ssl.SSLError):  # it wants the peer's goodbye; nobody waits for it
            self._object.unwrap()
