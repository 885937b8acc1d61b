"""A real service in this process, with peers that do everything that a peer can do."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import time
from collections import Counter
from pathlib import Path
from random import Random

from fuzz.streams import STREAMS
from kit.rubbish import HANDSHAKE, client_hello, frame, half_request, mutated_request, noise
from kit.waiting import wait_until
from lineman import Connection, DeflateOptions, Request, Response, Worker
from lineman.testing.certificates import TestCA
from lineman.testing.client import RawClient, encode
from lineman.testing.serving import Serving


class Defects(logging.Handler):
    """Collects what a service must never log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a line about a defect."""
        text = self.format(record)
        if "defect in lineman" in text:
            self.seen.append(text)


PROTOCOLS = ("ws", *STREAMS)


def served(random: Random, protocol: str, pair: tuple[Path, Path] | None) -> Worker:
    """A worker with random limits and policies, whose callbacks do a little of everything."""
    scheme = "tcp" if protocol in STREAMS and STREAMS[protocol].protocol else protocol
    if pair is not None:
        scheme = {"ws": "wss"}.get(scheme, f"{scheme}+tls")
    worker = Worker(
        f"{scheme}://127.0.0.1:0",
        slow_readers=random.choice(["close", "drop_oldest", "latest"]),
        max_message_size=random.choice([10, 1000, 100_000, 100_000]),
        max_send_buffer_size=random.choice([1, 1000, 100_000]),
        close_timeout=0.5,
        handshake_timeout=1.0,
    )
    if protocol == "ws":
        options = DeflateOptions(random.random() < 0.5, random.random() < 0.5, threshold=0)
        worker.compression = random.choice([True, False, options])
        worker.max_head_size = random.choice([100, 4096, 4096, 4096])
    else:
        worker.idle_timeout = random.choice([0, 0.5])
        worker.protocol = STREAMS[protocol].protocol
    if pair is not None:
        worker.cert, worker.key = pair
    late = random.random() < 0.3

    def on_message(connection: Connection, message: str | bytes) -> None:
        step = len(message) % 8
        if step < 3:
            connection.send(message)
        elif step == 3:
            worker.broadcast(message * 40, key="all")
        elif step == 4:
            connection.pause_recv()
            connection.service.loop.call_later(0.01, connection.resume_recv)
        elif step == 5:
            connection.close(message, 4000, "enough")
        elif step == 6:
            connection.destroy()
        else:
            for number in range(50):
                connection.send(bytes(3000), key=number % 3)

    async def on_message_late(connection: Connection, message: str | bytes) -> None:
        await connection.drain() if len(message) % 2 else None
        on_message(connection, message)

    def on_request(request: Request) -> Response:
        return Response(request.path + str(request.query) + str(request.cookies))

    worker.on_message = on_message_late if late else on_message
    if protocol == "ws" and random.random() < 0.5:
        worker.on_request = on_request
    return worker


def attack(
    random: Random, protocol: str, port: int, tls: ssl.SSLContext | None
) -> RawClient | None:
    """One hostile peer: it connects, sends invalid bytes, perhaps reads, and leaves in some way."""
    try:
        client = RawClient(port, tls=tls, timeout=0.05, receive_buffer=random.choice([None, 4096]))
    except (OSError, ssl.SSLError):
        return None
    with contextlib.suppress(OSError, EOFError):
        (_on_websocket if protocol == "ws" else _on_stream)(random, protocol, client)
    with contextlib.suppress(OSError):
        random.choice([client.close, client.reset, client.end_writing, lambda: None])()
    return client


def _on_websocket(random: Random, protocol: str, client: RawClient) -> None:
    kind = random.randrange(7)
    if kind < 4:
        client.send_bytes([noise, half_request, mutated_request, client_hello][kind](random))
        return
    wire = b"".join(
        frame(random) if kind < 6 else encode(random.randbytes(random.randrange(100)))
        for _ in range(random.randrange(1, 8))
    )
    if random.random() < 0.5:
        client.send_bytes(HANDSHAKE)
        client.receive_bytes()
    else:
        wire = HANDSHAKE + wire
    _cut(random, client, wire)


def _on_stream(random: Random, protocol: str, client: RawClient) -> None:
    kind = random.randrange(6)
    if kind < 3:
        client.send_bytes([noise, half_request, client_hello][kind](random))
        return
    framed = STREAMS[protocol].framed
    sizes = [0, 1, 7, random.randrange(100), random.randrange(3000), 70_000]
    parts = [framed(random.randbytes(random.choice(sizes))) for _ in range(random.randrange(1, 30))]
    wire = bytearray(b"".join(parts if kind < 5 else [framed(b"x" * 5)] * 3000))
    for _ in range(random.choice([0, 0, 1, 3]) if wire else 0):
        wire[random.randrange(len(wire))] = random.randrange(256)
    _cut(random, client, bytes(wire[: random.randrange(len(wire) + 1)] if kind == 4 else wire))


def _cut(random: Random, client: RawClient, wire: bytes) -> None:
    cut = random.randrange(len(wire) + 1)
    for part in (wire[:cut], wire[cut:]):
        client.send_bytes(part)
    if random.random() < 0.3:
        client.receive_bytes()


def round_(
    random: Random, protocol: str, authority: TestCA | None, count: int, deadline: float
) -> Counter[str]:
    """Attacks one service for a while; returns how often, and how far the peers got.

    Raises:
        AssertionError: the service logged a defect, or something is left in it.
    """
    pair = tls = None
    if authority is not None:
        issued = authority.issue(["localhost", "127.0.0.1"])
        pair = issued.cert, issued.key
        tls = ssl.create_default_context(cafile=authority.ca_path)
    defects = Defects()
    logger = logging.getLogger("lineman")
    logger.addHandler(defects)
    worker = served(random, protocol, pair)
    done: Counter[str] = Counter()
    left: list[RawClient] = []
    try:
        with Serving(worker) as serving:
            while done["attacks"] < count and time.monotonic() < deadline:
                rude = attack(
                    random, protocol, serving.port, None if random.random() < 0.2 else tls
                )
                done["attacks"] += 1
                if rude is not None:
                    left.append(rude)
                if len(left) > 20:
                    for client in left:
                        client.close()
                    left.clear()
            for client in left:
                client.close()
            with socket.create_connection(("127.0.0.1", serving.port)) as last:
                last.shutdown(socket.SHUT_RDWR)  # it still accepts
            service = worker.service
            assert service is not None
            wait_until(
                lambda: len(serving.call(service.poller.handlers)) == 1, "only the listener is left"
            )
            assert not serving.faults, serving.faults
            done["opened"] = service.opened
    finally:
        logger.removeHandler(defects)
    assert not defects.seen, defects.seen[0]
    return done
