"""A non-blocking socket in the poller, the half that reads: into the shared buffer, turn by turn.

What a connection gets of a turn is limited, see `lineman.net.turn`. Bytes that there was no time
for are *kept*, and its socket is not read before they are used up, so that the kernel stops the
peer; its end, too, is then met after them.

Three kinds are served *behind* the others, in the poller's queue: who has not shaken hands yet, who
has used up a share within the last second, and who has bytes at hand that epoll does not tell of.
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

PAUSED_BY_USER, PAUSED_BY_INBOX, PAUSED_BY_HANDSHAKE, PAUSED_BY_GOODBYE = 1, 2, 4, 8
_PAUSED_BY_GOODBYE = PAUSED_BY_GOODBYE  # as a C number

# Who has used up a share is served behind the others for so long: a second is little for a burst,
# and a flood that comes in portions is one all the same.
BEHIND_TIME = 1.0
_BEHIND_TIME = BEHIND_TIME


class Receiver(Output):
    """Bytes from one peer.

    Attributes:
        bytes_read: payload bytes received (after TLS).
    """

    __slots__ = (
        "_behind_until",
        "_failure",
        "_is_behind",
        "_is_known_tls",
        "_is_queued",
        "_kept",
        "bytes_read",
    )

    def _begin_reading(self, poller: Poller, fd: int, tls: TlsStream | None) -> None:
        """In place of `__init__`, as `_attach`."""
        self._attach(poller, fd, tls)
        self._is_known_tls = False  # the first byte was looked at
        self._kept: bytes | None = None
        self._failure: Exception | None = None  # what ends the connection after that
        self._is_queued = False
        self._is_behind = True
        self._behind_until = 0.0
        self.bytes_read = 0

    # What a subclass does with it.

    def on_data(self, data: memoryview) -> None:
        """Takes bytes from the peer; the view is valid during the call only.

        Where they are more than a share of the turn, what is left is given to `keep`.
        """
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

    def on_used_up(self) -> None:
        """Learns that nothing is kept any more."""
        raise NotImplementedError

    def has_opened(self) -> bool:
        """Whether all handshakes are done."""
        raise NotImplementedError

    # Events.

    def on_events(self, events: int) -> None:
        """Serves the socket when the poller says that it is ready."""
        if events & WRITE:
            if self._tls is not None and not self._tls.is_established:
                events |= READ  # the handshake waited for room to write
            self.flush()
        if self._is_dead:
            return
        if events & (READ | BROKEN) and not self._is_queued:
            if self._paused:
                if events & BROKEN:
                    self.break_off(ConnectionResetError("connection reset"))
            elif self._is_behind:
                self._put_off()
                return  # and comes back in this very turn where there is time
            else:
                self._receive()
        self._end_service()

    def on_turn(self) -> None:
        """Goes on where the last share ended."""
        self._is_queued = False
        if self._is_dead:
            return
        if self._kept is not None:
            if self._paused & ~_PAUSED_BY_GOODBYE and self._failure is None:
                return  # `resume` comes back
            self._use_kept()
        if self._kept is None and not self._is_dead:
            if self._failure is not None:
                self.on_lost(self._failure)
            elif not self._paused and not self._is_queued:
                self._receive()
        if not self._is_queued and self.poller.wheel.now >= self._behind_until:
            self._is_behind = not self.has_opened()
        self._end_service()

    def _end_service(self) -> None:
        if not self._is_blocked and self._unsent():
            self.flush()
        if self._tls is not None and self._tls.holds_back:
            self._tls.let_go()

    # What there was no time for.

    def has_had_share(self) -> bool:
        """Counts a step of work; whether what is left of it must be given to `keep`."""
        return self.poller.turn.spend()

    def keep(self, rest: bytes) -> None:
        """Keeps bytes, behind those that are kept already, and goes on with them in another turn.

        Args:
            rest: may be empty, where what is unfinished lies elsewhere.
        """
        if self._is_dead:
            return
        self.poller.note_kept(len(rest))
        self._kept = rest if self._kept is None else self._kept + rest
        self._fall_behind()

    def _fall_behind(self) -> None:
        if self.poller.turn.serves_queue:  # the share of those who are newly ready is small
            self._is_behind = True
            self._behind_until = self.poller.wheel.now + _BEHIND_TIME
        self._put_off()

    def _put_off(self) -> None:
        if not self._is_queued:
            self._is_queued = True
            self.poller.put_off(self)

    def _use_kept(self) -> None:
        kept = self._kept
        assert kept is not None
        self._drop_kept()
        self.on_data(memoryview(kept))
        if self._kept is None and not self._is_dead:
            self.on_used_up()

    def _drop_kept(self) -> None:
        if self._kept is not None:
            self.poller.note_kept(-len(self._kept))
            self._kept = None

    def break_off(self, error: Exception) -> None:
        """Loses the connection, as soon as what is kept has been used up, whoever has paused it."""
        if self._kept is None:
            self.on_lost(error)
        elif self._failure is None:
            self._failure = error
            self._drop_unsent()
            self._put_off()

    # Reading.

    def _receive(self) -> None:
        if self._tls is not None:
            self._receive_tls(self._tls)
            return
        try:
            if cython.compiled:
                view = self.poller._view
                count = receive_into(self.fd, cython.address(view[0]), self.poller.read_size)
            else:
                count = syscalls.receive(self.fd, self.poller.buffer[: self.poller.read_size])
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
        try:
            if not tls.is_established and not (self._shake_hands(tls) and tls.pending()):
                return
            while True:
                count = self._decrypt(tls)
                if count <= 0:
                    break
                self._pass_on(count)
                if self._is_dead or self._paused or self._is_queued:
                    return  # `resume` and `on_turn` come back to what is pending
                if self._tls is None or not tls.pending():
                    return
                if self.has_had_share():
                    self._fall_behind()  # epoll does not know what OpenSSL holds
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
                if self._has_more():
                    self._put_off()

    def _has_more(self) -> bool:
        """Whether something was received that epoll does not tell of."""
        if self._kept is not None:
            return True
        return self._tls is not None and self._tls.is_established and self._tls.pending()

    @property
    def is_paused(self) -> bool:
        """Whether the socket is not read now, for whatever reason."""
        return self._paused != 0
