"""What the program sends to a peer, and what becomes of it where the peer reads too slowly.

Once the kernel takes no more, what a message meets is the worker's policy: up to
`max_send_buffer_size` it waits; past that the connection is closed, or its oldest messages are
dropped from a `SendQueue`. The ordinary connection never has one.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable
from typing import Any

from lineman.base import address, buffers
from lineman.base.buffers import Memory
from lineman.base.loglimit import kind_of
from lineman.errors import ConnectionLost, HttpError, UsageError
from lineman.net.connection.callbacks import ErrorCode
from lineman.net.connection.end_causes import DESTROYED, GAVE_WAY, STOPPING, UNREACHED
from lineman.net.connection.lifecycle import Lifecycle
from lineman.net.connection.send_queue import (
    NO_PLACE,
    Place,
    SlowReaders,
    Waiting,
    check_key,
    size_of,
)
from lineman.net.connection.state import CLOSED, FINISHING, HANDSHAKE, OPEN
from lineman.net.loop import syscalls
from lineman.net.loop.poller import ROOM
from lineman.protocols.events import Reply
from lineman.protocols.http.answer_heads import error_response
from lineman.protocols.http.event_stream import ServerSentEvent
from lineman.protocols.http.http_session import TOO_LATE
from lineman.protocols.websocket import close as closing
from lineman.protocols.websocket.session import to_frame

# Seconds after which a newcomer may have to give way: one that has said nothing, and one whose
# handshake does not go on.
SILENT = 0.5
SLOW = 3.0


class Sender(Lifecycle):
    """Sends messages to one peer."""

    __slots__ = ()

    def send(self, message: Any, key: Hashable | None = None) -> bool:
        """Sends a message: `str` as text, anything of bytes as binary.

        Args:
            message: what to send.
            key: what it is about. With `slow_readers="latest"` it takes the place of an earlier
                message of the same key that still waits; otherwise it means nothing.

        Returns:
            True if the connection took it; False if it is closed, or its peer reads too slowly.
            By default that is when `max_send_buffer_size` bytes wait already, and it is closed
            with 1013; where the worker's `slow_readers` drops messages, only for a message that
            is larger than this by itself.

        Raises:
            UsageError: for any other type, for a key that cannot be hashed, and before the
                connection is open.
        """
        if key is not None:
            check_key(key)
        if self._state is not OPEN or self._stream.is_blocked or self._has_said_end:
            place = NO_PLACE if key is None else self._place_of(key)
            if not self._may_send():
                if self.endpoint.protocol is None and type(message) is not ServerSentEvent:
                    to_frame(message)  # what cannot be sent at all is told all the same
                return False
            if self.service.slow_readers is not SlowReaders.CLOSE:
                assert self._session is not None
                return self._hold(self._session.waiting(message), place)
        session, stream = self._session, self._stream
        assert session is not None
        room = stream.room()
        count = session.encode_into(message, room, ROOM)
        if count >= 0:
            stream.wrote(room, count)
        else:
            return self._write_pieces(session.pieces(message))
        return self._has_written()

    def _write_pieces(self, pieces: tuple[bytes, bytes, bytes]) -> bool:
        before, body, behind = pieces
        if self._stream.is_blocked or self._state is not OPEN or self._has_said_end:  # see `_hold`
            return self._hold(before + body + behind, NO_PLACE)
        self._stream.write(before)
        self._stream.write(body)
        if behind:
            self._stream.write(behind)
        return self._has_written()

    def _place_of(self, key: object) -> Place:
        """Where a message of this key waits; the key's own methods may do anything meanwhile."""
        hashed = hash(key)
        return key, hashed, 0 if self._queue is None else self._queue.find(key, hashed)

    def send_memory(self, is_text: bool, data: Memory, start: int, size: int) -> bool:
        """Sends what lies in memory, without an object for it; False where only `send` can.

        Args:
            is_text: whether it is UTF-8, and a text.
            data: the memory that the message is in.
            start: where it begins.
            size: bytes of it.
        """
        stream = self._stream
        if self._state is not OPEN or stream.is_blocked or self._has_said_end:
            return False
        room = stream.room()
        session = self._session
        assert session is not None
        count = session.encode_memory(is_text, buffers.beyond(data, start), size, room, ROOM)
        if count < 0:
            return False
        stream.wrote(room, count)
        return self._has_written()

    def encode_shared(self, message: Any) -> bytes:
        """A message as it goes over the wire to all who have the same `share_key`."""
        assert self._session is not None
        return self._session.encode(message)

    def share_key(self) -> object:
        """Equal for those to whom a message goes in the same bytes; None where it does not."""
        return None if self._session is None else self._session.share_key()

    def send_encoded(self, encoded: bytes, key: object) -> bool:
        """Sends what `encode_shared` made, as `send` does; False before it is open."""
        if self._state is not OPEN or self._stream.is_blocked or self._has_said_end:
            place = NO_PLACE if key is None else self._place_of(key)
            if self._state is HANDSHAKE or not self._may_send():
                return False
            if self.service.slow_readers is not SlowReaders.CLOSE:
                return self._hold(encoded, place)
        self._stream.write(encoded)
        return self._has_written()

    def note_unsendable(self, error: UsageError) -> None:
        """Counts and logs a message that others got, and that this protocol cannot carry."""
        self.service.send_failures += 1
        kind = kind_of("messages that a protocol cannot carry", str(error))
        text = "%s: a message that the program sent was not sent to it: %s"
        self.service.log.log(logging.WARNING, kind, text, self, error)

    def _has_written(self) -> bool:
        """Counts a message that was given to the socket, and looks at what waits; True."""
        self._count_written()
        if self._stream.is_blocked:
            self._check_full()
        return True

    def borrow_cork(self) -> bool:
        """Takes the poller's cork until `return_cork`; False if it is taken.

        For a caller that writes much to one connection while the poller serves none.
        """
        return self._stream.borrow_cork()

    def return_cork(self) -> None:
        """Gives it back; what is in it leaves with all that is corked."""
        self._stream.return_cork()

    async def drain(self) -> None:
        """Waits until all that was sent has left the process.

        Raises:
            ConnectionLost: the connection ended before.
        """
        self.flush()
        if self.unsent and self._state is not CLOSED:
            await self._until_sent()
        if self.is_over:
            raise ConnectionLost(self.close_code, self.close_reason)

    async def _until_sent(self) -> None:
        waiter = self.service.loop.create_future()
        self._new_queue().waiters.append(waiter)
        await waiter

    async def send_file(self, file: int, offset: int, count: int) -> int:
        """Sends a part of a file, without TLS; how many bytes it took, 0 at the file's end."""
        while True:
            if self._stream.is_blocked and not self.unsent:  # a part of the file was not taken
                await self._until_sent()
            await self.drain()
            if (sent := self._stream.send_file(file, offset, count)) >= 0:
                return sent
            if not self._stream.is_blocked:  # that it is broken is told in another turn
                raise ConnectionLost(closing.ABNORMAL, "broken")

    # A peer that reads slowly.

    def _may_send(self) -> bool:
        """Whether a message may be sent, or wait, on a connection that is blocked or not open.

        Raises:
            UsageError: it is not open yet.
        """
        if self._state is HANDSHAKE:
            raise UsageError("the connection is not open yet; send from on_connect on")
        if self._state is not OPEN or self._is_ended_by_us or self._has_said_end:
            self.service.send_failures += 1
            return False
        if self.service.slow_readers is not SlowReaders.CLOSE:
            return True
        if self.unsent >= self._limits.max_send_buffer_size:
            self._close_slow_reader()
            return False
        return True

    def _hold(self, entry: Waiting, place: Place) -> bool:
        """Has a message wait until the peer reads on; False if it is larger than what may wait.

        Encoding it has called the message's own methods, and these may have done anything.
        """
        if self._state is not OPEN or self._has_said_end:
            self.service.send_failures += 1
            return False
        is_waiting = self._stream.is_blocked and self.service.slow_readers is not SlowReaders.CLOSE
        if not is_waiting:
            assert self._session is not None
            self._stream.write(self._session.leaving(entry))
            return self._has_written()
        limit = self._limits.max_send_buffer_size
        if size_of(entry) > limit:
            self.service.send_failures += 1
            self._note_given_up(1, f"a message of {size_of(entry)} bytes is dropped")
            return False
        queue = self._new_queue()
        before = queue.given_up
        dropped = queue.put(entry, place, limit - self._stream.unsent())
        self._count_written()
        if queue.given_up > before:
            what = "" if before else "its oldest messages are dropped"
            if not dropped:
                what = "" if before else "its messages are replaced by newer ones of their key"
            self._note_given_up(queue.given_up - before, what)
        self._check_full(dropped > 0)
        return True

    def _note_given_up(self, count: int, what: str) -> None:
        self._count_dropped(count)
        if what:
            limit = self._limits.max_send_buffer_size
            line = "%s: reads too slowly: %d bytes wait, %d may; %s"
            log = self.service.log
            log.log(logging.WARNING, "slow readers", line, self, self.unsent, limit, what)

    def _answer(self, event: Reply) -> None:
        """Answers the peer, unless it asks and reads nothing."""
        is_blocked = self._stream.is_blocked
        if is_blocked and self.service.slow_readers is not SlowReaders.CLOSE:
            assert self._session is not None
            reply = self._session.answer_to(event, self.service.wheel.now)
            self._new_queue().reply = reply
        elif is_blocked and self.unsent >= self._limits.max_send_buffer_size:
            self._close_slow_reader()
        else:
            assert self._session is not None
            self._say(self._session.answer_to(event, self.service.wheel.now))
            if self._stream.is_blocked:
                self._check_full()

    def _close_slow_reader(self) -> None:
        """Closes a connection whose peer lets too much wait."""
        self._end_ourselves()  # what the callback, or a log handler, sends to it is refused
        limit = self._limits.max_send_buffer_size
        reason = f"reads too slowly: {self.unsent} bytes wait, {limit} may"
        error = ConnectionLost(closing.TRY_AGAIN_LATER, reason)
        self.service.send_failures += 1
        self.service.log.log(logging.WARNING, "slow readers", "%s: %s", self, reason)
        self.tell(self._callbacks.on_error, ErrorCode.SEND_FAIL, error)
        if self._state is OPEN:
            self.start_close(closing.TRY_AGAIN_LATER, reason)

    def _check_alive(self, now: float) -> float:
        """Pings a silent peer, and gives up one that does not answer."""
        if self._forced_close is not None:
            deadline, event = self._forced_close
            if now < deadline:
                return deadline
            self._end_by(event)
            return 0.0
        is_reading = not self._stream.paused and not self._is_queued
        if not is_reading:
            self._heard()  # silence says nothing about the peer
        assert self._session is not None
        ping, reason, again = self._session.on_time(now, self._last_received, is_reading)
        asks_tcp = self.endpoint.protocol is not None and self.service.limits.ping_interval > 0
        if reason is None and asks_tcp:  # the protocol has no pings
            reason, soon = self._ask_tcp(now)
            again = min(again or soon, soon)
        if reason is not None:
            self._lose(closing.ABNORMAL, reason)
            return 0.0
        if ping is not None:
            self._note_silence()
            self._stream.write(ping)
        if self._session.ask_now():
            self._stream.keep(b"")
            self._put_off()
        return again

    def _ask_tcp(self, now: float) -> tuple[str | None, float]:
        """Why a peer is given up that acknowledges nothing; when to ask again.

        A peer that is there acknowledges bytes, and probes while it takes none.
        """
        limits = self.service.limits
        most = limits.ping_interval + limits.ping_timeout
        due = self._last_received + most
        if now < due:
            return None, due
        silence = syscalls.unacknowledged(self._stream.fd)
        if silence < most:
            return None, now + max(most - silence, 1.0)
        return f"{UNREACHED} for {silence:.0f} s", now

    # Ending.

    def close(self, data: Any = None, code: int = 1000, reason: str = "") -> None:
        """Ends the connection with the closing handshake.

        A peer that does not answer it is dropped after `close_timeout`. In
        `on_websocket_connect` this refuses the handshake with 403. Closing twice is fine.

        Args:
            data: a last message to send before.
            code: 1000; a code of your own from 4000 to 4999, or of 3000 to 3999 that is registered
                with IANA; or a code that RFC 6455 and IANA define for servers, such as 1008.
            reason: words for the peer, at most 123 bytes of UTF-8; cut there.

        Raises:
            UsageError: for a code that must not be sent, and a reason that is no text.
        """
        closing.check(code, reason)  # what cannot be sent is refused before anything happens
        if self._state is HANDSHAKE:
            self._before_open("close").reject(403, "Forbidden")
            return
        if data is not None:
            self.send(data)
        if self._state is OPEN:
            self.start_close(code, reason)

    def destroy(self) -> None:
        """Drops the connection now, without a close frame; what is unsent is lost."""
        self._end_ourselves()
        self._lose(closing.ABNORMAL, DESTROYED)

    # In on_websocket_connect only.

    def reject(self, status: int = 403, body: str = "") -> None:
        """Refuses the handshake with an HTTP status and a text."""
        self._before_open("reject").reject(status, body)

    def choose_subprotocol(self, name: str) -> None:
        """Agrees on a subprotocol; the client must have offered it."""
        self._before_open("choose_subprotocol").choose_subprotocol(name)

    def add_header(self, name: str, value: str) -> None:
        """Adds a header to the 101."""
        self._before_open("add_header").add_header(name, value)

    def _before_open(self, method: str) -> Any:
        if self._stage is None or not self._stage.is_deciding:
            raise UsageError(f"{method}() works in on_websocket_connect only, before the 101")
        return self._stage

    # Before it is open.

    def refuse(self, error: HttpError) -> None:
        """Answers a handshake with an HTTP error and ends the connection."""
        self.service.tally.refusals[error.status] += 1
        self.cork(error_response(error))
        self._finish(linger=True)

    def _refuse_plain(self) -> None:
        """Tells a client that does not speak TLS on this port what to do instead."""
        scheme = self.endpoint.scheme
        is_http = self.endpoint.protocol is None
        plain = address.without_tls(scheme)
        self.service.log.log(
            logging.WARNING,
            f"plain clients on a {scheme} port",
            "%s: a client without TLS on a %s port: it must use %s; "
            "a proxy in front must forward with TLS, or this worker listen on %s",
            self.peer_address,
            scheme,
            f"{scheme}://{' (or https://)' if plain == 'ws' else ''}" if is_http else "TLS",
            f"{plain}://{'' if is_http else ' without a certificate'}",
        )
        if is_http:
            self.refuse(
                HttpError(400, f"This port speaks TLS: use {scheme}:// instead of {plain}://.")
            )
        else:
            self.finish()

    def leave_handshake(self) -> None:
        """Ends a connection that has not become a websocket and waits for nothing of ours."""
        if self._state is HANDSHAKE and not (self._stage is not None and self._stage.is_waiting):
            self._lose(closing.GOING_AWAY, STOPPING)
        elif self._state is HANDSHAKE:
            self._stage.end_events()

    def give_up_handshake(self, answer: bytes | None) -> None:
        """Ends a handshake that took too long, with an answer where something was asked."""
        if answer is not None and not self.is_over:
            self.cork(answer)
            self._finish(linger=True)
        else:
            self._lose(closing.ABNORMAL, TOO_LATE)

    # A newcomer among many.

    def leave_idle(self) -> None:
        """Ends a connection whose plain requests are all answered, or get events without end."""
        if self._state is HANDSHAKE and self._stage is not None:
            self._stage.leave_idle()

    def gives_way_in(self, now: float) -> float:
        """Seconds after which a new connection may be closed for another; infinite for never.

        Args:
            now: on the wheel's clock.
        """
        if self.unsent:
            return float("inf")
        if self._state is FINISHING:
            return 0.0  # all is said, and the peer does not end its side
        if syscalls.waits(self._stream.fd):
            return float("inf")
        if self._stage is not None and self._stage.is_idle:
            return 0.0
        has_spoken = self._stream.bytes_read > 0 or self._stream.is_known_tls
        return self._last_received + (SLOW if has_spoken else SILENT) - now

    def give_way(self, error: HttpError) -> None:
        """Ends a newcomer for another, with an answer where it has begun to ask something."""
        if self._state is HANDSHAKE and self._stage is not None and not self._stage.is_idle:
            self.cork(error_response(error))
            self.flush()
        self._lose(closing.ABNORMAL, GAVE_WAY)
