"""The writing half of a socket in the poller: what is written is corked, and leaves in one piece.

What one turn of the poller sends to one connection leaves in one system call, and with TLS in as
few records as it fits.

Nothing here but `flush` runs what the program wrote: no callback ever comes upon half a frame. A
write that fills the kernel's buffer says so by what it leaves unsent, and one that finds the
connection broken has `flush` tell it when the turn ends.
"""

from __future__ import annotations

from lineman.net import syscalls
from lineman.net.poller import CORK_SIZE, READ, WRITE, Handler, Poller
from lineman.net.tlsstream import TlsStream
from lineman.protocols.websocket import frames

try:
    import cython
except ImportError:
    from lineman import uncompiled as cython

# A payload from here on goes to the kernel from where it is, without being copied first.
LARGE = 16 * 1024


class Output(Handler):
    """Bytes to one peer.

    Attributes:
        bytes_written: payload bytes given to the kernel or to TLS.
    """

    __slots__ = (
        "_error",
        "_is_blocked",
        "_is_broken",
        "_is_corked",
        "_is_dead",
        "_out",
        "_paused",
        "_seen_written",
        "_tls",
        "bytes_written",
        "fd",
        "poller",
    )

    def _attach(self, poller: Poller, fd: int, tls: TlsStream | None) -> None:
        """In place of `__init__`: four of them calling each other cost more than what they do."""
        self.poller = poller
        self.fd = fd
        self._tls = tls
        self._out: bytearray | None = None  # clear bytes that wait
        self._is_corked = False
        self._is_blocked = False  # the kernel takes no more now
        self._is_broken = False  # nothing is written any more: dead, or a write has failed
        self._error: Exception | None = None  # what that write failed with, until `flush` tells it
        self._is_dead = False
        self._paused = 0
        self._seen_written = 0
        self.bytes_written = 0

    # What a subclass does with it.

    def break_off(self, error: Exception) -> None:
        """Learns what a write has failed with."""
        raise NotImplementedError

    def on_blocked(self) -> None:
        """Learns that bytes wait because the kernel takes no more."""
        raise NotImplementedError

    def on_unblocked(self) -> None:
        """Learns that all that waited has left."""
        raise NotImplementedError

    def _watch(self) -> None:
        read = 0 if self._paused else READ
        self.poller.modify(self.fd, read | (WRITE if self._is_blocked else 0))

    @property
    def unsent(self) -> int:
        """Bytes that wait to be taken by the kernel."""
        return self._unsent()

    def _unsent(self) -> int:
        waiting = 0 if self._out is None else len(self._out)
        if cython.compiled and self.poller.cork_owner is self:
            waiting += self.poller.cork_size
        return waiting

    def has_progressed(self) -> bool:
        """Whether bytes have left since this was last asked, and others still wait."""
        has_progressed = self.unsent > 0 and self.bytes_written != self._seen_written
        self._seen_written = self.bytes_written
        return has_progressed

    def write(self, data: bytes) -> None:
        """Corks the bytes: they leave at the end of this turn."""
        if self._is_broken:
            return
        if cython.compiled:
            self._put(cython.cast(p_uchar, PyBytes_AS_STRING(data)), len(data))
            return
        if self._out is None:
            self._out = bytearray()
        self._out += data
        self._cork()

    def write_frame(self, first: int, payload: bytes) -> None:
        """Corks a frame.

        Args:
            first: the frame's first byte: opcode, FIN and reserved bits.
            payload: what follows its header.
        """
        if cython.compiled:
            self._put_frame(first, cython.cast(p_uchar, PyBytes_AS_STRING(payload)), len(payload))
        else:
            self.write(frames.whole(first, payload))

    def _cork(self) -> None:
        """Has `flush` called once, soon; much that waits already leaves at once."""
        assert self._out is not None
        if len(self._out) >= CORK_SIZE and not self._is_blocked and not self._flush_out():
            self._block()
        self._call_flush()

    def _call_flush(self) -> None:
        if not self._is_corked:
            self._is_corked = True
            self.poller.cork(self)

    def flush(self) -> None:
        """Gives the kernel what is corked, as far as it takes it, and tells what came of that."""
        self._is_corked = False
        if self._is_dead:
            return
        if cython.compiled and self.poller.cork_size and self.poller.cork_owner is self:
            self._flush_cork()
        is_done = self._flush_out()
        if self._error is not None:
            error, self._error = self._error, None
            self.break_off(error)
        elif not is_done:
            self._block()
            self.on_blocked()
        elif self._is_blocked:
            self._is_blocked = False
            self._watch()
            self.on_unblocked()

    def _block(self) -> None:
        """Waits for the kernel to take more."""
        if not self._is_blocked and not self._is_broken:
            self._is_blocked = True
            self._watch()

    def _break(self, error: Exception) -> None:
        """Notes what a write has failed with; `flush` will tell it."""
        self._is_broken = True
        self._error = error
        self._drop_unsent()
        self._call_flush()

    def _flush_out(self) -> bool:
        """Writes as much as is taken; whether nothing waits for the kernel then."""
        out = self._out
        if not out or (self._tls is not None and not self._tls.is_established):
            return True  # what is corked waits for the handshake
        if cython.compiled:
            count = self._give(cython.cast(p_uchar, PyByteArray_AS_STRING(out)), len(out))
        else:
            count = self._give(out, len(out))
        if self._is_broken or count == len(out):
            self._out = None
            return True
        del out[:count]
        return False

    def _give(self, data: bytes | bytearray, size: int) -> int:
        """Gives the kernel, or TLS, as many bytes of these as it takes; how many it took.

        Where the connection is broken nothing more need wait: that counts as all of them.
        """
        try:
            return self._give_some(data, size)
        except OSError as error:
            self._break(error)
            return size

    def _give_some(self, data: bytes | bytearray, size: int) -> int:
        tls, start = self._tls, 0
        while start < size:
            if not cython.compiled:
                with memoryview(data)[start:] as rest:
                    count = syscalls.send(self.fd, rest) if tls is None else tls.write(rest)
            elif tls is None:
                count = send_from(self.fd, cython.cast(p_char, data + start), size - start)
            elif tls.is_direct:
                count = tls.write_from(data + start, size - start)
            else:
                room = cython.cast(p_char, data + start)
                count = tls.write(PyMemoryView_FromMemory(room, size - start, PyBUF_READ))
            if count < 0:
                break
            self.bytes_written += count
            start += count
        return start

    # Writing, compiled: what the connection being served writes goes into the cork of the poller,
    # without an object for it; the rest, and what the kernel does not take, into `_out`.

    def _put_frame(self, first: int, payload: bytes, size: int) -> None:
        assert cython.compiled
        head = self.poller.frame_head
        self._put(head, lineman_header(head, first, size))
        if size:
            self._put(payload, size)

    def _put(self, data: bytes, size: int) -> None:
        assert cython.compiled
        poller = self.poller
        if self._is_broken:
            return
        if poller.cork_owner is self and self._out is None:
            if size >= LARGE and self._tls is None:
                self._hand_over(data, size)
                return
            if poller.cork_size + size > CORK_SIZE:
                self._flush_cork()
                if self._is_broken:
                    return
            if size <= CORK_SIZE and self._out is None:
                memcpy(poller.cork_room + poller.cork_size, data, size)
                poller.cork_size += size
                return
        if size >= LARGE and self._out is None:
            self._write(data, size)  # without a copy for each receiver of a broadcast
            return
        self._keep(data, size)
        self._cork()

    def _keep(self, data: bytes, size: int) -> None:
        assert cython.compiled
        if self._out is None:
            self._out = PyByteArray_FromStringAndSize(cython.cast(p_char, data), size)
            return
        had = len(self._out)
        PyByteArray_Resize(self._out, had + size)
        memcpy(PyByteArray_AS_STRING(self._out) + had, data, size)

    def _flush_cork(self) -> None:
        assert cython.compiled
        size = self.poller.cork_size
        self.poller.cork_size = 0
        self._write(self.poller.cork_room, size)

    def _write(self, data: bytes, size: int) -> None:
        """Writes at once what nothing waits before, and keeps what is not taken."""
        assert cython.compiled
        count = self._give(data, size)
        if count < size:
            self._keep(cython.address(data[count]), size - count)
            self._block()

    def _hand_over(self, data: bytes, size: int) -> None:
        """Gives the kernel the cork and a payload behind it; keeps what it does not take."""
        assert cython.compiled
        poller = self.poller
        corked = poller.cork_size
        poller.cork_size = 0
        count = lineman_send_two(self.fd, poller.cork_room, corked, data, size)
        if count == -2:
            self._break(syscalls.last_error())
            return
        count = max(count, 0)
        self.bytes_written += count
        if count < corked:
            self._keep(poller.cork_room + count, corked - count)
            count = corked
        if count - corked < size:
            self._keep(data + (count - corked), size - (count - corked))
        if self._out is not None:
            self._block()

    def _drop_unsent(self) -> None:
        self._out = None
        if self.poller.cork_owner is self:
            self.poller.cork_size = 0
