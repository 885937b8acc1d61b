"""A non-blocking socket in the poller: reads into the shared buffer, corks what is written.

What one batch of events sends to one connection leaves in one system call, and with TLS in as few
records as it fits. `Connection` gives the bytes their meaning.
"""

from __future__ import annotations

import ssl

from lineman.net import syscalls
from lineman.net.poller import BROKEN, READ, WRITE, Poller
from lineman.net.tlsstream import HANDSHAKE_RECORD, TlsStream, explain, is_end_of_tcp

# Corked output beyond this is handed to the kernel at once.
CORK_SIZE = 64 * 1024

PAUSED_BY_USER = 1
PAUSED_BY_INBOX = 2
PAUSED_BY_HANDSHAKE = 4
PAUSED_BY_GOODBYE = 8


class Transport:
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

    def __init__(self, poller: Poller, fd: int, tls: TlsStream | None) -> None:
        self.poller = poller
        self.fd = fd
        self._tls = tls
        self._out = bytearray()  # clear bytes that wait
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
        if not self._is_dead and self._out and not self._is_blocked:
            self.flush()

    def _receive(self) -> None:
        if self._tls is not None:
            self._receive_tls(self._tls)
            return
        buffer = self.poller.buffer
        try:
            count = syscalls.receive(self.fd, buffer)
        except OSError as error:
            self.on_lost(error)
            return
        if count > 0:
            self.bytes_read += count
            self.on_data(buffer[:count])
        elif count == 0:
            self.on_end()

    def _receive_tls(self, tls: TlsStream) -> None:
        try:
            if not tls.is_established and not self._shake_hands(tls):
                return
            buffer = self.poller.buffer
            while not self._is_dead:
                count = tls.read(buffer)
                if count <= 0:
                    break
                self.bytes_read += count
                self.on_data(buffer[:count])
                if self._is_dead or self._tls is None or not tls.pending:
                    return
        except OSError as error:  # ssl.SSLError is one
            if tls.is_established and is_end_of_tcp(error):
                self.on_end()
            else:
                self.on_lost(error)
            return
        if count == 0:
            self.on_end()

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

    def _watch(self) -> None:
        read = 0 if self._paused else READ
        self.poller.modify(self.fd, read | (WRITE if self._is_blocked else 0))

    # Writing.

    @property
    def unsent(self) -> int:
        """Bytes that wait to be taken by the kernel."""
        return len(self._out)

    def has_progressed(self) -> bool:
        """Whether bytes have left since this was last asked, and others still wait."""
        has_progressed = self.unsent > 0 and self.bytes_written != self._seen_written
        self._seen_written = self.bytes_written
        return has_progressed

    def write(self, data: bytes) -> None:
        """Corks the bytes: they leave at the end of this batch of events."""
        if self._is_dead:
            return
        self._out += data
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
        tls = self._tls
        if tls is not None and not tls.is_established:
            return True  # what is corked waits for the handshake
        while self._out:
            count = syscalls.send(self.fd, self._out) if tls is None else tls.write(self._out)
            if count < 0:
                return False
            self.bytes_written += count
            del self._out[:count]
        return True

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
        self._out = bytearray()  # or it would leave in the clear
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
        self._out = bytearray()
        self.poller.close_descriptor(self.fd)


def in_words(error: Exception) -> str:
    """Why a connection was lost, in words."""
    if isinstance(error, ssl.SSLError):
        return explain(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
