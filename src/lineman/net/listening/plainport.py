"""The plain HTTP port beside a `wss` service: answers http-01, and sends everybody else to https.

It is asyncio's own streams and not the data path: one request for each connection, and few come.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence

from lineman.errors import HttpError
from lineman.protocols.http.answer_heads import error_response
from lineman.protocols.http.requests import Request, RequestParser
from lineman.protocols.http.responses import Response

CHALLENGES = "/.well-known/acme-challenge/"

_MAX_HEAD = 8 * 1024
_PATIENCE = 10.0  # seconds for a request, and for its answer to leave
_MOST = 256  # connections at once; for one more the oldest that says nothing makes way
_BACKLOG = 1024
_CHUNK = 4 * 1024


def answer(
    request: Request, challenge: Callable[[str], bytes | None], hosts: Sequence[str], port: int
) -> Response:
    """What a request is answered with.

    Args:
        request: of anybody.
        challenge: what to answer for a token; None for a token that is not ours.
        hosts: names that may be redirected to; a request for another one goes to the first.
        port: of the `wss` service.
    """
    if request.path.startswith(CHALLENGES):
        found = challenge(request.path.removeprefix(CHALLENGES))
        if found is None:
            return Response("There is no such challenge.\n", 404)
        return Response(found, 200, "application/octet-stream")
    asked = request.host.rpartition(":")[0] or request.host
    host = asked.lower() if asked.lower() in hosts else hosts[0]
    where = f"https://{host}{'' if port == 443 else f':{port}'}"
    target = request.target if request.target.startswith("/") else "/"
    # 308 keeps method and body; what speaks websocket does not follow it, and reads the text.
    return Response(f"Use {where} or wss://.\n", 308, headers={"Location": where + target})


class PlainPort:
    """Serves a listening socket until it is closed.

    Args:
        challenge, hosts, port: see `answer`.
        patience: seconds for a request, and for its answer to leave.
        most: connections at once.
    """

    def __init__(
        self,
        challenge: Callable[[str], bytes | None],
        hosts: Sequence[str],
        port: int,
        *,
        patience: float = _PATIENCE,
        most: int = _MOST,
    ) -> None:
        self._patience = patience
        self._most = most
        self._challenge = challenge
        self._hosts = tuple(hosts)
        self._port = port
        self._server: asyncio.Server | None = None
        # Those at work, the oldest first; with whether its client has said something.
        self._tasks: dict[asyncio.Task[None], bool] = {}

    async def start(self, listener: socket.socket) -> None:
        """Serves the socket, which is this object's from here on."""
        self._server = await asyncio.start_server(
            self._accept, sock=listener, limit=_MAX_HEAD, backlog=_BACKLOG
        )

    async def stop(self) -> None:
        """Stops listening and drops all connections."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._make_room()
        self._tasks[task] = False
        try:
            async with asyncio.timeout(self._patience):
                await self._serve(reader, writer)
        except (OSError, TimeoutError):
            pass  # a client that is slow, or gone
        finally:
            self._tasks.pop(task, None)
            writer.transport.abort()

    def _make_room(self) -> None:
        """Closes the oldest silent connections, else the oldest: the authority must get in."""
        while len(self._tasks) >= self._most:
            silent = (task for task, has_spoken in self._tasks.items() if not has_spoken)
            oldest = next(silent, None) or next(iter(self._tasks))
            del self._tasks[oldest]
            oldest.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = RequestParser(_MAX_HEAD, _MAX_HEAD)
        requests: list[Request] = []
        while not requests and parser.error is None:
            data = await reader.read(_CHUNK)
            if not data:
                return
            task = asyncio.current_task()
            if task in self._tasks:
                self._tasks[task] = True
            requests = parser.feed(data)
        if requests:
            writer.write(self._encoded(requests[0]))
        elif parser.error is not None:
            writer.write(error_response(parser.error))
        writer.write_eof()
        await writer.drain()
        with contextlib.suppress(ConnectionError):
            while await reader.read(_CHUNK):  # a reset could overtake the answer
                pass

    def _encoded(self, request: Request) -> bytes:
        if request.method not in ("GET", "HEAD", "POST"):
            return error_response(HttpError(405, "Use https.", (("Allow", "GET, HEAD"),)))
        found = answer(request, self._challenge, self._hosts, self._port)
        return found.encode(head_only=request.method == "HEAD", keep_alive=False)
