"""Programs with a worker inside of a worker, as Workerman's manual pushes."""

from __future__ import annotations

import socket
import ssl
import threading
import time

from kit.waiting import DEADLINE, wait_until
from lineman.protocols.websocket.decoder import Close
from lineman.testing.client import RawClient

# The pattern of Workerman's manual: who connects inside has a message pushed to all outside.
PUSH = """
    import asyncio, os
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", name="chat", drain_seconds=0.2, stop_timeout=2, {outer})

    @worker.on_worker_start
    async def start(worker):
        inner = worker.data["inner"] = Worker("{address}", name="push", {inner})

        @inner.on_message
        def push(connection, message):
            worker.broadcast(message)
            connection.send(str(os.getpid()))

        inner.on_request = lambda request: str(os.getpid())
        {before}
        await inner.start()
        {after}

    @worker.on_message
    async def reply(connection, message):
        inner = worker.data["inner"]
        if message == "close the port":
            await inner.stop()
        elif message == "open the port":
            await inner.start()
        connection.send(str(len(Worker.all_workers)))

    Worker.run_all()
"""


def pushing(
    address: str,
    *,
    outer: str = "",
    inner: str = "",
    before: str = "",
    after: str = "",
) -> str:
    return PUSH.format(address=address, outer=outer, inner=inner, before=before, after=after)


def at(port: int) -> str:
    return f"ws://127.0.0.1:{port}"


def ask(port: int, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> int:
    """Which process answers on the inner port."""
    with RawClient(port, host, tls=tls) as client:
        client.open().send("hello")
        answer = client.receive()
        assert isinstance(answer, str)
        return int(answer)


def is_refused(port: int) -> bool:
    with socket.socket() as end:
        end.settimeout(DEADLINE)
        return end.connect_ex(("127.0.0.1", port)) != 0


class Knocking:
    """Asks on the inner port all the time, each time on a new connection, until the end.

    Attributes:
        answers: who answered; None where the process died with the connection.
        faults: connects that were refused, or handshakes that came to nothing.
    """

    def __init__(self, port: int, *, may_break: bool = False) -> None:
        self.port = port
        self.may_break = may_break
        self.answers: list[int | None] = []
        self.faults: list[str] = []
        self.is_over = False
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> Knocking:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over = True
        self.thread.join()

    def run(self) -> None:
        while not self.is_over:
            try:
                with RawClient(self.port) as client:
                    self.answers.append(self.talk(client))
            except Exception as error:
                self.faults.append(repr(error))
            time.sleep(0.001)  # hundreds a second, and the service has its turn

    def talk(self, client: RawClient) -> int | None:
        try:
            client.open().send("hello")
            event = client.receive()
        except (ConnectionResetError, BrokenPipeError, EOFError):
            if self.may_break:
                return None
            raise
        if isinstance(event, Close):
            assert event.code == 1012
            client.send_close(1012)
            return None
        assert isinstance(event, str)
        return int(event)

    def wait_for(self, pid: int) -> None:
        wait_until(lambda: pid in self.answers, f"process {pid} answers")


GATEWAY = """
    import os
    from lineman import Gateway, Worker

    gateway = Gateway("ws://127.0.0.1:0", workers={workers}, drain_seconds=0.1)

    @gateway.on_worker_start
    async def start(worker):
        inner = Worker("ws://127.0.0.1:{port}")

        @inner.on_message
        def push(connection, message):
            gateway.send_to_all(message)
            connection.send(str(os.getpid()))

        await inner.start()

    Worker.run_all()
"""


BY_HAND = """
    import asyncio
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", name="chat", count={count}, drain_seconds=0.1)

    @worker.on_worker_start
    async def start(worker):
        async def answer(reader, writer):
            writer.write(b"hello")
            writer.close()
        await asyncio.start_server(answer, {where}, {more})

    Worker.run_all()
"""
