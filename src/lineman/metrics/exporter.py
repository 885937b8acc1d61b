"""The process behind `Worker.metrics`: `/metrics` for Prometheus, `/healthz` and `/readyz`.

It runs none of the program's code, and cannot give commands to the master. It asks the master for
the service's status by its link to it.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any

from prometheus_client.exposition import choose_encoder

from lineman.metrics.families import Book, families, readiness
from lineman.net.connection.connection import Connection
from lineman.process.child.child_link import ChildLink
from lineman.process.log import log_setup
from lineman.process.messages.lines import MAX_LINE
from lineman.process.messages.process_status import Status
from lineman.process.messages.role import BLOCKED, Role, take_role
from lineman.protocols.http.requests import Request
from lineman.protocols.http.responses import Response
from lineman.runtime import uncaught
from lineman.runtime.inspection import Inspection
from lineman.worker import Worker

logger = logging.getLogger("lineman")

# Seconds for which an answer of the master is used for all requests.
FRESH = 0.5
# Seconds to wait for the master, which itself waits a second for its children.
PATIENCE = 5.0
# Seconds between looks at the other processes while the service stops.
LOOK = 0.05
# The connections of this process: programs that ask here are not clients of the service.
_NO_CLIENTS = {"columns": [], "rows": [], "matching": 0, "total": 0}


class Exporter:
    """Serves HTTP with the status that the master reports.

    Args:
        role: this process' role, as the master has set it.
    """

    def __init__(self, role: Role) -> None:
        self._role = role
        self._link = ChildLink(MAX_LINE)
        self._book = Book()
        self._worker = _server(role.title)
        self._worker.on_request = self._answer
        self._ended = asyncio.Event()
        self._leaving: asyncio.Task[None] | None = None
        self._asking: asyncio.Future[Mapping[str, Any]] | None = None
        self._known: Mapping[str, Any] = {}
        self._known_at = -FRESH

    async def run(self) -> None:
        """Serves until the master stops it."""
        link = self._link
        loop = asyncio.get_running_loop()
        uncaught.install(loop)
        link.on("informed", self._informed)
        link.on("drain", self._leave)
        link.on("stop", self._leave)
        link.on("reopen-logs", log_setup.reopen)
        await link.open(self._role.link, self._ended.set)
        loop.add_signal_handler(signal.SIGTERM, self._ended.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
        (descriptor,) = self._role.listeners.values()
        await self._worker.start(socket.socket(fileno=descriptor))
        looking = Inspection(self._worker.runtime)
        link.answer("status", looking.status)
        link.answer("connections", lambda **_: _NO_CLIENTS)
        logger.info("metrics are served: /metrics, and for health checks /healthz and /readyz")
        link.ready()
        await self._ended.wait()
        await self._worker.stop(1.0)
        await link.close()

    # The master's replies.

    async def _ask(self) -> Mapping[str, Any] | None:
        """The master's reply to `status`; None if it does not answer."""
        if time.monotonic() - self._known_at < FRESH:
            return self._known
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_future()
            self._link.event("inquire")
        try:
            return await asyncio.wait_for(asyncio.shield(self._asking), PATIENCE)
        except TimeoutError:
            self._asking = None  # the next request asks again
            return None

    def _informed(self, reply: dict[str, Any]) -> None:
        # Requests about the service do not need this process' own state.
        others = [each for each in reply["children"] if each["worker"] != self._role.title]
        ended = {who: had for who, had in reply["ended"].items() if who != self._role.title}
        reply.update(children=others, ended=ended)
        self._known = reply
        self._known_at = time.monotonic()
        self._book.take(reply)
        asking, self._asking = self._asking, None
        if asking is not None and not asking.done():
            asking.set_result(reply)

    # Leaving.

    def _leave(self, timeout: float = 0.0, seconds: float = 0.0, **_: Any) -> None:
        if self._leaving is None:
            patience = self._others_are_gone(timeout + seconds)
            self._leaving = asyncio.get_running_loop().create_task(patience)

    async def _others_are_gone(self, patience: float) -> None:
        """Ends once this is the last process of a service that stops, or has been replaced."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            self._known_at = -FRESH
            reply = await self._ask()
            if reply is None or reply["master"].get("state") != "stopping":
                break
            if not any(each["pid"] for each in reply["children"]):
                break
            await asyncio.sleep(LOOK)
        self._ended.set()

    # HTTP.

    async def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response("Use GET.\n", status=405, headers={"Allow": "GET, HEAD"})
        if request.path not in ("/metrics", "/healthz", "/readyz"):
            return Response("This server has /metrics, /healthz and /readyz.\n", status=404)
        reply = await self._ask()
        if reply is None:
            return Response("The master does not answer.\n", status=503)
        if request.path == "/healthz":
            return Response("alive\n")
        status = Status.from_json(reply)
        if request.path == "/readyz":
            missing = readiness(status, with_broker="broker" in request.query)
            return Response(
                "".join(f"{line}\n" for line in missing) or "ready\n",
                status=503 if missing else 200,
            )
        encode, content_type = choose_encoder(request.headers.get("accept") or "")
        body = encode(_Metrics(status, self._book))
        return Response(body, content_type=content_type)


class _Metrics:
    """The part of a registry that an encoder uses."""

    def __init__(self, status: Status, book: Book) -> None:
        self._status = status
        self._book = book

    def collect(self) -> Any:
        """Every metric."""
        return families(self._status, self._book)


def _server(name: str) -> Worker:
    worker = Worker(
        "ws://127.0.0.1:0",  # it listens on the socket that the master gives it
        name=name,
        handshake_timeout=5.0,
        close_timeout=2.0,
        max_head_size=8 * 1024,
        max_message_size=1024,
        compression=False,
    )

    @worker.on_websocket_connect
    def refuse(connection: Connection) -> None:
        connection.reject(404, "This server has no websocket.\n")

    return worker


def main() -> int:
    """Runs in the role that the master has set; returns the exit status."""
    role = take_role()
    if role is None:
        print("lineman: a master starts this process: set Worker.metrics", file=sys.stderr)
        return 2
    log_setup.set_up_for_child(role.settings, role.title, role.slot)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # the master handles them
    asyncio.run(_serve(role))
    return 0


async def _serve(role: Role) -> None:
    await Exporter(role).run()


if __name__ == "__main__":
    sys.exit(main())
