"""One client's socket: connects, speaks TLS where it is asked to, reads and writes what it can.

Its talk (`load_talk`) knows what the bytes mean; the link's user decides what to do.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections import deque
from enum import Enum
from typing import Protocol

from lineman.cli.load.load_shared import Net
from lineman.cli.load.load_talk import talk_of
from lineman.cli.websocket_client.client_socket import tls_of
from lineman.cli.websocket_client.failures import (
    Failure,
    closed_by_server,
    ended_early,
    never_ended,
    of_error,
    timed_out,
)
from lineman.errors import ProtocolError
from lineman.protocols.events import Close
from lineman.protocols.websocket import close
from lineman.protocols.websocket.client.client_handshake import HandshakeRefusedError
from lineman.protocols.websocket.client.server_answer import NotHttpError
from lineman.protocols.websocket.control import Event, Ping

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
SECOND = 1_000_000_000

_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class LinkState(Enum):
    """How far a link has come; it only ever goes forward."""

    CONNECTING = 0
    TLS = 1
    UPGRADING = 2
    OPEN = 3
    CLOSING = 4  # we have sent our close frame, or ended our half of the connection
    CLOSED = 5


class User(Protocol):
    """The owner of links, which gets their events."""

    def on_open(self, client: LoadLink, now: int) -> None:
        """The websocket, or the connection of another protocol, is open."""
        ...

    def on_message(self, client: LoadLink, message: str | bytes, now: int) -> None:
        """A message has come."""
        ...

    def after_read(self, client: LoadLink, now: int) -> None:
        """All messages of one read were handed over, or all waiting bytes were sent."""
        ...

    def on_close_code(self, code: int) -> None:
        """The server's close frame has come, or its end without one (1006)."""
        ...

    def on_end(self, client: LoadLink, now: int) -> None:
        """The server, too, has ended a connection without close frames that we have ended."""
        ...

    def on_silence(self, client: LoadLink, now: int) -> None:
        """Nothing has come in time over a protocol that may lose messages."""
        ...

    def on_failure(self, client: LoadLink, failure: Failure) -> None:
        """Something went wrong; `on_gone` follows."""
        ...

    def on_gone(self, client: LoadLink, now: int) -> None:
        """The link is closed."""
        ...


