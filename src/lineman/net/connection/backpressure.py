"""What happens when the peer reads more slowly than the program sends.

The ordinary connection never comes here. Once the kernel takes no more, what a message meets is
the worker's policy: up to `max_send_buffer_size` it waits; past that the connection is closed, or
its oldest messages are dropped from an `Outbox`.
"""

from __future__ import annotations

import logging

from lineman.errors import ConnectionLost, UsageError
from lineman.net.connection.callbacks import ErrorCode
from lineman.net.connection.lifecycle import Lifecycle
from lineman.net.connection.outbox import Outbox, SlowReaders, Waiting, size_of
from lineman.net.connection.state import CLOSED, FINISHING, HANDSHAKE, OPEN
from lineman.protocols.websocket import close as closing
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.decoder import Ping


class Backpressure(Lifecycle):
    """Keeps what waits for one peer within the limit, and says so."""

    __slots__ = ()

    # What the socket says.

    def on_blocked(self) -> None:
        """Learns that the kernel takes no more now."""
        self.check_full()

    def on_unblocked(self) -> None:
        """Learns that all that was handed to the socket has left."""
        if self._outbox is not None and not self._pour(self._outbox):
            return
        self.end_drain()
        if self._is_full:
            self._is_full = False
            self.tell(self.service.callbacks.on_buffer_drain)
        if self._state is FINISHING and not self.unsent:  # the callback may have sent and closed
            self._all_sent()

    def _pour(self, outbox: Outbox) -> bool:
        """Writes what waits, as far as the kernel takes it; whether that was all."""
        self._write_pong(outbox)
        while len(outbox) and not self._stream.is_blocked and self._outbox is outbox:
            self._write_held(outbox.pop())
        if self._outbox is outbox and not len(outbox):
            self._outbox = None
            if outbox.given_up:
                self.service.log.log(
                    logging.INFO,
                    "slow readers that go on",
                    "%s: reads again; %d messages were not sent to it",
                    self,
                    outbox.given_up,
                )
        self.flush()
        return not self._stream.is_blocked and self._state is not CLOSED

    def release_held(self) -> None:
        """Hands everything that waits to the socket, before a close frame goes the same way."""
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            self._write_pong(outbox)
            while len(outbox):
                self._write_held(outbox.pop())

    def _write_pong(self, outbox: Outbox) -> None:
        if outbox.pong is not None:
            self._write_frame(frames.FIN | frames.PONG, outbox.pong)
            outbox.pong = None

    def _write_held(self, entry: Waiting) -> None:
        if isinstance(entry, bytes):
            self._stream.write(entry)
        else:
            first, payload = self.shrunk(entry)
            self._write_frame(first, payload)

    def shrunk(self, message: tuple[int, bytes]) -> tuple[int, bytes]:
        """The first byte of a message's frame, and its payload, compressed where that gains."""
        first, payload = message
        shrunk = None if self._compressor is None else self._compressor.shrink(payload)
        return message if shrunk is None else (first | frames.RSV1, shrunk)

    # What the program sends meanwhile.

    def may_send(self) -> bool:
        """Whether a message may be sent, or wait, on a connection that is blocked or not open.

        Raises:
            UsageError: it is not open yet.
        """
        if self._state is HANDSHAKE:
            raise UsageError("the connection is not open yet; send from on_connect on")
        if self._state is not OPEN or self._is_ended_by_us:
            self.service.send_failures += 1
            return False
        if self.service.slow_readers is not SlowReaders.CLOSE:
            return True
        if self.unsent >= self.service.limits.max_send_buffer_size:
            self.close_slow_reader()
            return False
        return True

    def hold(self, entry: Waiting, key: object) -> bool:
        """Has a message wait until the peer reads on; False if it is larger than what may wait."""
        limit = self.service.limits.max_send_buffer_size
        if size_of(entry) > limit:
            self.service.send_failures += 1
            self._note_given_up(1, f"a message of {size_of(entry)} bytes is dropped")
            return False
        outbox = self._outbox
        if outbox is None:
            outbox = self._outbox = Outbox(self.service.slow_readers is SlowReaders.LATEST)
        before = outbox.given_up
        dropped = outbox.put(entry, key, limit - self._stream.unsent())
        self.messages_written += 1
        if outbox.given_up > before:
            what = "" if before else "its oldest messages are dropped"
            if not dropped:
                what = "" if before else "its messages are replaced by newer ones of their key"
            self._note_given_up(outbox.given_up - before, what)
        self.check_full(dropped > 0)
        return True

    def _note_given_up(self, count: int, what: str) -> None:
        self.messages_dropped += count
        self.service.messages_dropped += count
        if what:
            limit = self.service.limits.max_send_buffer_size
            self.service.log.log(
                logging.WARNING,
                "slow readers",
                "%s: reads too slowly: %d bytes wait, %d may; %s",
                self,
                self.unsent,
                limit,
                what,
            )

    def check_full(self, is_over: bool = False) -> None:
        """Tells the program, once, when as much waits for this peer as may.

        Args:
            is_over: whether a message had to be dropped, which may keep the rest below the limit.
        """
        if self._is_full or self._state is not OPEN:
            return
        if is_over or self.unsent >= self.service.limits.max_send_buffer_size:
            self._is_full = True
            self.tell(self.service.callbacks.on_buffer_full)

    def answer_ping(self, ping: Ping) -> None:
        """Sends a pong, unless the peer sends pings and reads nothing."""
        if self._stream.is_blocked and self.service.slow_readers is not SlowReaders.CLOSE:
            if self._outbox is None:
                self._outbox = Outbox(self.service.slow_readers is SlowReaders.LATEST)
            self._outbox.pong = ping.payload
        elif self._stream.is_blocked and self.unsent >= self.service.limits.max_send_buffer_size:
            self.close_slow_reader()
        else:
            self._write_frame(frames.FIN | frames.PONG, ping.payload)
            if self._stream.is_blocked:
                self.check_full()

    def close_slow_reader(self) -> None:
        """Closes a connection whose peer lets too much wait."""
        self._is_ended_by_us = True  # what the callback, or a log handler, sends to it is refused
        limit = self.service.limits.max_send_buffer_size
        reason = f"reads too slowly: {self.unsent} bytes wait, {limit} may"
        error = ConnectionLost(closing.TRY_AGAIN_LATER, reason)
        self.service.send_failures += 1
        self.service.log.log(logging.WARNING, "slow readers", "%s: %s", self, reason)
        self.tell(self.service.callbacks.on_error, ErrorCode.SEND_FAIL, error)
        if self._state is OPEN:
            self.start_close(closing.TRY_AGAIN_LATER, reason)

    def end_drain(self) -> None:
        """Wakes those who wait for all to have left."""
        waiters, self._drain_waiters = self._drain_waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)
