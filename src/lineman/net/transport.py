"""A non-blocking socket in the poller: reads into the shared buffer, corks what is written.

What one batch of events sends to one connection leaves in one system call, and with TLS in as few
records as it fits. `Connection` gives the bytes their meaning.
"""

from __future__ import annotations

from lineman.net import syscalls
from lineman.net.poller import BROKEN, CORK_SIZE, READ, WRITE, Handler, Poller
from lineman.net.tlsstream import HANDSHAKE_RECORD, TlsStream, is_end_of_tcp
from lineman.protocols.websocket import frames

try:
    import cython
except ImportError:
    from lineman import uncompiled as cython

# A payload from here on goes to the kernel from where it is, without being copied first.
LARGE = 16 * 1024
# Decrypted in one turn at least while more is at hand.
TURN = 64 * 1024

PAUSED_BY_USER, PAUSED_BY_INBOX, PAUSED_BY_HANDSHAKE, PAUSED_BY_GOODBYE = 1, 2, 4, 8


class Transport(Handler):
    """Bytes to and from one peer.

    Attributes:
        bytes_read: payload bytes received (after TLS).
        bytes_written: payload bytes given to the kernel or to TLS.
    """

    __slots__ = (
        "_is_blocked",
        "_is_corked",
        "_is_dead",
        "_is_known_tls",
        "_out",
        "_paused",
        "_seen_written",
        "_tls",
        "bytes_read",
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
        self._is_dead = False
        self._is_known_tls = False  # the first byte was looked at
        self._paused = 0
        self._seen_written = 0
        self.bytes_read = 0
        self.bytes_written = 0
        poller.add(fd, self, READ)

    # What a subclass does with it.

    def on_data(self, data: memoryview) -> None:
        """Takes bytes from the peer; the view is valid during the call only."""
        raise NotImplementedError

    def on_plain_client(self) -> None:
        """Learns that the peer does not speak TLS; what is written now leaves in the clear."""
        raise NotImplementedError

    def on_secured(self, tls: TlsStream) -> None:
        """Learns that TLS's handshake is done; an `ssl.SSLError` from here ends the connection."""

    def on_end(self) -> None:
        """Learns that the peer will send no more."""
        raise NotImplementedError

    def on_lost(self, error: Exception) -> None:
        """Learns that the connection is broken."""
        raise NotImplementedError

    def on_fault(self) -> None:
        """Gives the connection up."""
        raise NotImplementedError

    def on_blocked(self) -> None:
        """Learns that bytes wait because the kernel takes no more."""
        raise NotImplementedError

    def on_unblocked(self) -> None:
        """Learns that all that waited has left."""
        raise NotImplementedError

    # Reading.

    def on_events(self, events: int) -> None:
        """Serves the socket when the poller says that it is ready."""
        if events & WRITE:
            if self._tls is not None and not self._tls.is_established:
                events |= READ  # the handshake waited for room to write
            self.flush()
        if self._is_dead:
            return
        if events & (READ | BROKEN):
            if not self._paused:
                self._receive()
            elif events & BROKEN:
                self.on_lost(ConnectionResetError("connection reset"))
        if not self._is_blocked and self._unsent():
            self.flush()
        if self._tls is not None and self._tls.holds_back:
            self._tls.let_go()

    def _receive(self) -> None:
        if self._tls is not None:
            self._receive_tls(self._tls)
            return
        try:
            if cython.compiled:
                view = self.poller._view
                count = receive_into(self.fd, cython.address(view[0]), len(view))
            else:
                count = syscalls.receive(self.fd, self.poller.buffer)
        except OSError as error:
            self.on_lost(error)
            return
        if count > 0:
            self._pass_on(count)
        elif count == 0:
            self.on_end()

    def _pass_on(self, count: int) -> None:
        self.bytes_read += count
        if cython.compiled:
            self.on_data(self.poller._view[:count])
        else:
            self.on_data(self.poller.buffer[:count])

    def _receive_tls(self, tls: TlsStream) -> None:
        count = syscalls.AGAIN
        had = self.bytes_read
        try:
            if not tls.is_established and not (self._shake_hands(tls) and tls.pending()):
                return
            while True:
                count = self._decrypt(tls)
                if count <= 0:
                    break
                self._pass_on(count)
                if self._is_dead or self._paused or self._tls is None or not tls.pending():
                    return  # `resume` comes back to what is pending
                if self.bytes_read - had >= TURN:
                    self.poller.serve_again(self.fd)  # epoll does not know what OpenSSL holds
                    return
        except OSError as error:  # ssl.SSLError is one
            if tls.is_established and is_end_of_tcp(error):
                self.on_end()
            else:
                self.on_lost(error)
            return
        if count == 0:
            self.on_end()

    def _decrypt(self, tls: TlsStream) -> int:
        """Reads a record into the poller's buffer."""
        if cython.compiled and tls.is_direct:
            view = self.poller._view
            return tls.read_into(cython.address(view[0]), len(view))
        return tls.read(self.poller.buffer)

    def _shake_hands(self, tls: TlsStream) -> bool:
        if not self._is_known_tls:
            first = syscalls.peek(self.fd)
            if first == syscalls.ENDED:
                self.on_end()
            if first < 0:
                return False
            if first != HANDSHAKE_RECORD:
                self._tls = None
                tls.release()
                self.on_plain_client()
                return False
            self._is_known_tls = True
        is_done = tls.handshake()
        if tls.wants_write != self._is_blocked:
            self._is_blocked = tls.wants_write
            self._watch()
        if is_done:
            self.on_secured(tls)
        return is_done

    def pause(self, why: int) -> None:
        """Stops reading for a reason; the kernel's window then stops the peer."""
        if not self._paused and not self._is_dead:
            self._paused = why
            self._watch()
        self._paused |= why

    def resume(self, why: int) -> None:
        """Takes one reason back; reading goes on when none is left."""
        if self._paused & why:
            self._paused &= ~why
            if not self._paused and not self._is_dead:
                self._watch()
                if self._tls is not None and self._tls.is_established and self._tls.pending():
                    self.poller.serve_again(self.fd)

    def _watch(self) -> None:
        read = 0 if self._paused else READ
        self.poller.modify(self.fd, read | (WRITE if self._is_blocked else 0))

    @property
    def is_paused(self) -> bool:
        """Whether the socket is not read now, for whatever reason."""
        return self._paused != 0

    # Writing.

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
        """Corks the bytes: they leave at the end of this batch of events."""
        if self._is_dead:
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
        """Has `flush` called once, soon; at once where much waits already."""
        assert self._out is not None
        if len(self._out) >= CORK_SIZE and not self._is_blocked:
            self.flush()
        elif not self._is_corked:
            self._is_corked = True
            self.poller.cork(self)

    def flush(self) -> None:
        """Gives the kernel what is corked, as far as it takes it."""
        self._is_corked = False
        if self._is_dead:
            return
        try:
            if cython.compiled and self.poller.cork_size and self.poller.cork_owner is self:
                self._flush_cork()
            is_done = self._flush_out()
        except OSError as error:
            self.on_lost(error)
            return
        if is_done:
            if self._is_blocked:
                self._is_blocked = False
                self._watch()
                self.on_unblocked()
        elif not self._is_blocked:
            self._is_blocked = True
            self._watch()
            self.on_blocked()

    def _flush_out(self) -> bool:
        """Writes as much as is taken; whether that was all."""
        out = self._out
        if not out or (self._tls is not None and not self._tls.is_established):
            return True  # what is corked waits for the handshake
        if cython.compiled:
            count = self._give(cython.cast(p_uchar, PyByteArray_AS_STRING(out)), len(out))
        else:
            count = self._give(out, len(out))
        if count < len(out):
            del out[:count]
            return False
        self._out = None
        return True

    def _give(self, data: bytes | bytearray, size: int) -> int:
        """Gives the kernel, or TLS, as many bytes of these as it takes; how many it took."""
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
        if self._is_dead:
            return
        if poller.cork_owner is self and self._out is None:
            if size >= LARGE and self._tls is None:
                self._hand_over(data, size)
                return
            if poller.cork_size + size > CORK_SIZE:
                self._flush_cork()
            if size <= CORK_SIZE and self._out is None:
                memcpy(poller.cork_room + poller.cork_size, data, size)
                poller.cork_size += size
                return
        if size >= LARGE and self._out is None and not self._is_dead:
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
        try:
            count = self._give(data, size)
        except OSError as error:
            self.on_lost(error)
            return
        if count < size:
            self._keep(cython.address(data[count]), size - count)
            self._is_now_blocked()

    def _hand_over(self, data: bytes, size: int) -> None:
        """Gives the kernel the cork and a payload behind it; keeps what it does not take."""
        assert cython.compiled
        poller = self.poller
        corked = poller.cork_size
        poller.cork_size = 0
        count = lineman_send_two(self.fd, poller.cork_room, corked, data, size)
        if count == -2:
            self.on_lost(syscalls.last_error())
            return
        count = max(count, 0)
        self.bytes_written += count
        if count < corked:
            self._keep(poller.cork_room + count, corked - count)
            count = corked
        if count - corked < size:
            self._keep(data + (count - corked), size - (count - corked))
        if self._out is not None:
            self._is_now_blocked()

    def _is_now_blocked(self) -> None:
        assert cython.compiled
        if not self._is_blocked and not self._is_dead:
            self._is_blocked = True
            self._watch()
            self.on_blocked()

    # Ending.

    def end_writing(self) -> None:
        """Says the end of the stream (with TLS also there); what still comes is thrown away."""
        if self._tls is not None:
            self._tls.end()
            self._tls.release()
            self._tls = None  # having ended, it would fail at the peer's next record
        syscalls.finish_writing(self.fd)

    def abandon_tls(self) -> bool:
        """Drops TLS after it has failed, if there is any; what still comes is thrown away."""
        if self._tls is None:
            return False
        self._tls.release()
        self._tls = None
        self._drop_unsent()  # or it would leave in the clear
        return True

    def shut(self) -> None:
        """Closes the socket now; what is unsent is lost."""
        if self._is_dead:
            return
        if self._tls is not None:
            if not self._is_blocked:
                self._tls.end()
            self._tls.release()
        self._is_dead = True
        self._drop_unsent()
        self.poller.close_descriptor(self.fd)

    def _drop_unsent(self) -> None:
        self._out = None
        if self.poller.cork_owner is self:
            self.poller.cork_size = 0
