"""A non-blocking socket in the poller: what is read into the shared buffer, and how it ends.

`Output` is its writing half; `Connection` gives the bytes their meaning.
"""

from __future__ import annotations

from lineman.net import syscalls
from lineman.net.output import Output
from lineman.net.poller import BROKEN, READ, WRITE, Poller
from lineman.net.tlsstream import HANDSHAKE_RECORD, TlsStream, is_end_of_tcp

try:
    import cython
except ImportError:
    from lineman import uncompiled as cython

# Decrypted in one turn at least while more is at hand.
TURN = 64 * 1024

PAUSED_BY_USER, PAUSED_BY_INBOX, PAUSED_BY_HANDSHAKE, PAUSED_BY_GOODBYE = 1, 2, 4, 8


class Transport(Output):
    """Bytes to and from one peer.

    Attributes:
        bytes_read: payload bytes received (after TLS).
    """

    __slots__ = ("_is_known_tls", "bytes_read")

    def _start(self, poller: Poller, fd: int, tls: TlsStream | None) -> None:
        """In place of `__init__`, as `_attach`."""
        self._attach(poller, fd, tls)
        self._is_known_tls = False  # the first byte was looked at
        self.bytes_read = 0
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

    def on_fault(self) -> None:
        """Gives the connection up."""
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

    @property
    def is_paused(self) -> bool:
        """Whether the socket is not read now, for whatever reason."""
        return self._paused != 0

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
        self._is_dead = self._is_broken = True
        self._error = None
        self._drop_unsent()
        self.poller.close_descriptor(self.fd)
