"""What goes out on one socket: the cork, what waits for the kernel, and TLS that begins later.

What one turn of the poller sends to one connection leaves in one system call, and with TLS in as
few records as it fits. A write that fills the kernel's buffer says so by `is_blocked`, and one that
finds the connection broken has `flush` tell it when the turn ends.

The connection being served writes into the cork of the poller, without an object for it; the rest,
and what the kernel does not take, goes into `_out`.
"""

from __future__ import annotations

from lineman.base import buffers
from lineman.base.buffers import Memory, Room
from lineman.net.loop import syscalls
from lineman.net.loop.poller import CORK_SIZE, ONCE, READ, ROOM, WRITE, Poller
from lineman.net.stream.stream_status import AGAIN, BLOCKED, BROKE, QUIET, UNBLOCKED
from lineman.net.stream.tlsstream import TlsStream

# A payload from here on goes to the kernel from where it is, without being copied first.
LARGE = 16 * 1024


class StreamOutput:
    """Bytes to one peer; `Stream` is more of it.

    Attributes:
        bytes_written: payload bytes given to the kernel or to TLS.
        error: what has broken the connection, until it is taken.
        is_blocked: whether the kernel takes no more now.
        is_dead: whether the socket is closed.
        is_hung_up: whether both sides have ended; what the peer has sent may still be unread.
        is_starting_tls: whether TLS begins in mid-connection, and `go_on` was not called yet. What
            is written meanwhile waits for it, and the stream is blocked.
        paused: the reasons why the socket is not read, as bits; 0 while it is.
    """

    __slots__ = (
        "_clear",
        "_is_broken",
        "_is_due",
        "_out",
        "bytes_written",
        "error",
        "fd",
        "is_blocked",
        "is_dead",
        "is_hung_up",
        "is_starting_tls",
        "paused",
        "poller",
        "tls",
    )

    def _begin(self, poller: Poller, fd: int, tls: TlsStream | None) -> None:
        """In place of `__init__`, as a call in C; see `Stream`."""
        self.poller = poller
        self.fd = fd
        self.tls = tls
        self.error: Exception | None = None
        self._out: bytearray | None = None  # clear bytes that wait
        self._clear = 0  # so many of them leave in the clear, before a TLS that begins
        self.paused = 0
        self._is_due = False  # `flush` will be called
        self.is_blocked = False
        self._is_broken = False  # nothing is written any more: dead, or a write has failed
        self.is_dead = False
        self.is_hung_up = False
        self.is_starting_tls = False
        self.bytes_written = 0

    def _watch(self) -> None:
        read = 0 if self.paused or self._clear else READ
        writes = self.is_blocked
        if self.is_starting_tls and self.tls is not None:
            writes = self._clear > 0 or self.tls.wants_write
        events = read | (WRITE if writes else 0)
        if self.is_hung_up and not read:
            events |= ONCE  # epoll would tell of it without end
        self.poller.modify(self.fd, events)

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
        if out is None:
            return True
        if self.is_starting_tls:
            self._flush_clear(out)
            return False
        if not out or (self.tls is not None and not self.tls.is_established):
            return True  # what is corked waits for the handshake
        count = self._give(buffers.room_of(out), len(out))
        if self._is_broken or count == len(out):
            self._out = None
            return True
        del out[:count]
        return False

    def _flush_clear(self, out: bytearray) -> None:
        """Writes what leaves in the clear before the TLS that begins."""
        try:
            while self._clear:
                count = syscalls.send_from(self.fd, buffers.room_of(out), 0, self._clear)
                if count < 0:
                    return
                self.bytes_written += count
                self._clear -= count
                del out[:count]
                if not self._clear:
                    self._watch()
        except OSError as error:
            self.fail(error)

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

    def send_file(self, file: int, offset: int, count: int) -> int:
        """Gives the kernel a part of a file, where nothing else waits and there is no TLS.

        Returns:
            How many bytes it took; 0 at the end of the file; `AGAIN` if it takes none now.
        """
        try:
            sent = syscalls.send_file(self.fd, file, offset, count)
        except OSError as error:
            self.fail(error)
            return AGAIN
        if 0 != sent < count:
            self._block()
        if sent > 0:
            self.bytes_written += sent
        return sent

    def _drop_unsent(self) -> None:
        self._out = None
        self._clear = 0
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

    # TLS in mid-connection.

    def adopt_tls(self, tls: TlsStream | None) -> None:
        """Goes on with TLS whose handshake is done; before anything is read or written."""
        self.tls = tls

    def start_tls(self, tls: TlsStream) -> None:
        """Has the peer begin TLS, behind all that was written before, which leaves in the clear.

        What is written from now on leaves by TLS, once it is established and `go_on` is called.
        """
        if self.poller.cork_size and self.poller.cork_fd == self.fd:
            self._flush_cork()
        self._flush_out()
        if self._is_broken:
            tls.release()
            return
        self.tls = tls
        if self._out is None:
            self._out = bytearray()  # from now on nothing goes into the cork of the poller
        self._clear = len(self._out)
        self.is_starting_tls = self.is_blocked = True
        self._watch()

    def go_on(self) -> None:
        """Has what waits for TLS leave with the next `flush`."""
        self.is_starting_tls = False
        if not self._out:
            self._out = None

    def forgo_tls(self) -> None:
        """Goes on without the TLS that begins, if nothing waits for it: all ends."""
        if self.is_starting_tls and self._out is not None and len(self._out) == self._clear:
            self._drop_tls()
            self._watch()

    def _drop_tls(self) -> None:
        tls, self.tls = self.tls, None
        self.is_starting_tls = False
        self._clear = 0
        if tls is not None:
            tls.release()