class LoadLink:
    """One connection of a load test.

    Args:
        net: the part that it shares with the others.
        user: gets the events.
        number: which of the test's connections it is.

    Attributes:
        state: how far it has come.
        began: when it was due or begun, in nanoseconds; the user may set it earlier.
        pending: when each unanswered message was due, oldest first.
        sent: messages sent.
        owed: messages that are due and could not be sent yet.
        heard: messages received that count.
        deadline: nanoseconds at which it is given up; 0 for never.
    """

    __slots__ = (
        "_closed_by_peer", "_fd", "_net", "_out", "_out_sent", "_socket", "_talk", "_user",
        "_watched", "began", "deadline", "heard", "number", "owed", "pending", "sent", "state",
    )  # fmt: skip

    kind = socket.SOCK_STREAM

    def __init__(self, net: Net[LoadLink], user: User, number: int) -> None:
        self._net = net
        self._user = user
        self.number = number
        self.state = LinkState.CONNECTING
        self.began = 0
        self.pending: deque[int] = deque()
        self.sent = 0
        self.owed = 0
        self.heard = 0
        self.deadline = 0
        self._talk = talk_of(net.opening, net.new_mask)
        self._socket: socket.socket = socket.socket(net.family, self.kind)
        self._fd = self._socket.fileno()
        self._out = b""
        self._out_sent = 0
        self._watched = 0
        self._closed_by_peer = False

    # Opening.

    def connect(self, now: int, source: str | None = None) -> None:
        """Begins to connect.

        Args:
            now: nanoseconds.
            source: the local address to connect from; None lets the system choose.
        """
        self.began = now
        self.deadline = now + self._net.timeout
        try:
            self._socket.setblocking(False)
            if self._net.family is not socket.AF_UNIX:
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if source is not None:
                # The port is chosen at `connect`, where it need only differ for this server.
                option = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24)
                self._socket.setsockopt(socket.IPPROTO_IP, option, 1)
                self._socket.bind((source, 0))
            self._socket.connect(self._net.place)
        except OSError as error:
            # A unix socket that is not connected at once never will be.
            if isinstance(error, BlockingIOError) and self._net.family is not socket.AF_UNIX:
                self._watch_new()
                return
            self._fail(of_error(error, self._net.opening.target), now)
        else:
            self._watch_new()

    def _watch_new(self) -> None:
        self._net.links[self._fd] = self
        self._watch(WRITE)

    def _watch(self, events: int) -> None:
        if not self._watched:
            self._net.epoll.register(self._fd, events)
        elif self._watched != events:
            self._net.epoll.modify(self._fd, events)
        self._watched = events

    def on_event(self, events: int, now: int) -> None:
        """Goes on with what the socket is ready for."""
        try:
            if self.state is LinkState.CONNECTING:
                self._on_connected(now)
            elif self.state is LinkState.TLS:
                self._shake_hands(now)
            else:
                if events & WRITE:
                    self._flush(now)
                if events & ~WRITE and self.state is not LinkState.CLOSED:
                    self._read(now)
        except OSError as error:
            self._on_broken(error, now)
        except (HandshakeRefusedError, NotHttpError) as error:
            self._fail(of_error(error, self._net.opening.target), now)

    def _on_connected(self, now: int) -> None:
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, "connect")
        if self._net.tls is None:
            self._upgrade(now)
            return
        self._socket = self._net.tls.wrap_socket(
            self._socket,
            server_hostname=self._net.opening.target.server_name,
            do_handshake_on_connect=False,
        )
        self.state = LinkState.TLS
        self._shake_hands(now)

    def _shake_hands(self, now: int) -> None:
        assert isinstance(self._socket, ssl.SSLSocket)
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(READ)
        except ssl.SSLWantWriteError:
            self._watch(WRITE)
        else:
            self._upgrade(now)

    def _upgrade(self, now: int) -> None:
        self._watch(READ)
        if self._talk.request:
            self.state = LinkState.UPGRADING
            self._put(self._talk.request, now)
        else:
            self._open(now)

    def _open(self, now: int) -> None:
        self.state = LinkState.OPEN
        self.deadline = 0
        self._user.on_open(self, now)

    # Reading.

    def _read(self, now: int) -> None:
        buffer = self._net.buffer
        while True:
            try:
                count = self._socket.recv_into(buffer)
            except _NOT_NOW:
                return
            except ssl.SSLZeroReturnError:  # both sides have ended TLS
                count = 0
            if not count:
                self._on_end(now)
                return
            self._take(buffer[:count], now)
            # epoll does not report bytes that OpenSSL has already decrypted.
            if self.state is LinkState.CLOSED or not (
                isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
            ):
                return

    def _take(self, data: bytes | memoryview, now: int) -> None:
        if self.state is LinkState.UPGRADING:
            rest = self._talk.open_with(data)
            if rest is None:
                return
            self._open(now)
            data = rest
        for event in self._talk.feed(data):
            if isinstance(event, (str, bytes)):
                if self.state is LinkState.OPEN:
                    self._user.on_message(self, event, now)
            elif isinstance(event, Ping):
                self._answer(event, now)
            elif isinstance(event, Close):
                self._on_close_frame(event, now)
            elif isinstance(event, ProtocolError):
                self._answer(event, now)
                seen = f"the server broke the protocol: {event.reason}"
                self._fail(Failure(seen, seen, "report it to the service's maintainers"), now)
        if self.state is LinkState.OPEN and not self._out:
            self._user.after_read(self, now)

    def _answer(self, event: Event, now: int) -> None:
        answer = self._talk.answer_to(event, now / SECOND)
        if answer is not None and self.state is LinkState.OPEN:
            self._put(answer, now)

    def _on_close_frame(self, event: Close, now: int) -> None:
        self._user.on_close_code(event.code)
        self._closed_by_peer = True
        if self.state is LinkState.CLOSING:
            self.deadline = now + self._net.hang_up  # the server ends TCP (RFC 6455, 7.1.1)
            return
        if self.state is not LinkState.OPEN:
            return
        self._user.on_failure(self, closed_by_server(event.code, event.reason))
        self._answer(event, now)
        self.state = LinkState.CLOSING if self.state is LinkState.OPEN else self.state
        self.deadline = now + self._net.hang_up

    def _on_end(self, now: int) -> None:
        if self.state is LinkState.UPGRADING:
            self._talk.end_early()  # raises where a refusal ends with the connection
            self._fail(ended_early(self._net.opening.target), now)
        elif self.state is LinkState.CLOSING and not self._talk.has_close_frames:
            self._user.on_end(self, now)
            self.drop(now)
        else:
            self._on_lost(now)

    def _on_lost(self, now: int) -> None:
        if self._talk.has_close_frames and not self._closed_by_peer:
            self._user.on_close_code(close.ABNORMAL)
        if self.state is LinkState.OPEN or not self._talk.has_close_frames:
            self._fail(self._talk.lost, now)
        else:
            self.drop(now)

    def _on_broken(self, error: OSError, now: int) -> None:
        if self.state in (LinkState.OPEN, LinkState.CLOSING):
            self._on_lost(now)
        elif self.state is not LinkState.CLOSED:
            self._fail(of_error(error, self._net.opening.target), now)

    # Writing.

    @property
    def is_alive(self) -> bool:
        """Whether the connection is open."""
        return self.state is LinkState.OPEN

    @property
    def is_ready(self) -> bool:
        """Whether the connection is open and nothing waits to be written."""
        return self.state is LinkState.OPEN and not self._out

    def send(self, message: str | bytes, count: int, now: int) -> None:
        """Sends a message `count` times; what the socket does not take waits until it can."""
        encode = self._talk.encode
        frames = (
            encode(message) if count == 1 else b"".join([encode(message) for _ in range(count)])
        )
        self._put(frames, now)

    def _put(self, data: bytes, now: int) -> None:
        if self._out:
            self._out = self._out[self._out_sent :] + data
            self._out_sent = 0
            return
        try:
            written = self._write(data, 0)
        except OSError as error:
            self._on_broken(error, now)
            return
        if written < len(data):
            self._out, self._out_sent = data, written
            self._watch(READ | WRITE)

    def _write(self, data: bytes, start: int) -> int:
        if not start and not isinstance(self._socket, ssl.SSLSocket):
            try:
                return self._socket.send(data)
            except BlockingIOError:
                return 0
        with memoryview(data) as view:
            while start < len(data):
                try:
                    start += self._socket.send(view[start:])
                except _NOT_NOW:
                    break
        return start

    def _flush(self, now: int) -> None:
        if self._out:
            before = self._out_sent
            self._out_sent = self._write(self._out, before)
            if self.state is LinkState.OPEN and self._out_sent > before:
                self.deadline = now + self._net.timeout  # a long message on a slow line
            if self._out_sent < len(self._out):
                return
            self._out, self._out_sent = b"", 0
        self._watch(READ)
        if self.state is LinkState.OPEN:
            self._user.after_read(self, now)

    # The end.

    def say_goodbye(self, now: int, timeout: int) -> None:
        """Ends our side and waits for the server's end, for a limited time in nanoseconds.

        With a close frame, or without one by the end of our half of the connection.
        """
        if self.state is LinkState.OPEN:
            self.state = LinkState.CLOSING
            self.deadline = now + timeout
            frame = self._talk.closing(now / SECOND)
            if frame is not None:
                self._put(frame, now)
            else:
                self._end_writing()
        elif self.state is not LinkState.CLOSING:
            self.drop(now)

    def leave(self, now: int, timeout: int) -> None:
        """As `say_goodbye`, but waits for the server only where its answer is a close frame."""
        self.say_goodbye(now, timeout)
        if not self._talk.has_close_frames:
            self.drop(now)

    def _end_writing(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.unwrap()  # sends TLS' word for the end, and does not wait
        with contextlib.suppress(OSError):
            # `SSLSocket.shutdown` would take the encrypted rest for plain bytes.
            socket.socket.shutdown(self._socket, socket.SHUT_WR)

    def give_up(self, now: int) -> None:
        """Drops it after its deadline; reports a failure if it waited for the server's answer."""
        if self.state is LinkState.CLOSING and not self._talk.has_close_frames:
            self._fail(never_ended(self._net.opening.target), now)
        elif self.state is LinkState.CLOSING:
            self._on_lost(now)
        elif self.state is LinkState.OPEN:
            seconds = self._net.timeout / SECOND
            words = f"no answer within {seconds:g} s"
            self._fail(Failure(words, words, "see the service's log, or raise --timeout"), now)
        else:
            self._fail(timed_out(self._net.opening.target, self._net.timeout / SECOND), now)

    def _fail(self, failure: Failure, now: int) -> None:
        if self.state is not LinkState.CLOSED:
            self._user.on_failure(self, failure)
            self.drop(now)

    def drop(self, now: int) -> None:
        """Closes the socket at once; doing it twice is fine."""
        if self.state is LinkState.CLOSED:
            return
        self.state = LinkState.CLOSED
        if self._watched:
            del self._net.links[self._fd]
            # If TLS failed to take over the socket, that is closed, so epoll has forgotten it.
            with contextlib.suppress(OSError):
                self._net.epoll.unregister(self._fd)
        self._socket.close()
        self._user.on_gone(self, now)

    @property
    def subprotocol(self) -> str | None:
        """What the server chose of the offered subprotocols of a websocket."""
        return self._talk.subprotocol

    @property
    def tls(self) -> str | None:
        """TLS version and cipher; None for a plain connection."""
        return tls_of(self._socket)
