"""Passes the requests of clients to business workers, whose application answers them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from typing import Any

from lineman.errors import ConnectionLost
from lineman.gateway.wire import told_tls
from lineman.gateway.wire.request_messages import (
    AnswerEnd,
    AnswerFailed,
    AnswerHead,
    AnswerPiece,
    AskCallerRoom,
    BodyPart,
    BodyTaken,
    CallApp,
    CallerGone,
    CallerRoom,
)
from lineman.links.framing import Message
from lineman.links.link import Link
from lineman.net.connection.callbacks import Callbacks
from lineman.net.connection.connection import Connection
from lineman.net.loop import syscalls
from lineman.protocols.http.http_messages import Request
from lineman.protocols.http.incoming_body import IncomingBody

# Seconds that a request waits for a worker.
PATIENCE = 10.0


class PassedRequest:
    """One request that a business worker answers.

    Args:
        number: its number.
        stage: takes the answer (`net.connection.app_requests`).
        connection: the client's.
        request: the request.

    Attributes:
        link: to the worker; None while it waits for one.
        task: nothing: the call is a task of the worker.
        has_begun: whether the head of the answer was sent.
        is_blocked: whether the client must read on before more is sent.
        waits_for_body: whether the application waits for more of the body.
        is_events: whether the answer is a stream of events.
        is_over: whether nothing more is sent.
    """

    task = None

    def __init__(self, number: int, stage: Any, connection: Connection, request: Request) -> None:
        self.number = number
        self.stage = stage
        self.connection = connection
        self.request = request
        self.link: Link | None = None
        self.has_begun = self.is_blocked = self.is_events = self.is_over = False
        body = request.body
        self._body: IncomingBody | None = body if isinstance(body, IncomingBody) else None
        self.waits_for_body = self._body is not None
        self._sends_body = True

    def __repr__(self) -> str:
        return f"the application ({self.request.method} {self.request.path})"

    def give_to(self, link: Link) -> None:
        """Has a worker answer it."""
        self.link = link
        request, body = self.request, self._body
        data = b"" if body is None else body.take()
        call = CallApp(
            number=self.number,
            method=request.method,
            target=request.target,
            version=request.version,
            headers=tuple(request.headers.items()),
            remote_ip=request.remote_ip,
            remote_port=request.remote_port,
            scheme=request.scheme,
            server=_server(self.connection),
            body=data,
            has_more=body is not None and not body.is_whole,
            wants_continue=body is not None and body.wants_continue,
            tls=told_tls.tell(self.connection.tls),
        )
        link.post(call, len(data))

    # What the service tells.

    def note_body(self) -> None:
        """More of the body is there, or its end."""
        if self.link is not None and (body := self._body) is not None:
            data = body.take()
            self.link.post(BodyPart(self.number, data, body.is_whole), len(data))

    def note_disconnected(self, code: int, reason: str) -> None:
        """The client has gone."""
        self.is_over = True
        if self.link is not None:
            self.link.post(CallerGone(self.number))

    # What the worker tells.

    def take(self, message: Message) -> None:
        """Takes a part of the answer."""
        stage = self.stage
        if isinstance(message, AnswerPiece):
            if self._sends_body:
                stage.send_piece(message.data)
        elif isinstance(message, AnswerHead):
            self._take_head(message)
        elif isinstance(message, AnswerEnd):
            self.is_over = True
            stage.end_answer(message.trailers)
        elif isinstance(message, AnswerFailed):
            self.fail(message.has_begun)
        elif isinstance(message, BodyTaken):
            stage.body_taken()
            if message.goes_on:
                stage.ask_for_body()

    def _take_head(self, head: AnswerHead) -> None:
        self.has_begun = True
        lines, closes = head.lines, head.closes
        if head.is_whole:
            self.is_over = True
            self.stage.send_whole(head.status, lines, head.length, head.body, closes)
        else:
            self.is_events = b"text/event-stream" in lines
            self._sends_body = self.stage.send_head(head.status, lines, head.length, closes)

    def fail(self, has_begun: bool) -> None:
        """The application, or its worker, has failed."""
        self.is_over = True
        self.stage.fail_answer(has_begun)

    async def make_room(self, link: Link) -> None:
        """Tells the worker when what was sent has left."""
        self.is_blocked = True
        try:
            await self.connection.drain()
        except ConnectionLost:
            return
        finally:
            self.is_blocked = False
        link.post(CallerRoom(self.number))


def _server(connection: Connection) -> tuple[str, int] | None:
    try:
        return syscalls.local_address(connection.fd)
    except OSError:
        return None


class PassedRequests:
    """The requests of one gateway process (`AppCalls`).

    Args:
        links: the links to the workers that take clients.

    Attributes:
        takes_requests, takes_websockets, websocket_callbacks: see `AppCalls`.
        handlers: what is done with each kind of message of a link.
    """

    takes_requests = True
    takes_websockets = False

    def __init__(self, links: Callable[[], Collection[Link]]) -> None:
        self.websocket_callbacks = Callbacks()
        self._loop = asyncio.get_running_loop()
        self._links = links
        self._number = 0
        self._open: dict[int, PassedRequest] = {}
        self._waiting: deque[PassedRequest] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        kinds = (AnswerHead, AnswerPiece, AnswerEnd, AnswerFailed, BodyTaken)
        self.handlers: dict[type[Message], Callable[[Link, Any], None]] = dict.fromkeys(
            kinds, self._on_answer
        )
        self.handlers[AskCallerRoom] = self._on_ask_room

    def is_full(self) -> bool:
        """Never: the worker that gets a request knows."""
        return False

    def begin_request(self, stage: Any, connection: Connection, request: Request) -> PassedRequest:
        """Has a worker answer a request, as soon as there is one."""
        self._number += 1
        passed = PassedRequest(self._number, stage, connection, request)
        link = self._choose()
        if link is None:
            self._waiting.append(passed)
            self._loop.call_later(PATIENCE, self._give_up, passed)
        else:
            self._open[passed.number] = passed
            passed.give_to(link)
        return passed

    def begin_websocket(self, stage: Any, connection: Any, request: Request) -> Any:
        """Never called."""
        raise NotImplementedError

    def _choose(self) -> Link | None:
        """The worker with the fewest requests."""
        counts = dict.fromkeys(self._links(), 0)
        for each in self._open.values():
            if each.link in counts:
                counts[each.link] += 1
        return min(counts, key=counts.__getitem__, default=None)

    def add_worker(self) -> None:
        """A worker is ready: it gets what waits."""
        while self._waiting and (link := self._choose()) is not None:
            passed = self._waiting.popleft()
            if not passed.is_over:
                self._open[passed.number] = passed
                passed.give_to(link)

    def remove_worker(self, link: Link) -> None:
        """A worker is gone: what it has not answered has failed."""
        for passed in [each for each in self._open.values() if each.link is link]:
            del self._open[passed.number]
            if not passed.is_over:
                passed.fail(passed.has_begun)

    def _give_up(self, passed: PassedRequest) -> None:
        if passed in self._waiting:
            self._waiting.remove(passed)
            if not passed.is_over:
                body = b"No worker is ready; try again later.\n"
                lines = b"content-type: text/plain\r\nretry-after: 1\r\n"
                passed.take(AnswerHead(0, 503, lines, len(body), True, is_whole=True, body=body))

    def _on_answer(self, link: Link, message: Any) -> None:
        passed = self._open.get(message.number)
        if passed is None or passed.link is not link:
            return
        if not passed.is_over:
            passed.take(message)
        if passed.is_over:
            self._open.pop(message.number, None)

    def _on_ask_room(self, link: Link, message: AskCallerRoom) -> None:
        passed = self._open.get(message.number)
        if passed is None or passed.is_over:
            return
        passed.connection.flush()
        if not passed.connection.unsent:
            link.post(CallerRoom(message.number))
            return
        task = self._loop.create_task(passed.make_room(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Ends what waits for clients that read slowly."""
        for task in self._tasks:
            task.cancel()
