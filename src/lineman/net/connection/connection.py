"""A client's connection, as the program sees it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Hashable
from typing import Any, Never

from lineman.base import buffers, unknown_names
from lineman.base.address import format_ip_port
from lineman.base.buffers import Memory
from lineman.base.unknown_names import ConnectionNames
from lineman.errors import ConnectionLost, HttpError, UsageError
from lineman.net.connection.backpressure import Backpressure
from lineman.net.connection.end_causes import DESTROYED, GAVE_WAY, close_cause, failure_cause
from lineman.net.connection.http_stage import HttpStage
from lineman.net.connection.inbox import Inbox
from lineman.net.connection.lifecycle import NO_LINGER
from lineman.net.connection.outbox import SlowReaders, Waiting
from lineman.net.connection.state import CLOSED, FINISHING, HANDSHAKE, OPEN
from lineman.net.loop import syscalls
from lineman.net.stream.stream_status import PAUSED_BY_USER
from lineman.net.stream.tlsinfo import TlsInfo
from lineman.protocols.http.requests import error_response
from lineman.protocols.websocket import close as closing
from lineman.protocols.websocket import frames

# Seconds after which a newcomer may have to give way: one that has said nothing, and one whose
# handshake does not go on.
SILENT = 0.5
SLOW = 3.0

FIRST_OF_TEXT = frames.FIN | frames.TEXT
FIRST_OF_BINARY = frames.FIN | frames.BINARY


class Connection(Backpressure, ConnectionNames):
    """One client. Callbacks get it as their first argument; it is safe to use after its end.

    Attributes:
        id: a number that no other connection of this process has or had.
        remote_ip: the client's address; behind a trusted proxy the one that the proxy tells, or
            `unknown` where it tells none that can be believed.
        remote_port: the client's port; 0 where a proxy does not tell it.
        proxy_header: what the proxy said by the PROXY protocol, a `ProxyHeader`; None without it.
        request: the handshake: path, query, headers, cookies; None before its head arrived.
        subprotocol: the one that was agreed on, or None.
        messages_read: messages that came from the peer.
        messages_written: messages that `send` accepted.
        opened_at: when it became a websocket, as `time.time()` tells it; 0 before.
        messages_dropped: messages that its client did not get because it reads too slowly.
        close_code: why it ended (RFC 6455, section 7.4; 1006 for a lost one); 0 while it is open.
        close_reason: the same in words.
    """

    __slots__ = ()

    def __setattr__(self, name: str, value: Never) -> None:
        unknown_names.set_or_refuse(self, name, value)

    @property
    def worker(self) -> Any:
        """The worker that the connection belongs to."""
        return self.service.owner

    @property
    def state(self) -> str:
        """`handshake`, `open`, `closing`, `finishing` or `closed`."""
        return self._state.value

    @property
    def data(self) -> Any:
        """A place for the program's own: a dictionary until something else is put there."""
        if self._data is None:
            self._data = {}
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self._data = value

    @property
    def local_address(self) -> str:
        """`ip:port` of our end; empty if it was first asked for after the end."""
        if self._local is None:
            if self._state is CLOSED:
                return ""
            try:
                self._local = format_ip_port(*syscalls.local_address(self._stream.fd))
            except OSError:
                return ""
        return self._local

    @property
    def tls(self) -> TlsInfo | None:
        """What TLS has agreed on, and the client's certificate; None without TLS.

        What was asked for once stays after the end of the connection.
        """
        if self._tls_info is None and self._stream.tls is not None:
            self._tls_info = self._stream.tls.info
        return self._tls_info

    @property
    def shows_certificate(self) -> bool:
        """Whether the client has shown one to the worker itself."""
        return self.tls is not None and self.tls.peer_certificate is not None

    @property
    def tls_version(self) -> str | None:
        """`TLSv1.3` or `TLSv1.2`; None where the connection came without TLS."""
        tls = self._stream.tls
        return None if tls is None else tls.version

    @property
    def tls_cipher(self) -> str | None:
        """The cipher in OpenSSL's words, such as `TLS_AES_256_GCM_SHA384`; None without TLS."""
        tls = self._stream.tls
        return None if tls is None else tls.cipher

    @property
    def idle(self) -> float:
        """Seconds since the peer last sent something; answers to our pings do not count."""
        has_sent = self.messages_read != self._quiet_messages
        since = self._last_received if has_sent else self._quiet_since
        return max(0.0, self.service.wheel.now - since)

    @property
    def is_unopened(self) -> bool:
        """Whether it is not a websocket yet, and may become one."""
        return self._state is HANDSHAKE

    def send(
        self, message: str | bytes | bytearray | memoryview, key: Hashable | None = None
    ) -> bool:
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
        if type(message) is not str and type(message) is not bytes:
            message = plain(message)
        if self._state is not OPEN or self._stream.is_blocked:
            if not self.may_send():
                to_frame(message)  # what cannot be sent at all is told all the same
                return False
            if self.service.slow_readers is not SlowReaders.CLOSE:
                return self.hold(self._to_wait(message), key)
        if self._compressor is not None:
            first, payload = self.shrunk(to_frame(message))
            self._write_frame(first, payload)
        else:
            self._send_plain(message)
        return self._has_written()

    def _send_plain(self, message: str | bytes) -> None:
        """Sends a message as it is; no object is made for it."""
        payload = buffers.payload_of(message)
        if payload.size < 0:
            first, data = to_frame(message)
            self._write_frame(first, data)
        else:
            first = FIRST_OF_TEXT if payload.is_text else FIRST_OF_BINARY
            self._put_frame(first, payload.data, payload.size)

    def send_memory(self, is_text: bool, data: Memory, start: int, size: int) -> bool:
        """Sends what lies in memory, without an object for it; False where only `send` can.

        Args:
            is_text: whether it is UTF-8, and a text.
            data: where the message lies,
            start: from here on.
            size: bytes of it.
        """
        if self._state is not OPEN or self._stream.is_blocked or self._compressor is not None:
            return False
        first = FIRST_OF_TEXT if is_text else FIRST_OF_BINARY
        self._put_frame(first, buffers.beyond(data, start), size)
        return self._has_written()

    def _has_written(self) -> bool:
        """Counts a message that was given to the socket, and looks at what waits; True."""
        self.messages_written += 1
        if self._stream.is_blocked:
            self.check_full()
        return True

    def borrow_cork(self) -> bool:
        """Takes the poller's cork until `return_cork`; False if it is taken.

        For who writes much to one connection while the poller serves none.
        """
        return self._stream.borrow_cork()

    def return_cork(self) -> None:
        """Gives it back; what is in it leaves with all that is corked."""
        self._stream.return_cork()

    def encode_shared(self, message: object) -> bytes:
        """A message as a frame for this connection and all with the same `share_key`."""
        first, payload = self.shrunk(to_frame(message))
        return frames.whole(first, payload)

    def _to_wait(self, message: object) -> Waiting:
        if self.agreement is not None and self.agreement.share_key is None:
            return to_frame(message)  # the next one builds on it, so it must really leave
        return self.encode_shared(message)

    def send_encoded(self, frame: bytes, key: object) -> bool:
        """Sends a message that is a whole frame, as `send` does; False before it is open."""
        if self._state is not OPEN or self._stream.is_blocked:
            if self._state is HANDSHAKE or not self.may_send():
                return False
            if self.service.slow_readers is not SlowReaders.CLOSE:
                return self.hold(frame, key)
        self._stream.write(frame)
        return self._has_written()

    def close(self, data: str | bytes | None = None, code: int = 1000, reason: str = "") -> None:
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
        self._is_ended_by_us = True
        self._lose(closing.ABNORMAL, DESTROYED)

    def leave_idle(self) -> None:
        """Ends a connection whose plain requests are all answered."""
        if self._state is HANDSHAKE and self._stage is not None and self._stage.is_idle:
            self.finish()

    def gives_way_in(self, now: float) -> float:
        """Seconds after which a newcomer may be let go for another; infinite for not at all.

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
            self._stream.write(error_response(error))
            self.flush()
        self._lose(closing.ABNORMAL, GAVE_WAY)

    def pause_recv(self) -> None:
        """Stops reading: the peer is slowed by its own full socket. Messages at hand wait."""
        if self._state is OPEN:
            self.pause(PAUSED_BY_USER)
            if self._inbox is None:
                self._inbox = Inbox(self)
            self._inbox.hold()

    def resume_recv(self) -> None:
        """Reads again; what waited is delivered first."""
        self.resume(PAUSED_BY_USER)
        if self._inbox is not None:
            self._inbox.release()

    async def drain(self) -> None:
        """Waits until all that was sent has left the process.

        Raises:
            ConnectionLost: the connection ended before.
        """
        self.flush()
        if self.unsent and self._state is not CLOSED:
            waiter = self.service.loop.create_future()
            if self._drain_waiters is None:
                self._drain_waiters = []
            self._drain_waiters.append(waiter)
            await waiter
        if self.is_over:
            raise ConnectionLost(self.close_code, self.close_reason)

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """The messages as they come; ends when the connection does."""
        if self._inbox is None and self._state is OPEN:
            self._inbox = Inbox(self, is_stream=True)
        return _messages(self._inbox)

    def enlist(self) -> None:
        """Counts the connection among the open ones of its worker."""
        self.service.newcomers.pop(self, None)
        self.service.connections[self.id] = self
        self.service.opened += 1
        self.opened_at = time.time()

    def unlist(self) -> None:
        """Takes the connection off the books of its worker: it ends."""
        service = self.service
        tally = service.tally
        if service.is_guarded:
            service.admission.leave(self)
        tally.add(
            self.messages_read,
            self.messages_written,
            self._stream.bytes_read,
            self._stream.bytes_written,
        )
        if self.opened_at:
            service.connections.pop(self.id, None)
            is_broken_rule = self._linger != NO_LINGER  # the only end by the peer that lingers
            code, is_ours = self.close_code, self._is_ended_by_us
            tally.closes[close_cause(code, self.close_reason, is_ours, is_broken_rule)] += 1
            return
        service.newcomers.pop(self, None)
        cause = failure_cause(self.close_reason, self._state is FINISHING)
        if cause is not None:
            tally.failures[cause] += 1

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

    def _before_open(self, method: str) -> HttpStage:
        if self._stage is None or not self._stage.is_deciding:
            raise UsageError(f"{method}() works in on_websocket_connect only, before the 101")
        return self._stage


async def _messages(inbox: Inbox | None) -> AsyncIterator[str | bytes]:
    if inbox is not None:
        inbox.is_read = True
        while (message := await inbox.next_message()) is not None:
            yield message


def check_key(key: object) -> None:
    """Refuses what cannot tell messages apart.

    Raises:
        UsageError: it cannot be hashed.
    """
    try:
        hash(key)
    except TypeError:
        raise UsageError(f"key is {key!r}; give a text, a number or a tuple of them") from None


def to_frame(message: object) -> tuple[int, bytes]:
    """The first byte of a message's frame, and its payload.

    Raises:
        UsageError: it is neither text nor bytes.
    """
    message = plain(message)
    if isinstance(message, bytes):
        return FIRST_OF_BINARY, message
    try:
        return FIRST_OF_TEXT, message.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the text cannot be sent as UTF-8: {error}") from None


def plain(message: object) -> str | bytes:
    """The message as Python's own `str` or `bytes`: as it is now, and with no methods but theirs.

    Raises:
        UsageError: it is neither text nor bytes.
    """
    if type(message) is str or type(message) is bytes:
        return message
    if isinstance(message, str):
        return str.__str__(message)
    if isinstance(message, (bytes, bytearray, memoryview)):
        return memoryview(message).tobytes()
    raise UsageError(
        f"send() takes str or bytes, got {type(message).__name__}; "
        "for structured data use json.dumps(...)"
    )
