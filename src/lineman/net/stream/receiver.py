"""Serves a stream, turn by turn: what comes from it, and what has become of what was written.

What a connection gets of a turn is limited, see `net/loop/turn.py`. Three kinds are served *behind*
the others, in the poller's queue: who has not shaken hands yet, who has used up a share within the
last second, and who has bytes at hand that epoll does not tell of.
"""

from __future__ import annotations

from lineman.base import buffers
from lineman.base.buffers import Memory
from lineman.net.loop.poller import BROKEN, READ, WRITE, Handler, Poller
from lineman.net.stream.stream import Stream
from lineman.net.stream.stream_status import (
    BLOCKED,
    BROKE,
    ENDED,
    LOST,
    PAUSED_BY_GOODBYE,
    PLAIN,
    SECURED,
    UNBLOCKED,
)
from lineman.net.stream.tlsstream import TlsStream
from lineman.protocols.websocket import frames

# Who has used up a share is served behind the others for so long: a second is little for a burst,
# and a flood that comes in portions is one all the same.
BEHIND_TIME = 1.0
_BEHIND_TIME = BEHIND_TIME  # as a C number


class Receiver(Handler):
    """Bytes from one peer."""

    __slots__ = (
        "_behind_until",
        "_is_behind",
        "_is_queued",
        "_seen_written",
        "_stream",
        "poller",
    )

    def _begin_reading(self, poller: Poller, fd: int, tls: TlsStream | None) -> None:
        """In place of `__init__`."""
        self._stream = Stream(poller, fd, tls)
        self.poller = poller
        self._is_queued = False
        self._is_behind = True
        self._behind_until = 0.0
        self._seen_written = 0
        poller.add(fd, self, READ)

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
        """Learns that TLS's handshake is done."""
        raise NotImplementedError

    def on_end(self) -> None:
        """Learns that the peer will send no more."""
        raise NotImplementedError

    def on_lost(self, error: Exception) -> None:
        """Learns that the connection is broken."""
        raise NotImplementedError

    def on_blocked(self) -> None:
        """Learns that bytes wait because the kernel takes no more."""
        raise NotImplementedError

    def on_unblocked(self) -> None:
        """Learns that all that waited has left."""
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
        stream = self._stream
        if events & WRITE:
            if stream.shakes_hands():
                events |= READ  # the handshake waited for room to write
            self.flush()
        if stream.is_dead:
            return
        if events & (READ | BROKEN) and not self._is_queued:
            if stream.paused:
                if events & BROKEN:
                    stream.fail(ConnectionResetError("connection reset"))
            elif self._is_behind:
                self._put_off()
                return  # and comes back in this very turn where there is time
            else:
                self._receive()
        self._end_service()

    def on_turn(self) -> None:
        """Goes on where the last share ended."""
        stream = self._stream
        if not self._is_queued:
            return  # it was another's turn, who had this descriptor before
        self._is_queued = False
        if stream.is_dead:
            return
        if stream.kept is not None:
            if stream.paused & ~PAUSED_BY_GOODBYE and stream.error is None:
                return  # `resume` comes back
            self._use_kept()
        if stream.kept is None and not stream.is_dead:
            if stream.error is not None:
                self.on_lost(stream.take_error())
            elif not stream.paused and not self._is_queued:
                self._receive()
        if not self._is_queued and self.poller.wheel.now >= self._behind_until:
            self._is_behind = not self.has_opened()
        self._end_service()

    def _end_service(self) -> None:
        stream = self._stream
        if not stream.is_blocked and stream.unsent():
            self.flush()
        if stream.tls is not None and stream.tls.holds_back:
            stream.tls.let_go()

    def flush(self) -> None:
        """Gives the kernel what is corked, and acts on what came of that."""
        status = self._stream.flush()
        if status == UNBLOCKED:
            self.on_unblocked()
        elif status == BLOCKED:
            self.on_blocked()
        elif status == BROKE:
            if self._stream.kept is None:
                self.on_lost(self._stream.take_error())
            else:
                self._put_off()  # what was received well is used first, whoever has paused it

    # What there was no time for.

    def has_had_share(self) -> bool:
        """Counts a step of work; whether what is left of it must be given to `keep`."""
        return self.poller.turn.spend()

    def keep(self, rest: bytes) -> None:
        """Keeps bytes, behind those that are kept already, and goes on with them in another turn.

        Args:
            rest: may be empty, where what is unfinished lies elsewhere.
        """
        if not self._stream.is_dead:
            self._stream.keep(rest)
            self._fall_behind()

    def _fall_behind(self) -> None:
        if self.poller.turn.serves_queue:  # the share of those who are newly ready is small
            self._is_behind = True
            self._behind_until = self.poller.wheel.now + _BEHIND_TIME
        self._put_off()

    def _put_off(self) -> None:
        if not self._is_queued:
            self._is_queued = True
            self.poller.put_off(self._stream.fd)

    def _use_kept(self) -> None:
        kept = self._stream.take_kept()
        self.on_data(memoryview(kept))
        if self._stream.kept is None and not self._stream.is_dead:
            self.on_used_up()

    # Writing.

    def write(self, data: bytes) -> None:
        """Corks the bytes: they leave at the end of this turn."""
        self._stream.write(data)

    def _write_frame(self, first: int, payload: bytes) -> None:
        """Corks a frame.

        Args:
            first: the frame's first byte: opcode, FIN and reserved bits.
            payload: what follows its header.
        """
        self._put_frame(first, buffers.data_of(payload), len(payload))

    def _put_frame(self, first: int, payload: Memory, size: int) -> None:
        """The same, for a payload that lies somewhere."""
        head = self.poller.frame_head
        self._stream.put(head, frames.put_header(head, first, size))
        if size:
            self._stream.put(payload, size)

    # Reading.

    def _receive(self) -> None:
        stream = self._stream
        while True:
            count = stream.receive()
            if count > 0:
                self.on_data(self.poller._view[:count])
            elif count == SECURED:
                assert stream.tls is not None
                self.on_secured(stream.tls)
            else:
                if count == ENDED:
                    self.on_end()
                elif count == LOST:
                    self.on_lost(stream.take_error())
                elif count == PLAIN:
                    self.on_plain_client()
                return
            if stream.tls is None or stream.is_dead or stream.paused or self._is_queued:
                return  # `resume` and `on_turn` come back to what is pending
            if not stream.tls.pending():
                return
            if count > 0 and self.has_had_share():
                self._fall_behind()  # epoll does not know what OpenSSL holds
                return

    def _has_progressed(self) -> bool:
        """Whether bytes have left since this was last asked, and others still wait."""
        stream = self._stream
        has_progressed = stream.unsent() > 0 and stream.bytes_written != self._seen_written
        self._seen_written = stream.bytes_written
        return has_progressed

    def pause(self, why: int) -> None:
        """Stops reading for a reason; the kernel's window then stops the peer."""
        self._stream.pause(why)

    def resume(self, why: int) -> None:
        """Takes one reason back; reading goes on when none is left."""
        if self._stream.resume(why):
            self._put_off()

    # What is asked from outside.

    @property
    def fd(self) -> int:
        """The descriptor."""
        return self._stream.fd

    @property
    def is_paused(self) -> bool:
        """Whether the socket is not read now, for whatever reason."""
        return self._stream.paused != 0

    @property
    def bytes_read(self) -> int:
        """Payload bytes received (after TLS)."""
        return self._stream.bytes_read

    @property
    def bytes_written(self) -> int:
        """Payload bytes given to the kernel or to TLS."""
        return self._stream.bytes_written
