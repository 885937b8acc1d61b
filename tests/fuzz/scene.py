"""A service and its clients in one thread and one event loop that runs step by step.

The program acts only inside its callbacks: `plan` sets what the next call of one will do. Each
message that a connection takes is recorded, and `judge` compares the record with what its client
has read.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz.rawclient import RawClient
from lineman import Connection, UsageError, Worker

# For the slowest machine with AddressSanitizer; usually far less is needed.
DEADLINE = 60.0
OCCASIONS = (
    "on_websocket_connect", "on_connect", "on_message", "on_close", "on_error", "on_buffer_full",
    "on_buffer_drain", "log", "generator", "task",
)  # fmt: skip


class Text(str):
    """A text with a class of its own."""


class Data(bytes):
    """Bytes with a class of their own."""


FORMS: tuple[Callable[[bytes], Any], ...] = (
    bytes, bytes.decode, bytearray, memoryview, lambda payload: Text(payload.decode()), Data,
)  # fmt: skip


@dataclass
class Sent:
    """A message that a connection took, or may have taken.

    Attributes:
        start: when it was given, on the scene's own clock of events,
        end: and when that was over; the same for a `send`, whose place is where it begins.
        key: it replaces what waits with the same one; None for nothing.
        is_sure: whether `send` said that it was taken; of a broadcast only the number is told.
    """

    payload: bytes
    start: int
    end: int
    key: object = None
    is_sure: bool = False


@dataclass
class Line:
    """The record of one connection.

    Attributes:
        is_cut: whether an end that loses messages was asked for.
    """

    connection: Connection
    client: RawClient
    sent: dict[bytes, Sent] = field(default_factory=dict)
    has_closed: int = 0
    is_cut: bool = False


@dataclass(frozen=True)
class Act:
    """The action of a callback.

    Attributes:
        kind: a method of `Scene`, without its underscore.
        target: which connection, counted around; -1 for the one whose callback it is.
        size: bytes of what it sends.
        form: an index of `FORMS`, and of the key.
    """

    kind: str
    target: int
    size: int
    form: int


class Talkative(logging.Handler):
    """A log handler that acts at a line of the log, as some programs' handlers do."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene

    def emit(self, record: logging.LogRecord) -> None:
        """Acts, and keeps lines that report a defect."""
        text = record.getMessage()
        if "defect in lineman" in text or (
            record.exc_info and not isinstance(record.exc_info[1], Planned)
        ):
            self._scene.defects.append(self.format(record))
        self._scene.perform("log", None)


class Planned(Exception):
    """The error that a callback raises on purpose."""


