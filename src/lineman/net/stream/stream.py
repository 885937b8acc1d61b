"""The bytes of one socket in the poller: TLS, the cork, what was kept, blocked or not.

A `Stream` knows no layer above it. Events are return values: `receive` returns what arrived,
`flush` what happened to the waiting bytes, and the owner of the stream acts on it.

What one turn of the poller sends to one connection leaves in one system call, and with TLS in as
few records as it fits. A write that fills the kernel's buffer says so by `is_blocked`, and one that
finds the connection broken has `flush` tell it when the turn ends.

Bytes that there was no time for are *kept*, and the socket is not read before they are used up, so
that the kernel stops the peer; its end, too, is then met after them.
"""

from __future__ import annotations

from lineman.base import buffers
from lineman.base.buffers import Memory, Room
from lineman.net.loop import syscalls
from lineman.net.loop.poller import CORK_SIZE, READ, ROOM, WRITE, Poller
from lineman.net.stream.stream_status import (
    AGAIN,
    BLOCKED,
    BROKE,
    ENDED,
    LOST,
    PLAIN,
    QUIET,
    SECURED,
    TRUNCATED,
    UNBLOCKED,
)
from lineman.net.stream.tlsstream import HANDSHAKE_RECORD, TlsStream, is_end_of_tcp

# A payload from here on goes to the kernel from where it is, without being copied first.
LARGE = 16 * 1024


