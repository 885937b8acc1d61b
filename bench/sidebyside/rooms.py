"""Clients of one room on several servers: raw websockets that check every delivery."""

from __future__ import annotations

import base64
import json
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sidebyside.generators import LoadFailedError
from sidebyside.processes import HOST

TIMEOUT = 30.0
SIZE = 128  # bytes of a message
CLOSE, PING, PONG = 8, 9, 10


@dataclass(frozen=True, slots=True)
class Dialect:
    """The messages of a server's clients.

    Attributes:
        path: of the websocket.
        hello: the message that a client sends after the handshake.
        welcome: the beginning of the text that confirms that the client is in the room.
        say: makes the text in which a client sends a message.
        said: returns the message in a text that a client receives; None if it holds none.
    """

    path: str
    hello: str | None
    welcome: str | None
    say: Callable[[str], str]
    said: Callable[[str], str | None]


def _engine_io_said(text: str) -> str | None:
    if not text.startswith("42"):
        return None
    name, message = json.loads(text[2:])
    return message if name == "said" else None


PLAIN = Dialect("/b", None, None, str, str)
# Engine.IO 4: `0` opens, `40` joins the namespace, `42` is an event, `2` wants to be answered `3`.
ENGINE_IO = Dialect(
    "/socket.io/?EIO=4&transport=websocket",
    "40",
    "40",
    lambda message: "42" + json.dumps(["say", message]),
    _engine_io_said,
)


@dataclass(slots=True)
class Listener:
    """One client.

    Attributes:
        heard: how many messages it has received, each once.
        is_in: whether it is in the room.
        disordered: how many of them came before an earlier one.
    """

    socket: socket.socket
    dialect: Dialect
    heard: int = 0
    is_in: bool = False
    disordered: int = 0
    received: bytearray = field(default_factory=bytearray)
    _next: int = 0
    _early: set[int] = field(default_factory=set)  # got before the next one

    @classmethod
    def open(cls, port: int, dialect: Dialect) -> Listener:
        """Connects and makes the handshake."""
        link = socket.create_connection((HOST, port), TIMEOUT)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        link.sendall(
            f"GET {dialect.path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            "\r\n".encode()
        )
        made = cls(link, dialect)
        while b"\r\n\r\n" not in made.received:
            made.received += link.recv(65536) or _fail("the server ended a handshake")
        head, _, made.received = made.received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            _fail(f"no websocket: {head[:80]!r}")
        if dialect.hello is not None:
            made.send(dialect.hello)
        made.is_in = dialect.welcome is None
        while not made.is_in:
            made.read()
        return made

    def send(self, text: str) -> None:
        """Sends a text message."""
        self._send(0x81, text.encode())

    def _send(self, first: int, data: bytes) -> None:
        mask = os.urandom(4)
        repeated = (mask * (len(data) // 4 + 1))[: len(data)]
        masked = int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")
        size = bytes([0x80 | len(data)])
        if len(data) > 125:
            size = struct.pack("!BH", 0x80 | 126, len(data))
        self.socket.sendall(bytes([first]) + size + mask + masked.to_bytes(len(data), "big"))

    def read(self) -> int:
        """Reads what has come; returns how many messages of the room it held."""
        data = self.socket.recv(65536)
        self.received += data or _fail("the server closed a connection")
        before = self.heard
        while (frame := self._frame()) is not None:
            self._take(frame)
        return self.heard - before

    def _frame(self) -> bytes | None:
        received = self.received
        if len(received) < 4:
            return None
        size, start = received[1], 2
        if size == 126:
            size, start = int.from_bytes(received[2:4], "big"), 4
        elif size > 126:
            _fail("a frame that nobody should send here")
        if len(received) < start + size:
            return None
        kind, frame = received[0] & 0x0F, bytes(received[start : start + size])
        del received[: start + size]
        if kind == CLOSE:
            _fail(f"the server closed a connection: {frame!r}")
        if kind == PING:
            self._send(0x80 | PONG, frame)
        return frame if kind < CLOSE else b""

    def _take(self, frame: bytes) -> None:
        text = frame.decode()
        if not self.is_in:
            self.is_in = text.startswith(self.dialect.welcome or "")
            return
        if text == "2" and self.dialect.hello is not None:
            self.send("3")
            return
        message = self.dialect.said(text) if text else None
        if message is None:
            return
        place = int(message.partition(" ")[0])
        if message != numbered(place) or place < self._next or place in self._early:
            _fail(f"a client got {message[:20]!r}, and has it already")
        self.heard += 1
        self.disordered += place != self._next
        self._early.add(place)
        while self._next in self._early:
            self._early.discard(self._next)
            self._next += 1


def numbered(number: int) -> str:
    """The message of this number."""
    return f"{number} ".ljust(SIZE, "x")


class Room:
    """Clients of one room, spread over servers.

    Args:
        ports: of the servers, each of which gets the same number of clients.
        dialect: their messages.
        clients: how many in all.
        depth: messages under way at a time.
    """

    def __init__(self, ports: list[int], dialect: Dialect, clients: int, depth: int) -> None:
        self._depth = depth
        self.listeners = [
            Listener.open(ports[number % len(ports)], dialect) for number in range(clients)
        ]
        self._selector = selectors.DefaultSelector()
        for listener in self.listeners:
            self._selector.register(listener.socket, selectors.EVENT_READ, listener)
        self._said = 0
        self._heard = 0

    def run(self, seconds: float) -> int:
        """Sends messages for this time; returns the number of deliveries, all of them checked.

        Raises:
            LoadFailedError: a message was lost, doubled or garbled at any client.
        """
        before = self._heard
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while self._said * len(self.listeners) - self._heard < self._depth * len(
                self.listeners
            ):
                self._say()
            self._hear()
        while self._heard < self._said * len(self.listeners):
            self._hear()
        return self._heard - before

    def _say(self) -> None:
        speaker = self.listeners[0]
        speaker.send(speaker.dialect.say(numbered(self._said)))
        self._said += 1

    def _hear(self) -> None:
        ready = self._selector.select(TIMEOUT)
        if not ready:
            _fail(f"{self._said * len(self.listeners) - self._heard} deliveries are missing")
        for key, _ in ready:
            self._heard += key.data.read()

    def close(self) -> None:
        """Leaves."""
        self._selector.close()
        for listener in self.listeners:
            listener.socket.close()


def _fail(words: str) -> bytes:
    raise LoadFailedError(words)
