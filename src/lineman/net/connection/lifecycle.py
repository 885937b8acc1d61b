"""The life of a connection: how it opens, how it ends, and what the clock says about it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Any

from lineman.base.address import format_ip_port
from lineman.errors import HttpError, ProtocolError
from lineman.net.connection.callbacks import ErrorCode
from lineman.net.connection.end_causes import DROPPED, STOPPING, TOO_LATE
from lineman.net.connection.http_stage import HttpStage, request_of
from lineman.net.connection.intake import Intake
from lineman.net.connection.outbox import Outbox
from lineman.net.connection.state import CLOSED, CLOSING, FINISHING, HANDSHAKE, NEXT, OPEN, State
from lineman.net.loop import syscalls
from lineman.net.service import Service
from lineman.net.stream.tlsstream import failure_kind, in_words, is_end_of_tcp
from lineman.protocols.http.requests import Request, error_response
from lineman.protocols.proxies.proxy_header import ProxyHeader
from lineman.protocols.websocket import close as closing
from lineman.protocols.websocket import deflate, frames, heartbeat
from lineman.protocols.websocket.close import encode, words
from lineman.protocols.websocket.decoder import Close
from lineman.protocols.websocket.deflate import Compressor
from lineman.protocols.websocket.negotiation import Agreement

# How long a socket is kept after our last words, for the peer to read them.
LINGER = 2.0

NO_LINGER = 0
WILL_LINGER = 1
LINGERS = 2


class Lifecycle(Intake):
    """What happens to a connection; `Backpressure` adds what slow readers
    do to it, `Connection` what the program may ask of it."""

    __slots__ = (
        "_compressor",
        "_data",
        "_drain_waiters",
        "_is_full",
        "_linger",
        "_local",
        "_outbox",
        "_owes_on_close",
        "_pinged_at",
        "_request",
        "close_code",
        "close_reason",
        "id",
        "messages_dropped",
        "messages_written",
        "opened_at",
        "peer",
        "proxy_header",
        "remote_ip",
        "remote_port",
        "subprotocol",
    )

    def __init__(self, service: Service, fd: int, peer: tuple[str, int]) -> None:
        self._set_up(service, fd, service.new_tls(fd))
        self.id = service.next_id()
        self.peer = peer
        self.proxy_header: ProxyHeader | None = None
        self._local: str | None = None
        self.remote_ip, self.remote_port = peer
        self._request: bytes | Request | None = None
        self.subprotocol: str | None = None
        self.messages_written = 0
        self.messages_dropped = 0
        self.opened_at = 0.0
        self.close_code = 0
        self.close_reason = ""
        self._data: Any = None
        self._compressor: Compressor | None = None
        self._is_full = False
        self._outbox: Outbox | None = None  # while the kernel takes no more
        self._linger = NO_LINGER
        self._owes_on_close = False
        self._drain_waiters: list[asyncio.Future[None]] | None = None
        self._begin_taking()
        self._pinged_at = -1.0
        service.newcomers[self] = None
        self._look_after(service.limits.handshake_timeout)

    def __repr__(self) -> str:
        where = format_ip_port(self.remote_ip, self.remote_port)
        return f"<Connection {self.id} {where} {self._state.value}>"

    @property
    def peer_address(self) -> str:
        """`ip:port` of whoever connected to us, the client or the proxy before it; or `unix`."""
        return format_ip_port(*self.peer)

    @property
    def request(self) -> Request | None:
        """The handshake, or the plain request before it; None before its head arrived.

        Of a usual handshake only the bytes are kept, until somebody asks.
        """
        if isinstance(self._request, bytes):
            self._request = request_of(self, self._request)
        return self._request

    @request.setter
    def request(self, request: Request | bytes) -> None:
        self._request = request

    @property
    def unsent(self) -> int:
        """Bytes that wait to be taken by the kernel."""
        return self._stream.unsent() + (0 if self._outbox is None else self._outbox.size)

    def _enter(self, state: State) -> None:
        if state not in NEXT[self._state]:
            raise RuntimeError(f"defect: a connection went from {self._state} to {state}")
        self._state = state

    def _look_after(self, seconds: float) -> None:
        self.service.wheel.file(self, self.service.wheel.now + seconds)

    def _look_anew(self, seconds: float) -> None:
        """As `_look_after`, and not sooner, whatever was planned."""
        self.service.wheel.remove(self)
        self._look_after(seconds)

    # What comes from the socket.

    def on_plain_client(self) -> None:
        """Tells a client that speaks plain HTTP or ws on this TLS port what to do instead."""
        self.service.log.log(
            logging.WARNING,
            "plain clients on a wss port",
            "%s: a client without TLS on a wss port: it must use wss:// (or https://); "
            "a proxy in front must forward with TLS, or this worker listen on ws://",
            self.peer_address,
        )
        self.refuse(HttpError(400, "This port speaks TLS: use wss:// instead of ws://."))

    def on_end(self) -> None:
        """Learns that the peer will send no more."""
        self.flush()  # it may still read what its last bytes were answered with
        if self._state is OPEN:
            self._lose(closing.ABNORMAL, "the peer ended TCP without a close frame")
        elif self._state is HANDSHAKE and self._stage is not None and self._stage.is_answering:
            self._stage.peer_ended()
        else:
            self._lose(closing.ABNORMAL, "the peer ended the connection")

    def on_lost(self, error: Exception) -> None:
        """Learns that the connection is broken."""
        reason = in_words(error)
        if self._state is HANDSHAKE:
            log = self.service.log
            log.log(logging.INFO, failure_kind(error), "%s: %s", self.peer_address, reason)
        is_tls = isinstance(error, ssl.SSLError) and not is_end_of_tcp(error)
        if is_tls and self._stream.abandon_tls():
            self._set_cause(closing.ABNORMAL, reason)
            self._finish(linger=True)  # else a reset could overtake the alert
        else:
            self._lose(closing.ABNORMAL, reason)

    def on_fault(self) -> None:
        """Gives up after a defect, or when the time to stop is over."""
        self._lose(closing.ABNORMAL, DROPPED)

    # Opening.

    def open(self, rest: bytes, agreement: Agreement | None) -> None:
        """Begins with messages, after the 101 was written.

        Args:
            rest: what the peer sent after its handshake already.
            agreement: how messages are compressed; None for not at all.
        """
        service = self.service
        if agreement is not None:
            self.agreement = agreement
            self._compressor = deflate.compressor(agreement, service.compression)
        self._stage = None
        if isinstance(self._request, Request):
            self._request.forget_looks()
        self._enter(OPEN)
        self._owes_on_close = True
        self._last_received = service.wheel.now
        if service.limits.ping_interval:
            self._look_after(service.limits.ping_interval)
        self.enlist()
        self._call_on_connect()
        if rest and self.poller.is_in_turn and self._stream.kept is None:
            self.on_data(memoryview(rest))
        elif rest:
            # What came behind it while the program decided is kept already.
            self.keep(rest + self._stream.take_kept())

    def enlist(self) -> None:
        """Counts the connection among the open ones."""
        raise NotImplementedError

    @property
    def shows_certificate(self) -> bool:
        """Whether TLS has told who the client is."""
        raise NotImplementedError

    def await_request(self) -> None:
        """Gives the next plain request of this connection its time."""
        self._look_anew(self.service.limits.handshake_timeout)

    # Ending.

    def start_close(self, code: int, reason: str) -> None:
        """Sends our close frame; the peer has `close_timeout` to answer it."""
        payload = encode(code, reason)
        self._is_ended_by_us = True
        if self._forced_close is not None:  # the peer ended it first: no answer will come
            self.take(self._forced_close[1])
            return
        self._set_cause(code, reason)
        self._say_last(payload)
        self._enter(CLOSING)
        self._look_anew(self.service.limits.close_timeout)
        if self._inbox is not None:
            self._inbox.wake()
        self.resume(self._stream.paused)  # the peer's answer must be read

    def _say_last(self, payload: bytes) -> None:
        """Sends a close frame, behind all that was taken before it."""
        if self._outbox is not None:
            self.release_held()
        self._write_frame(frames.FIN | frames.CLOSE, payload)

    def release_held(self) -> None:
        """Hands on what waits for a slow reader."""
        raise NotImplementedError

    def end_drain(self) -> None:
        """Wakes those who wait for all to have left."""
        raise NotImplementedError

    def on_peer_close(self, event: Close) -> None:
        """Answers the peer's close frame and ends."""
        self._set_cause(event.code, event.reason)
        self._say_last(encode(event.code, ""))
        self._finish(linger=False)

    def on_closing_answered(self, error: ProtocolError | None) -> None:
        """Ends after the peer answered our close frame, or with garbage."""
        self._finish(linger=error is not None)

    def on_broken_rule(self, error: ProtocolError) -> None:
        """Fails the connection (RFC 6455, section 7.1.7)."""
        self._set_cause(error.code, error.reason)
        kind = f"protocol errors with {error.code}"
        self.service.log.log(logging.INFO, kind, "%s: closed with %s", self, error)
        self.tell(self.service.callbacks.on_error, ErrorCode.PROTOCOL, error)
        if self._state is OPEN:
            self._say_last(encode(error.code, error.reason))
        self._finish(linger=True)  # also where the callback has closed it: no answer will be read

    def callback_failed(self, error: BaseException) -> None:
        """Closes this one connection with 1011, after a callback raised."""
        self.service.exceptions += 1
        self.service.log.exception(error, "%s: a callback raised; the connection is closed", self)
        self.tell(self.service.callbacks.on_error, ErrorCode.CALLBACK, error)
        if self._state is OPEN:
            self.start_close(closing.INTERNAL_ERROR, words(closing.INTERNAL_ERROR))

    def refuse(self, error: HttpError) -> None:
        """Answers a handshake with an HTTP error and ends the connection."""
        self.service.tally.refusals[error.status] += 1
        self._stream.write(error_response(error))
        self._finish(linger=True)

    def finish(self) -> None:
        """Ends a connection that never became a websocket, once its last answer has left."""
        self._finish(linger=True)

    def leave_handshake(self) -> None:
        """Ends a connection that has not become a websocket and waits for nothing of ours."""
        if self._state is HANDSHAKE and not (self._stage is not None and self._stage.is_answering):
            self._lose(closing.GOING_AWAY, STOPPING)

    def give_up_handshake(self, answer: bytes) -> None:
        """Ends a handshake that took too long, with an answer where the peer can read one."""
        if self.bytes_read and not self.is_over:
            self._stream.write(answer)
            self._finish(linger=True)
        else:
            self._lose(closing.ABNORMAL, TOO_LATE)

    def _finish(self, linger: bool) -> None:
        """Sends what is left, then ends.

        Args:
            linger: keep the socket until the peer has ended its side: closing it while bytes of
                the peer are unread resets the connection, and the peer may lose our last words.
        """
        if self.is_over:
            return
        self._enter(FINISHING)
        self._decoder = None
        self.note_unfinished(None, 0)
        self._stream.drop_kept()
        self._outbox = None
        self._linger = WILL_LINGER if linger else NO_LINGER
        if self._inbox is not None:
            self._inbox.wake()
        if not linger:
            syscalls.hold_back(self._stream.fd)
        self.flush()
        if self._state is FINISHING:
            if self.unsent:
                self._look_anew(self.service.limits.close_timeout)
            else:
                self._all_sent()

    def _all_sent(self) -> None:
        if self._linger == NO_LINGER:
            self._lose(self.close_code, self.close_reason)
        elif self._linger == WILL_LINGER:
            self._linger = LINGERS
            self._look_anew(min(self.service.limits.close_timeout, LINGER))
            self.resume(self._stream.paused)
            self._stream.end_writing()

    def _set_cause(self, code: int, reason: str) -> None:
        if self.close_code:
            return
        if self._forced_close is not None:  # the peer's last word, which still waits its turn
            code, reason = self._forced_close[1].code, self._forced_close[1].reason
        self.close_code = code
        self.close_reason = reason or words(code)

    def _lose(self, code: int, reason: str) -> None:
        """The end, whatever led to it: frees the socket, tells the program."""
        if self._state is CLOSED:
            return
        self._set_cause(code, reason)
        self.unlist()
        self._enter(CLOSED)
        self.service.wheel.remove(self)
        self._stream.shut()
        self.note_unfinished(None, 0)
        self._stage = self._decoder = self._compressor = self._outbox = None
        self.end_drain()
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

    def on_delivered_all(self) -> None:
        """Tells the program that the connection is over, once."""
        if self._owes_on_close:
            self._owes_on_close = False
            self.tell(self.service.callbacks.on_close, self.close_code, self.close_reason)

    # The clock.

    def on_deadline(self, now: float) -> float:
        """Looks at what the clock says about this connection."""
        if self._state is OPEN:
            return self._check_alive(now)
        if self._has_progressed():  # a long answer on a slow line
            return now + self.service.limits.close_timeout
        if self._state is HANDSHAKE:
            (self._stage or HttpStage(self)).timed_out()
            return 0.0
        self._lose(closing.ABNORMAL, "the peer did not finish closing in time")
        return 0.0

    def _check_alive(self, now: float) -> float:
        limits = self.service.limits
        if self._forced_close is not None:
            deadline, event = self._forced_close
            if now >= deadline:
                self._forced_close = None
                self.take(event)
                return 0.0
            return deadline
        if not limits.ping_interval:
            return 0.0
        if self._stream.paused or self._is_queued:  # we do not read: silence says nothing
            self._pinged_at = -1.0
            self._last_received = now
            return now + limits.ping_interval
        step, again = heartbeat.decide(
            now, self._last_received, self._pinged_at, limits.ping_interval, limits.ping_timeout
        )
        if step is heartbeat.Step.GIVE_UP:
            self._lose(closing.ABNORMAL, f"{heartbeat.NO_PONG} within {limits.ping_timeout:g} s")
            return 0.0
        if step is heartbeat.Step.PING:
            self._pinged_at = now
            self.note_silence(self._last_received)
            self._write_frame(frames.FIN | frames.PING, b"")
        return again