class Stream:
    """Bytes to and from one peer.

    Args:
        poller: where the owner of the stream stands under this descriptor; it has `flush` called.
        fd: a connected, non-blocking descriptor, which the stream owns from here on.
        tls: None where the bytes travel in the clear.

    Attributes:
        bytes_read: payload bytes received (after TLS).
        bytes_written: payload bytes given to the kernel or to TLS.
        error: what has broken the connection, until it is taken.
        is_blocked: whether the kernel takes no more now.
        is_dead: whether the socket is closed.
        is_known_tls: whether the peer's first byte was one of TLS.
        kept: bytes that were received and wait for their turn; None for none.
        paused: the reasons why the socket is not read, as bits; 0 while it is.
    """

    __slots__ = (
        "_is_broken",
        "_is_due",
        "_out",
        "bytes_read",
        "bytes_written",
        "error",
        "fd",
        "is_blocked",
        "is_dead",
        "is_known_tls",
        "kept",
        "paused",
        "poller",
        "tls",
    )

    def __init__(self, poller: Poller, fd: int, tls: TlsStream | None) -> None:
        self.poller = poller
        self.fd = fd
        self.tls = tls
        self.error: Exception | None = None
        self.kept: bytes | None = None
        self._out: bytearray | None = None  # clear bytes that wait
        self.paused = 0
        self._is_due = False  # `flush` will be called
        self.is_blocked = False
        self._is_broken = False  # nothing is written any more: dead, or a write has failed
        self.is_dead = False
        self.is_known_tls = False
        self.bytes_read = 0
        self.bytes_written = 0

    def _watch(self) -> None:
        read = 0 if self.paused else READ
        self.poller.modify(self.fd, read | (WRITE if self.is_blocked else 0))

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
        if not self.is_known_tls:
            first = syscalls.peek(self.fd)
            if first == syscalls.ENDED:
                return ENDED
            if first < 0:
                return AGAIN
            if first != HANDSHAKE_RECORD:
                self.tls = None
                tls.release()
                return PLAIN
            self.is_known_tls = True
        is_done = tls.handshake()
        if tls.wants_write != self.is_blocked:
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

    # Writing.

    def unsent(self) -> int:
        """Bytes that wait to be taken by the kernel."""
        waiting = 0 if self._out is None else len(self._out)
        if self.poller.cork_fd == self.fd and not self.is_dead:  # its number may be another's now
            waiting += self.poller.cork_size
        return waiting

    def write(self, data: bytes) -> None:
        """Corks the bytes: they leave at the end of this turn."""
        self.put(buffers.data_of(data), len(data))

    def _cork(self) -> None:
        """Has `flush` called once, soon; much that waits already leaves at once."""
        assert self._out is not None
        if len(self._out) >= CORK_SIZE and not self.is_blocked and not self._flush_out():
            self._block()
        self._call_flush()

    def _call_flush(self) -> None:
        if not self._is_due:
            self._is_due = True
            self.poller.cork(self.fd)

    def flush(self) -> int:
        """Gives the kernel what is corked, as far as it takes it.

        Returns:
            What came of that: `QUIET`, `BLOCKED`, `UNBLOCKED` or `BROKE`.
        """
        self._is_due = False
        if self.is_dead:
            return QUIET
        if self.poller.cork_size and self.poller.cork_fd == self.fd:
            self._flush_cork()
        is_done = self._flush_out()
        if self._is_broken:
            return QUIET if self.error is None else BROKE
        if not is_done:
            self._block()
            return BLOCKED
        if self.is_blocked:
            self.is_blocked = False
            self._watch()
            return UNBLOCKED
        return QUIET

    def _block(self) -> None:
        """Waits for the kernel to take more."""
        if not self.is_blocked and not self._is_broken:
            self.is_blocked = True
            self._watch()

    def fail(self, error: Exception) -> None:
        """Notes what has broken the connection, which `flush` will tell; nothing is written."""
        self._is_broken = True
        if self.error is None:
            self.error = error
        self._drop_unsent()
        self._call_flush()

    def take_error(self) -> Exception:
        """What has broken the connection; it is told once."""
        error, self.error = self.error, None
        return error or ConnectionResetError("connection reset")

    def _flush_out(self) -> bool:
        """Writes as much as is taken; whether nothing waits for the kernel then."""
        out = self._out
        if not out or (self.tls is not None and not self.tls.is_established):
            return True  # what is corked waits for the handshake
        count = self._give(buffers.room_of(out), len(out))
        if self._is_broken or count == len(out):
            self._out = None
            return True
        del out[:count]
        return False

    def _give(self, data: Memory, size: int) -> int:
        """Gives the kernel, or TLS, as many bytes of these as it takes; how many it took.

        Where the connection is broken nothing more need wait: that counts as all of them.
        """
        tls, start = self.tls, 0
        try:
            while start < size:
                if tls is None:
                    count = syscalls.send_from(self.fd, data, start, size - start)
                else:
                    count = tls.write_from(data, start, size - start)
                if count < 0:
                    break
                self.bytes_written += count
                start += count
        except OSError as error:
            self.fail(error)
            return size
        return start

    # What the connection being served writes goes into the cork of the poller, without an object
    # for it; the rest, and what the kernel does not take, into `_out`.

    def put(self, data: Memory, size: int) -> None:
        """As `write`, for bytes that lie somewhere."""
        poller = self.poller
        if self._is_broken:
            return
        if poller.cork_fd == self.fd and self._out is None:
            if size >= LARGE and self.tls is None:
                self._hand_over(data, size)
                return
            if poller.cork_size + size > CORK_SIZE:
                self._flush_cork()
                if self._is_broken:
                    return
            if size <= CORK_SIZE and self._out is None:
                buffers.copy(poller.cork_room, poller.cork_size, data, 0, size)
                poller.cork_size += size
                return
        if size >= LARGE and self._out is None:
            self._write(data, size)  # without a copy for each receiver of a broadcast
            return
        self._keep_unsent(data, 0, size)
        self._cork()

    def room(self) -> Room:
        """Where a message of up to `ROOM` bytes can be written; `wrote` says how many were."""
        poller = self.poller
        if poller.cork_size > CORK_SIZE - ROOM and poller.cork_fd == self.fd:
            self._flush_cork()
        return buffers.room_from(poller.cork_room, poller.cork_size)

    def wrote(self, data: Room, size: int) -> None:
        """Corks what was written to the `room`."""
        if self._is_broken:
            return
        if self.poller.cork_fd == self.fd and self._out is None:
            self.poller.cork_size += size
            return
        self._keep_unsent(data, 0, size)
        self._cork()

    def _keep_unsent(self, data: Memory, start: int, size: int) -> None:
        if self._out is None:
            self._out = bytearray()
        buffers.append(self._out, data, start, size)

    def _flush_cork(self) -> None:
        size = self.poller.cork_size
        self.poller.cork_size = 0
        self._write(self.poller.cork_room, size)

    def _write(self, data: Memory, size: int) -> None:
        """Writes at once what nothing waits before, and keeps what is not taken."""
        count = self._give(data, size)
        if count < size:
            self._keep_unsent(data, count, size - count)
            self._block()

    def _hand_over(self, data: Memory, size: int) -> None:
        """Gives the kernel the cork and a payload behind it; keeps what it does not take."""
        poller = self.poller
        corked = poller.cork_size
        poller.cork_size = 0
        try:
            count = max(syscalls.send_two(self.fd, poller.cork_room, corked, data, size), 0)
        except OSError as error:
            self.fail(error)
            return
        self.bytes_written += count
        if count < corked:
            self._keep_unsent(poller.cork_room, count, corked - count)
            count = corked
        if count - corked < size:
            self._keep_unsent(data, count - corked, size - (count - corked))
        if self._out is not None:
            self._block()

    def _drop_unsent(self) -> None:
        self._out = None
        if self.poller.cork_fd == self.fd:
            self.poller.cork_size = 0

    def borrow_cork(self) -> bool:
        """Takes the poller's cork until `return_cork`; False if it is taken."""
        if self.is_dead or self.poller.cork_fd >= 0:
            return False
        self.poller.cork_fd = self.fd
        self.poller.cork_size = 0
        return True

    def return_cork(self) -> None:
        """Gives it back; what is in it leaves with all that is corked."""
        if self.is_dead or self.poller.cork_fd != self.fd:
            return  # it has ended meanwhile
        size = self.poller.cork_size
        self.poller.cork_size = 0
        self.poller.cork_fd = -1
        if size:
            self._keep_unsent(self.poller.cork_room, 0, size)
            self._cork()

    # Ending.

    def end_writing(self) -> None:
        """Says the end of the stream (with TLS also there); what still comes is thrown away."""
        if self.tls is not None:
            self.tls.end()
            self.tls.release()
            self.tls = None  # having ended, it would fail at the peer's next record
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
        self.tls.release()
        self.tls = None
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
