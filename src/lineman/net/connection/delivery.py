"""From decoded events to the program's callbacks, in order, whatever the callbacks are.

A plain callback is called as each message is decoded; while an `async def` one is at work, later
messages wait in an `Inbox`. Pings are answered at once: they must not depend on the program.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sized
from types import CoroutineType
from typing import Any

from lineman.errors import ProtocolError
from lineman.net.connection.inbox import Inbox
from lineman.net.connection.state import CLOSED, CLOSING, FINISHING, HANDSHAKE, OPEN, State
from lineman.net.service import Service
from lineman.net.stream.receiver import Receiver
from lineman.net.stream.stream_status import PAUSED_BY_GOODBYE
from lineman.net.stream.tlsinfo import TlsInfo
from lineman.net.stream.tlsstream import TlsStream, not_listed
from lineman.protocols.websocket import close as closing
from lineman.protocols.websocket.decoder import Close, Event, Ping
from lineman.protocols.websocket.negotiation import Agreement


class Delivery(Receiver):
    """Hands events on, one at a time; `Lifecycle` says what the last ones lead to."""

    __slots__ = (
        "_callbacks",
        "_forced_close",
        "_goodbye",
        "_inbox",
        "_is_ended_by_us",
        "_is_unfinished",
        "_quiet_messages",
        "_quiet_since",
        "_state",
        "_tls_info",
        "messages_read",
        "service",
    )

    def _set_up(self, service: Service, fd: int, tls: TlsStream | None) -> None:
        self._begin_reading(service.poller, fd, tls)
        self.service = service
        self.messages_read = 0
        self._quiet_messages = -1  # none yet, not even a silence
        self._quiet_since = 0.0
        self.filed_tick = 0
        self._callbacks = service.callbacks
        self._state: State = HANDSHAKE
        self._inbox: Inbox | None = None
        self._is_ended_by_us = False
        self._is_unfinished = False  # a message that the service knows of
        self._forced_close: tuple[float, Close | ProtocolError] | None = None
        self._goodbye: tuple[int, str] | None = None
        self._tls_info: TlsInfo | None = None

    def on_secured(self, tls: TlsStream) -> None:
        """Learns that TLS's handshake is done; lets in whom the list of fingerprints names."""
        allowed = self.service.client_fingerprints
        if allowed:
            self._tls_info = tls.info
            fingerprint = None if self._tls_info is None else self._tls_info.peer_fingerprint
            if fingerprint not in allowed:
                self.on_lost(not_listed(fingerprint))

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._state is OPEN

    @property
    def is_over(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._state is FINISHING or self._state is CLOSED

    @property
    def may_receive(self) -> bool:
        """Whether more messages can come."""
        return self._state is OPEN and self._goodbye is None

    def note_silence(self, since: float) -> None:
        """Notes that the peer is silent and is pinged now; its pong is to count for nothing.

        Args:
            since: when bytes last came.
        """
        if self._quiet_messages != self.messages_read:
            self._quiet_messages = self.messages_read
            self._quiet_since = since

    def note_unfinished(self, message: Sized | None, held: int) -> None:
        """Has the service know of a message that has begun and not ended.

        Args:
            message: what has come of it; None where there is none, or none any more.
            held: bytes of memory that it takes.
        """
        if message is not None or self._is_unfinished:
            self._is_unfinished = self.service.unfinished.note(self, message, held)

    # What the classes above this one do about it.

    def open(self, rest: bytes, agreement: Agreement | None) -> None:
        """Begins with messages."""
        raise NotImplementedError

    def unlist(self) -> None:
        """Takes the connection off the books; it ends."""
        raise NotImplementedError

    def on_deadline(self, now: float) -> float:
        """Acts on the clock."""
        raise NotImplementedError

    def callback_failed(self, error: BaseException) -> None:
        """Acts on what a callback raised."""
        raise NotImplementedError

    def start_close(self, code: int, reason: str) -> None:
        """Sends our close frame."""
        raise NotImplementedError

    def answer_ping(self, ping: Ping) -> None:
        """Sends a pong."""
        raise NotImplementedError

    def on_peer_close(self, event: Close) -> None:
        """Acts on the peer's close frame."""
        raise NotImplementedError

    def on_broken_rule(self, error: ProtocolError) -> None:
        """Acts on a broken rule of the protocol."""
        raise NotImplementedError

    def on_closing_answered(self, error: ProtocolError | None) -> None:
        """Acts on the end of a closing handshake that we began."""
        raise NotImplementedError

    def on_delivered_all(self) -> None:
        """Acts on the end of an inbox after the end of the connection."""
        raise NotImplementedError

    # The program.

    def _call_on_connect(self) -> None:
        callbacks = self.service.callbacks
        if callbacks.on_connect is None:
            return
        try:
            result = callbacks.on_connect(self)
        except BaseException as error:
            self.callback_failed(error)
            return
        if isinstance(result, CoroutineType):
            is_stream = callbacks.on_message is None
            if self._inbox is None:
                self._inbox = Inbox(self, is_stream)
            self._inbox.open(result, self._end_conversation if is_stream else None)

    def _end_conversation(self) -> None:
        if self._state is OPEN:
            self.start_close(*(self._goodbye or (closing.NORMAL, "")))

    def tell(self, callback: Any, *args: Any) -> None:
        """Runs a callback that tells the program something; its failure ends nothing more."""
        if callback is not None:
            self.service.call(callback, self, *args)

    # Events.

    def process(self, event: Event) -> None:
        """Acts on a decoded event."""
        kind = type(event)
        if self._state is not OPEN or (kind is not str and kind is not bytes):
            self._control(event)
        elif self._inbox is None:
            result = self._deliver(event)  # type: ignore[arg-type]
            if result is not None:
                self._inbox = Inbox(self)
                self._inbox.start(result, None)
        else:
            self._inbox.put(event)

    def _control(self, event: Event) -> None:
        if self._state is not OPEN:
            if self._state is CLOSING and isinstance(event, (Close, ProtocolError)):
                self.on_closing_answered(event if isinstance(event, ProtocolError) else None)
        elif isinstance(event, Ping):
            self.answer_ping(event)
        elif isinstance(event, (Close, ProtocolError)):  # a pong says nothing that it must answer
            if self._inbox is None:
                self.take(event)
            else:
                self._queue(self._inbox, event)

    def _queue(self, inbox: Inbox, event: Close | ProtocolError) -> None:
        if inbox.is_unread:
            self.take(event)  # no coroutine would come upon it
            inbox.wake()
            return
        # The end waits for its turn, but not for longer than the peer can be kept waiting.
        deadline = self.service.wheel.now + self.service.limits.close_timeout
        self._forced_close = (deadline, event)
        self.service.wheel.file(self, deadline)
        inbox.put(event)

    def take(self, event: Event) -> Coroutine[Any, Any, Any] | None:
        """Acts on an event whose turn has come; the coroutine of an `async def` callback."""
        if isinstance(event, (str, bytes)):
            return self._deliver(event)
        if self._state is OPEN:
            if isinstance(event, Close):
                self.on_peer_close(event)
            elif isinstance(event, ProtocolError):
                self.on_broken_rule(event)
        return None

    def _deliver(self, message: str | bytes) -> Coroutine[Any, Any, Any] | None:
        if self._is_ended_by_us:
            return None
        self.messages_read += 1
        callback = self._callbacks.on_message
        if callback is None:
            return None
        try:
            result = callback(self, message)
        except BaseException as error:
            self.callback_failed(error)
            return None
        if result is None or result is True or result is False:
            return None
        return result if isinstance(result, CoroutineType) else None

    def inbox_is_empty(self) -> None:
        """Lets the inbox go, once its last event has been worked off."""
        self._inbox = None
        if self._state is CLOSED:
            self.on_delivered_all()
        elif self._goodbye is not None and self._state is OPEN and self._stream.kept is None:
            self.start_close(*self._goodbye)

    def _tell_end(self) -> None:
        """Has `on_close` called: not while the program ends it, for that may walk a set of them."""
        if self._is_ended_by_us:
            self.service.loop.call_soon(self.on_delivered_all)
        else:
            self.on_delivered_all()

    def say_goodbye(self, code: int, reason: str) -> None:
        """Closes as soon as what was received has been worked off; nothing more is read."""
        if self._state is not OPEN or self._goodbye is not None:
            return
        inbox = self._inbox
        if inbox is None:
            is_waited_for = self._stream.kept is not None
        else:
            is_waited_for = not inbox.is_unread and (not inbox.is_stream or inbox.is_busy)
        if not is_waited_for:
            self.start_close(code, reason)  # nobody would tell us that it is worked off
            return
        self._goodbye = (code, reason)
        self.pause(PAUSED_BY_GOODBYE)
        if inbox is not None:
            inbox.release()
            inbox.wake()
