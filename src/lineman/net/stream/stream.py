"""The bytes of one socket in the poller: TLS, the cork, what was kept, blocked or not.

A `Stream` knows no layer above it. Events are return values: `receive` returns what arrived,
`flush` what happened to the waiting bytes, and the owner of the stream acts on it.

Bytes that there was no time for are *kept*, and the socket is not read before they are used up, so
that the kernel stops the peer; its end, too, is then met after them.
"""

from __future__ import annotations

from lineman.net.loop import syscalls
from lineman.net.loop.poller import Poller
from lineman.net.stream.stream_output import StreamOutput
from lineman.net.stream.stream_status import AGAIN, ENDED, LOST, PLAIN, SECURED, TRUNCATED
from lineman.net.stream.tlsstream import HANDSHAKE_RECORD, TlsStream, is_end_of_tcp


class Stream(StreamOutput):
    """Bytes to and from one peer.

    Args:
        poller: where the owner of the stream stands under this descriptor; it has `flush` called.
        fd: a connected, non-blocking descriptor, which the stream owns from here on.
        tls: None where the bytes travel in the clear.

    Attributes:
        bytes_read: payload bytes received (after TLS).
        is_known_tls: whether the peer's first byte was one of TLS.
        kept: bytes that were received and wait for their turn; None for none.
    """

    __slots__ = ("bytes_read", "is_known_tls", "kept")

    def __init__(self, poller: Poller, fd: int, tls: TlsStream | None) -> None:
        self._begin(poller, fd, tls)
        self.kept: bytes | None = None
        self.is_known_tls = False
        self.bytes_read = 0

    # Reading.

    def receive(self) -> int:
        """Reads once into the poller's buffer.

        Returns:
            How many bytes came, or `ENDED`, `AGAIN`, `LOST`, `PLAIN`, `SECURED` or `TRUNCATED`.
        """
        try:
            if self.tls is not None:
                return self._receive_tls(self.tls)
            count = syscalls.receive(self.fd, self.poller._view, self.poller.read_size)
        except OSError as error:
            self.error = error
            return LOST
        if count > 0:
            self.bytes_read += count
        return count

    def _receive_tls(self, tls: TlsStream) -> int:
        try:
            if not tls.is_established:
                return self._shake_hands(tls)
            if tls.is_direct:
                count = tls.read_into(self.poller._view)
            else:
                count = tls.read(self.poller.buffer)
        except OSError as error:  # ssl.SSLError is one
            if tls.is_established and is_end_of_tcp(error):
                return TRUNCATED
            raise
        if count > 0:
            self.bytes_read += count
        return count

    def _shake_hands(self, tls: TlsStream) -> int:
        if self._clear:
            return AGAIN  # the peer has not been told yet that TLS begins
        if not self.is_known_tls:
            first = syscalls.peek(self.fd)
            if first == syscalls.ENDED:
                return ENDED
            if first < 0:
                return AGAIN
            if first != HANDSHAKE_RECORD:
                self.abandon_tls()
                return PLAIN
            self.is_known_tls = True
        is_done = tls.handshake()
        if self.is_starting_tls:
            self._watch()
        elif tls.wants_write != self.is_blocked:
            self.is_blocked = tls.wants_write
            self._watch()
        return SECURED if is_done else AGAIN

    def shakes_hands(self) -> bool:
        """Whether TLS's handshake is under way, which may wait for room to write."""
        return self.tls is not None and not self.tls.is_established

    def has_more(self) -> bool:
        """Whether something was received that epoll does not tell of."""
        if self.kept is not None:
            return True
        return self.tls is not None and self.tls.is_established and self.tls.pending()

    def keep(self, rest: bytes) -> None:
        """Keeps bytes that there is no time for, behind those that are kept already."""
        self.poller.note_kept(len(rest))
        self.kept = rest if self.kept is None else self.kept + rest

    def take_kept(self) -> bytes:
        """What was kept, which is not kept any more; empty where nothing was."""
        kept = self.kept
        self.drop_kept()
        return b"" if kept is None else kept

    def drop_kept(self) -> None:
        """Forgets what was kept."""
        if self.kept is not None:
            self.poller.note_kept(-len(self.kept))
            self.kept = None

    def pause(self, why: int) -> None:
        """Stops reading for a reason; the kernel's window then stops the peer."""
        if not self.paused and not self.is_dead:
            self.paused = why
            self._watch()
        self.paused |= why

    def resume(self, why: int) -> bool:
        """Takes one reason back; reading goes on when none is left.

        Returns:
            Whether it goes on now, and something is at hand that epoll does not tell of.
        """
        if not self.paused & why:
            return False
        self.paused &= ~why
        if self.paused or self.is_dead:
            return False
        self._watch()
        return self.has_more()

    def note_hang_up(self) -> None:
        """Notes that both sides have ended, and what the peer has sent before is not read yet."""
        if not self.is_hung_up:
            self.is_hung_up = True
            self._watch()

    # Ending.

    def end_writing(self) -> None:
        """Says the end of the stream (with TLS also there); what still comes is thrown away."""
        if self.tls is not None:
            self.tls.end()
            self._drop_tls()  # having ended, it would fail at the peer's next record
        syscalls.finish_writing(self.fd)

    def end_sending(self) -> None:
        """Says the end of what we send (with TLS also there); what still comes is read."""
        if self.tls is not None:
            self.tls.end()
        syscalls.finish_writing(self.fd)

    def abandon_tls(self) -> bool:
        """Drops TLS after it has failed, if there is any; what still comes is thrown away."""
        if self.tls is None:
            return False
        self._drop_tls()
        self._drop_unsent()  # or it would leave in the clear
        return True

    def break_off(self) -> None:
        """Closes the socket now, so that the peer does not take it for a good end."""
        if not self.is_dead:
            self.abandon_tls()
            syscalls.reset(self.fd)
            self.shut()

    def shut(self) -> None:
        """Closes the socket now; what is unsent is lost."""
        if self.is_dead:
            return
        if self.tls is not None:
            if not self.is_blocked:
                self.tls.end()
            self.tls.release()
        self.is_dead = self._is_broken = True
        self.error = None
        self._drop_unsent()
        self.drop_kept()
        if self.poller.cork_fd == self.fd:
            self.poller.cork_fd = -1  # another may get the number
        self.poller.close_descriptor(self.fd)
