"""The life of a connection: what leaves and what is left, and how it ends."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sized
from typing import Any

from lineman.errors import ProtocolError
from lineman.net.connection.callbacks import ErrorCode
from lineman.net.connection.context import ConnectionContext
from lineman.net.connection.delays import DelayedCalls
from lineman.net.connection.end_causes import DESTROYED, DROPPED, NO_HANDSHAKE
from lineman.net.connection.endpoint import Endpoint
from lineman.net.connection.inbox import Inbox
from lineman.net.connection.send_queue import SendQueue, SlowReaders
from lineman.net.connection.state import CLOSED, CLOSING, FINISHING, HANDSHAKE, OPEN
from lineman.net.loop import syscalls
from lineman.net.stream.stream_status import (
    BLOCKED,
    BROKE,
    PAUSED_BY_END,
    PAUSED_BY_GOODBYE,
    PAUSED_BY_USER,
    UNBLOCKED,
)
from lineman.net.stream.tlsstream import failure_kind, in_words, is_end_of_tcp
from lineman.protocols.events import Close
from lineman.protocols.interface import Session
from lineman.protocols.websocket import close as closing
from lineman.protocols.websocket.close import words

# How long a socket is kept after our last words, for the peer to read them.
LINGER = 2.0

NO_LINGER, WILL_LINGER, LINGERS = 0, 1, 2


class Lifecycle(DelayedCalls):
    """Owns what a connection is made of: its session, its queue, its inbox; and ends it."""

    __slots__ = (
        "_forced_close", "_goodbye", "_has_said_end", "_inbox", "_is_ended_by_us", "_is_queued",
        "_is_unfinished", "_linger", "_owes_on_close", "_queue", "_seen_written", "_session",
        "_stage",
    )  # fmt: skip

    def _begin_life(
        self, service: ConnectionContext, endpoint: Endpoint, fd: int, peer: tuple[str, int]
    ) -> None:
        """In place of `__init__`, as `_begin_facts`."""
        self._begin_delays(service, endpoint, fd, peer)
        self._session: Session | None = None  # as long as something can come of it
        self._stage: Any = None  # an `HttpStage` before the websocket
        self._queue: SendQueue | None = None  # while the kernel takes no more
        self._inbox: Inbox | None = None  # while messages wait for a coroutine
        self._forced_close: tuple[float, Close | ProtocolError] | None = None
        self._goodbye: tuple[int, str] | None = None
        self._linger = NO_LINGER
        self._is_queued = False  # in the poller's queue
        self._is_ended_by_us = False
        self._has_said_end = False  # nothing more is sent, and the peer is still heard
        self._is_unfinished = False  # a message that the service knows of
        self._owes_on_close = False
        self._seen_written = 0
        self._look_after(service.limits.handshake_timeout)

    @property
    def unsent(self) -> int:
        """Bytes that wait to be taken by the kernel."""
        return self._stream.unsent() + (0 if self._queue is None else self._queue.size)

    @property
    def may_receive(self) -> bool:
        """Whether more messages can come."""
        return self._state is OPEN and self._goodbye is None

    def _speak(self, session: Session) -> None:
        """Goes on in this protocol; the first one that has messages opens the connection."""
        self._session = session
        self.note_unfinished(None, 0)  # what was before it is whole
        if self._state is HANDSHAKE:
            self._stage = None
            self._enter(OPEN)
            self._owes_on_close = True
            self._enlist()

    def _use_inbox(self, inbox: Inbox | None) -> None:
        self._inbox = inbox

    def _use_stage(self, stage: Any) -> None:
        self._stage = stage

    # What leaves.

    def cork(self, data: bytes) -> None:
        """Corks bytes: they leave at the end of this turn."""
        self._stream.write(data)

    def flush(self) -> None:
        """Gives the kernel what is corked, and acts on what came of that."""
        status = self._stream.flush()
        if status == UNBLOCKED:
            self._unblocked()
        elif status == BLOCKED:
            self._check_full()
        elif status == BROKE:
            if self._stream.kept is None:
                self._lost(self._stream.take_error())
            else:
                self._put_off()  # valid bytes are used first, even if the connection was paused

    def pause(self, why: int) -> None:
        """Stops reading for a reason; the kernel's window then stops the peer."""
        self._stream.pause(why)

    def resume(self, why: int) -> None:
        """Takes one reason back; reading goes on when none is left."""
        stream = self._stream
        if stream.resume(why) or (stream.kept is not None and stream.paused == PAUSED_BY_GOODBYE):
            self._put_off()  # also where only the close frame waits for what is kept

    def _put_off(self) -> None:
        if not self._is_queued:
            self._is_queued = True
            self.poller.put_off(self._stream.fd)

    def _take_turn(self) -> bool:
        """Whether it was in the poller's queue, where it is not any more."""
        was_queued, self._is_queued = self._is_queued, False
        return was_queued

    def _new_queue(self) -> SendQueue:
        """The queue, which is there from now on if it was not."""
        if self._queue is None:
            self._queue = SendQueue(self.service.slow_readers is SlowReaders.LATEST)
        return self._queue

    def _unblocked(self) -> None:
        """All that was handed to the socket has left: what waits follows."""
        queue = self._queue
        if queue is not None:
            if self._session is not None:
                queue.pour(self._stream, self._session)
                self.flush()
            if self._stream.is_blocked or self._state is CLOSED or self._queue is not queue:
                return
            self._queue = None
            queue.end_waiting()
            if queue.given_up:
                line, log = "%s: reads again; %d messages were not sent to it", self.service.log
                log.log(logging.INFO, "slow readers that go on", line, self, queue.given_up)
            if queue.is_full:
                self.tell(self._callbacks.on_buffer_drain)
        if self._state is FINISHING and not self.unsent:  # the callback may have sent and closed
            self._all_sent()
        elif self._has_said_end and self._state is OPEN and not self.unsent:
            self._stream.end_sending()

    def _release_queue(self) -> None:
        """Hands everything that waits to the socket, before a close frame goes the same way."""
        if self._queue is not None:
            assert self._session is not None
            self._queue.release(self._stream, self._session)

    def _say(self, data: bytes | None) -> None:
        if data is not None:
            self._stream.write(data)

    def _check_full(self, is_over: bool = False) -> None:
        """Tells the program, once, when as much waits for this peer as may.

        Args:
            is_over: whether a message had to be dropped, which may keep the rest below the limit.
        """
        if self._state is not OPEN or (self._queue is not None and self._queue.is_full):
            return
        if is_over or self.unsent >= self._limits.max_send_buffer_size:
            self._new_queue().is_full = True
            self.tell(self._callbacks.on_buffer_full)

    # The program.

    def tell(self, callback: Any, *args: Any) -> None:
        """Runs a callback that tells the program something; its failure ends nothing more."""
        if callback is not None:
            self.service.call(callback, self, *args)

    def callback_failed(self, error: BaseException) -> None:
        """Closes this one connection with 1011, after a callback raised."""
        self.service.exceptions += 1
        self.service.log.exception(error, "%s: a callback raised; the connection is closed", self)
        self.tell(self._callbacks.on_error, ErrorCode.CALLBACK, error)
        if self._state is OPEN:
            self.start_close(closing.INTERNAL_ERROR, words(closing.INTERNAL_ERROR))

    def note_unfinished(self, message: Sized | None, held: int) -> None:
        """Has the service know of a message that has begun and not ended.

        Args:
            message: what has come of it; None where there is none, or none any more.
            held: bytes of memory that it takes.
        """
        if message is not None or self._is_unfinished:
            self._is_unfinished = self.service.unfinished.note(self, message, held)

    def _has_progressed(self) -> bool:
        """Whether bytes have left since this was last asked, and others still wait."""
        stream = self._stream
        has_progressed = stream.unsent() > 0 and stream.bytes_written != self._seen_written
        self._seen_written = stream.bytes_written
        return has_progressed

    # The end.

    def finish(self) -> None:
        """Ends a connection that never opened, once its last answer has left."""
        self._finish(linger=True)

    def _end_ourselves(self) -> None:
        """Notes that this side ends it: nothing more is sent or delivered."""
        self._is_ended_by_us = True

    def _end_sending(self) -> None:
        """Sends no more once all that waits has left; the peer is heard until it ends."""
        self._has_said_end = True
        self._release_queue()
        was_blocked = self._stream.is_blocked
        self.flush()  # where it was blocked, and all that waited leaves, that says the end as well
        if self._state is OPEN and not self.unsent and not was_blocked:
            self._stream.end_sending()

    def start_close(self, code: int, reason: str) -> None:
        """Closes as the protocol does; the peer has `close_timeout` to answer.

        Raises:
            UsageError: the protocol cannot say this; nothing has happened.
        """
        if self._forced_close is not None:  # the peer ended it first: no answer will come
            self._is_ended_by_us = True
            self._end_by(self._forced_close[1])
            return
        assert self._session is not None
        last = self._session.closing(code, reason, self.service.wheel.now)
        self._is_ended_by_us = True
        self._note_cause(code, reason)
        self._release_queue()
        if last is None or not self._session.is_answered():
            self._say(last)
            self._finish(linger=True)
            return
        self._stream.write(last)
        self._enter(CLOSING)
        self._look_anew(self.service.limits.close_timeout)
        if self._inbox is not None:
            self._inbox.wake()
        self.resume(self._stream.paused)  # the peer's answer must be read

    def say_goodbye(self, code: int, reason: str) -> None:
        """Closes as soon as what was received has been worked off; nothing more is read."""
        if self._state is not OPEN or self._goodbye is not None:
            return
        if self._is_waited_for():
            self._work_off(code, reason)
        else:
            self.start_close(code, reason)

    def _is_waited_for(self) -> bool:
        """Whether something is worked off, and somebody will tell us when that is done."""
        inbox = self._inbox
        if inbox is None:
            return self._stream.kept is not None
        return not inbox.is_unread and (not inbox.is_stream or inbox.is_busy)

    def _work_off(self, code: int, reason: str) -> None:
        """Reads nothing more; `_leave` follows when all that was received is worked off."""
        self._goodbye = (code, reason)
        self.pause(PAUSED_BY_GOODBYE)
        self.resume(PAUSED_BY_USER)
        if self._inbox is not None:
            self._inbox.release()
            self._inbox.wake()

    def _leave(self) -> None:
        """Ends, now that everything is worked off."""
        code, reason = self._goodbye or (closing.NORMAL, "")
        if self._state is not OPEN:
            return
        pipes = self._callbacks.pipes
        if self.close_code and pipes is not None and pipes.passes_end(code):
            self._forget_cause()
            self._goodbye = None  # reading is over, and that is all
        elif self.close_code:  # the peer was the first to end it
            self._end_by(Close(code, reason))
        else:
            self.start_close(code, reason)

    def _end_later(self, event: Close | ProtocolError) -> None:
        """Has the peer's end wait its turn, but not for longer than it can be kept waiting."""
        deadline = self.service.wheel.now + self.service.limits.close_timeout
        self._forced_close = (deadline, event)
        self.service.wheel.file(self, deadline)

    def _end_by(self, event: Close | ProtocolError) -> None:
        """Ends as the peer has it, whose turn has come."""
        self._forced_close = None
        if self._state is not OPEN:
            return
        if isinstance(event, ProtocolError):
            self.on_broken_rule(event)
        else:
            self._note_cause(event.code, event.reason)
            self._say_last(event)
            self._finish(linger=False)

    def on_broken_rule(self, error: ProtocolError) -> None:
        """Fails the connection (RFC 6455, section 7.1.7)."""
        self._note_cause(error.code, error.reason)
        self.service.log_broken_rule(self, error)
        self.tell(self._callbacks.on_error, ErrorCode.PROTOCOL, error)
        if self._state is OPEN:
            self._say_last(error)
        self._finish(linger=True)  # also where the callback has closed it: no answer will be read

    def _say_last(self, event: Close | ProtocolError) -> None:
        """Answers what ends the conversation, behind all that was taken before it."""
        assert self._session is not None
        last = self._session.answer_to(event, self.service.wheel.now)
        self._release_queue()
        self._say(last)

    def _lost(self, error: Exception) -> None:
        """The connection is broken."""
        reason = in_words(error)
        if self._stream.is_starting_tls:
            reason = f"{NO_HANDSHAKE}: {reason}"
        if self._state is HANDSHAKE or self._stream.is_starting_tls:
            log = self.service.log
            log.log(logging.INFO, failure_kind(error), "%s: %s", self.peer_address, reason)
        is_tls = isinstance(error, ssl.SSLError) and not is_end_of_tcp(error)
        if is_tls and self._stream.abandon_tls():
            self._note_cause(closing.ABNORMAL, reason)
            self._finish(linger=True)  # else a reset could overtake the alert
        else:
            self._lose(closing.ABNORMAL, reason)

    def on_fault(self) -> None:
        """Gives up after a defect, or when the time to stop is over."""
        self._lose(closing.ABNORMAL, DROPPED)

    def _finish(self, linger: bool) -> None:
        """Sends what is left, then ends.

        Args:
            linger: keep the socket until the peer has ended its side: closing it while bytes of
                the peer are unread resets the connection, and the peer may lose our last words.
        """
        if self.is_over:
            return
        self._enter(FINISHING)
        self._session = None
        self.note_unfinished(None, 0)
        self._stream.drop_kept()
        if self._queue is not None:
            self._queue.clear()
        self._linger = WILL_LINGER if linger else NO_LINGER
        if self._inbox is not None:
            self._inbox.wake()
        if not linger:
            syscalls.hold_back(self._stream.fd)
        self._stream.forgo_tls()
        self.flush()
        if self._state is FINISHING:
            if self.unsent:
                self._look_anew(self.service.limits.close_timeout)
            else:
                self._all_sent()

    def _send_last(self) -> None:
        """Ends a connection whose peer sends no more, once all that waits for it has left."""
        self.pause(PAUSED_BY_END)
        self._finish(linger=False)

    def _all_sent(self) -> None:
        if self._linger == NO_LINGER or self._stream.paused & PAUSED_BY_END:
            self._lose(self.close_code, self.close_reason)
        elif self._linger == WILL_LINGER:
            self._linger = LINGERS
            self._look_anew(min(self.service.limits.close_timeout, LINGER))
            self.resume(self._stream.paused)
            self._stream.end_writing()

    def _lose(self, code: int, reason: str) -> None:
        """The end, whatever led to it: frees the socket, tells the program."""
        if self._state is CLOSED:
            return
        self._note_cause(code, reason)
        # The only end by the peer that lingers is that of a broken rule.
        self._unlist(self._is_ended_by_us, self._linger != NO_LINGER)
        self._enter(CLOSED)
        self.service.wheel.remove(self)
        if self._delays is not None:
            self._drop_delays()
        stage, self._stage, self._session = self._stage, None, None
        has_no_word = self.endpoint.protocol is not None or (stage is not None and stage.is_cut)
        if has_no_word and (self.unsent or reason in (DESTROYED, DROPPED)):
            self._stream.break_off()  # the protocol has no word that its peer would miss
        else:
            self._stream.shut()
        if stage is not None:
            stage.on_end()
        self.note_unfinished(None, 0)
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.end_waiting()
        inbox = self._inbox
        if inbox is None:
            self._tell_end()
            return
        inbox.release()  # what was received well is still delivered, then on_close
        inbox.wake()
        if inbox.is_busy:
            self.service.loop.call_later(self.service.limits.close_timeout, inbox.cancel_opening)
        if inbox.is_stream:
            self._tell_end()

    def _note_cause(self, code: int, reason: str) -> None:
        if self._forced_close is not None:  # the peer's last word, which still waits its turn
            code, reason = self._forced_close[1].code, self._forced_close[1].reason
        self._set_cause(code, reason)

    def _tell_end(self) -> None:
        """Has `on_close` called, but not inside the program's own call, nor before `on_connect`."""
        is_unbegun = self._inbox is not None and self._inbox.is_unbegun
        if self._is_ended_by_us or is_unbegun:
            self.service.loop.call_soon(self.on_delivered_all)
        else:
            self.on_delivered_all()

    def on_delivered_all(self) -> None:
        """Tells the program that the connection is over, once."""
        if self._owes_on_close:
            self._owes_on_close = False
            if self._callbacks.ended is not None:
                self._callbacks.ended(self)
            self.tell(self._callbacks.on_close, self.close_code, self.close_reason)
            if self._callbacks.pipes is not None:
                self._callbacks.pipes.close(self.close_code, self.close_reason)