class Scene:
    """One worker and its clients.

    Args:
        loop: of this thread; it does not run.
        directory: for its socket.
        pair: certificate and key, for wss; None for ws.
        tls: for the clients.
        options: of the worker.
        send_buffer: what the kernel holds for a slow reader, in bytes.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        directory: Path,
        pair: tuple[Path, Path] | None,
        tls: ssl.SSLContext | None,
        send_buffer: int,
        **options: Any,
    ) -> None:
        self.loop = loop
        self._tls = tls
        self._path = str(directory / "s")
        self._send_buffer = send_buffer
        scheme = "ws" if pair is None else "wss"
        if pair is not None:
            options |= {"cert": pair[0], "key": pair[1]}
        self.worker = worker = Worker(f"{scheme}+unix://{self._path}", **options)
        self.clients: list[RawClient] = []
        self.lines: list[Line] = []
        self.plans: dict[str, deque[list[Act]]] = {name: deque() for name in OCCASIONS}
        self.defects: list[str] = []
        self._by_id: dict[int, Line] = {}
        self._now = 0  # on the clock of events
        self._serial = 0
        self._depth = 0  # of calls into the service
        self._taken_by_broadcast = 0
        for name in OCCASIONS[3:7]:
            setattr(worker, name, self._callback(name))
        worker.on_websocket_connect = self._on_websocket_connect
        worker.on_connect = self._on_connect
        worker.on_message = self._callback("on_message")
        worker.on_close = self._on_close
        self._handler = Talkative(self)
        logging.getLogger("lineman").addHandler(self._handler)
        loop.run_until_complete(worker.start())

    # The clock and the clients.

    def turn(self, times: int = 1) -> None:
        """Runs the event loop for some turns."""
        for _ in range(times):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def connect(self, offers_deflate: bool) -> None:
        """One more client, open if nothing has refused it."""
        client = RawClient(self._path, len(self.clients), self._tls, offers_deflate)
        self.clients.append(client)
        for _ in range(12):
            self.turn()
            client.work(1000)
            if client.stream.status:
                break

    def plan(self, occasion: str, acts: list[Act]) -> None:
        """Sets what the next call of a callback does."""
        self.plans[occasion].append(acts)

    def perform_outside(self) -> None:
        """Runs the planned action of a task, outside the service's callbacks."""
        with contextlib.suppress(Planned):
            self.perform("task", None)

    def cut(self, client: RawClient) -> None:
        """Notes that a client ends in a way that may lose messages."""
        for line in self.lines:
            if line.client is client:
                line.is_cut = True

    # The program.

    def _callback(self, name: str) -> Callable[..., None]:
        def callback(connection: Connection, *_: Any) -> None:
            if name in ("on_message", "on_buffer_full"):
                assert self.worker.connections[connection.id] is connection
            self.perform(name, connection)

        return callback

    def _on_websocket_connect(self, connection: Connection, request: Any) -> None:
        line = Line(connection, self.clients[int(request.target[2:])])
        self._by_id[connection.id] = line
        self.lines.append(line)
        self.perform("on_websocket_connect", connection)

    def _on_connect(self, connection: Connection) -> None:
        with socket.socket(fileno=os.dup(connection.fd)) as tcp:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer)
        self.perform("on_connect", connection)

    def _on_close(self, connection: Connection, code: int, reason: str) -> None:
        assert self._depth == 0, "on_close came while the program called something"
        assert connection.id not in self.worker.connections
        self._by_id[connection.id].has_closed += 1
        self.perform("on_close", connection)

    def perform(self, occasion: str, connection: Connection | None) -> None:
        """Runs the planned action of this call of a callback."""
        if not self.plans[occasion]:
            return
        for act in self.plans[occasion].popleft():
            line = None if connection is None else self._by_id.get(connection.id)
            if (line is None or act.target >= 0) and self.lines:
                line = self.lines[act.target % len(self.lines)]
            if line is not None:
                with contextlib.suppress(UsageError):  # it is not open yet
                    self._do(act, line)

    def _do(self, act: Act, line: Line) -> None:
        method = getattr(self, "_" + act.kind)
        depth, self._depth = self._depth, self._depth + 1
        try:
            method(act, line)
        finally:
            self._depth = depth

    def _message(self, act: Act) -> tuple[bytes, Any]:
        self._serial += 1
        payload = b"%07d" % self._serial + b":abcdefg" * (act.size // 8) + b"." * (act.size % 8)
        return payload, FORMS[act.form % len(FORMS)](payload)

    def _send(self, act: Act, line: Line) -> None:
        self._give(line, act, lambda message, key: line.connection.send(message, key))

    def _send_many(self, act: Act, line: Line) -> None:
        for _ in range(40):
            self._send(act, line)

    def _close_with(self, act: Act, line: Line) -> None:
        if line.connection.is_open:
            payload, message = self._message(act)
            self._now += 1
            line.sent[payload] = Sent(payload, self._now, self._now)
            line.connection.close(message, 4000, "enough")

    def _give(self, line: Line, act: Act, send: Callable[[Any, Any], bool]) -> None:
        payload, message = self._message(act)
        key = act.form % 3 or None
        self._now += 1
        line.sent[payload] = sent = Sent(payload, self._now, self._now, key)
        try:
            sent.is_sure = send(message, key)
        except UsageError:
            del line.sent[payload]
            raise
        if not sent.is_sure:
            del line.sent[payload]

    def _broadcast(self, act: Act, line: Line) -> None:
        payload, message = self._message(act)
        self._now += 1
        start = self._now
        there = [self._by_id[number] for number in self.worker.connections]
        copies = [Sent(payload, start, 1 << 60) for _ in there]
        for each, copy in zip(there, copies, strict=True):
            each.sent[payload] = copy

        def receivers() -> Iterator[Connection]:
            for each in there:
                yield each.connection
                self.perform("generator", each.connection)

        is_generator = act.form % 2
        to = receivers() if is_generator else None
        before = [each.connection.messages_written for each in there]
        taken = self.worker.broadcast(message, to)
        assert taken <= sum(e.connection.messages_written for e in there) - sum(before)
        self._now += 1
        for copy in copies:
            copy.end = self._now

    def _close(self, act: Act, line: Line) -> None:
        line.connection.close()

    def _destroy(self, act: Act, line: Line) -> None:
        line.is_cut = True
        line.connection.destroy()
        assert line.connection.id not in self.worker.connections

    def _destroy_all(self, act: Act, line: Line) -> None:
        for connection in self.worker.connections.values():
            self._by_id[connection.id].is_cut = True
            connection.destroy()

    def _close_all(self, act: Act, line: Line) -> None:
        for number, connection in self.worker.connections.items():
            assert number == connection.id
            connection.close(code=4001)

    def _pause(self, act: Act, line: Line) -> None:
        line.connection.pause_recv()

    def _resume(self, act: Act, line: Line) -> None:
        line.connection.resume_recv()

    def _flush(self, act: Act, line: Line) -> None:
        line.connection.flush()

    def _drain(self, act: Act, line: Line) -> None:
        async def drain() -> None:
            with contextlib.suppress(ConnectionError):
                await line.connection.drain()
            self.perform("task", line.connection)

        assert self.worker.service is not None
        self.worker.service.spawn(drain(), lambda _: None, lambda _: None)

    def _collect(self, act: Act, line: Line) -> None:
        gc.collect()

    def _raise(self, act: Act, line: Line) -> None:
        raise Planned

    # The result.

    def finish(self) -> None:
        """Makes every client read to its end, stops the worker, and judges."""
        try:
            for plans in self.plans.values():
                plans.clear()
            self._read_all(lambda: all(not line.connection.unsent for line in self.lines))
            self.judge(is_all=True)
            for line in self.lines:
                line.connection.resume_recv()
                line.connection.close()
            self._read_all(lambda: all(self._is_told(line) for line in self.lines))
            self.judge(is_all=True)
            for client in self.clients:
                client.close()
            self._read_all(lambda: not self.worker.connections)
            self.turn(2)
            assert all(line.has_closed == (line.connection.opened_at > 0) for line in self.lines)
        finally:
            logging.getLogger("lineman").removeHandler(self._handler)
            for client in self.clients:
                client.close()
            self.loop.run_until_complete(self.worker.stop(0.0))
        assert not self.defects, self.defects[0]

    def _is_told(self, line: Line) -> bool:
        client = line.client
        return client.is_closed or client.is_at_end or client.stream.close is not None

    def _read_all(self, is_done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        quiet = 0
        while quiet < 3 or not is_done():
            self.turn()
            has_come = [client.work() for client in self.clients]
            quiet = 0 if any(has_come) else quiet + 1
            assert time.monotonic() < deadline, f"never done: {self.lines}"

    def judge(self, is_all: bool = False) -> None:
        """Compares what each client read so far with what its connection took.

        Args:
            is_all: whether the clients have read all there is.

        Raises:
            AssertionError: they differ.
        """
        for line in self.lines:
            self._judge(line, is_all)

    def _judge(self, line: Line, is_all: bool) -> None:
        connection, stream = line.connection, line.client.stream
        got = [line.sent.get(payload) for payload in stream.messages]
        assert None not in got, f"{connection}: it was never given what its client read"
        assert len(set(stream.messages)) == len(stream.messages), f"{connection}: twice"
        latest = 0
        for sent in got:
            assert sent is not None
            is_ordered = self.worker.slow_readers != "latest" or sent.key is None
            assert not is_ordered or sent.end >= latest, f"{connection}: out of order"
            latest = max(latest, sent.start if is_ordered else 0)
        lost = connection.messages_written - len(got)
        assert lost >= 0, f"{connection}: more than it took"
        if not is_all or line.is_cut or line.client.is_closed:
            return
        is_whole = connection.is_open or stream.close is not None
        if is_whole and self.worker.slow_readers == "close":
            assert lost == 0, f"{connection}: {lost} messages that it took never came"
            missing = [each for each in line.sent.values() if each.is_sure and each not in got]
            assert not missing, f"{connection}: {len(missing)} messages never came"
        elif is_whole:
            assert lost <= connection.messages_dropped, f"{connection}: {lost} messages are lost"
            assert not stream.rest
