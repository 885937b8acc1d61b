"""A business worker: runs the program's callbacks for clients that gateway processes hold."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from typing import Any, cast

from lineman.base import progress, tasktime
from lineman.base.loglimit import LogLimit
from lineman.base.open_questions import OpenQuestions
from lineman.errors import ConfigError, NotReachedError, UsageError
from lineman.gateway.business.client_keeper import ClientKeeper, post_let_go
from lineman.gateway.business.current_client import CurrentClientApi
from lineman.gateway.business.gateway_client import Client
from lineman.gateway.business.link_receiver import LinkReceiver
from lineman.gateway.business.link_receiver import current as _current
from lineman.gateway.business.news_callbacks import NewsCallbacks
from lineman.gateway.business.running_callbacks import RunningCallbacks, callback_of
from lineman.gateway.business.timer_calls import TimerCalls
from lineman.gateway.business.worker_retirement import WorkerRetirement
from lineman.gateway.push.asking import ask_by_link, take_answer
from lineman.gateway.push.given_orders import GivenOrders
from lineman.gateway.wire import messages, names, versions
from lineman.gateway.wire.dialling import PATIENCE, Dialler, OnEnd
from lineman.gateway.wire.messages import (
    Change,
    Changed,
    CloseClient,
    Closed,
    Decision,
    Event,
    Forget,
    HandshakeRequest,
    Hello,
    HistoryGap,
    IntroduceClient,
    Leaving,
    LinkAnswer,
    LinkConfirm,
    LinkPing,
    LinkPong,
    Opened,
    Order,
    Refresh,
    Resumed,
    Retired,
    SetSession,
    UserEvent,
    new_hello,
)
from lineman.gateway.wire.timer_messages import TimerDue, TimerOrder, TimersFull
from lineman.links.framing import Message
from lineman.links.link import MAX_UNSENT, UNKNOWN, Link
from lineman.protocols.websocket import close as closing

logger = logging.getLogger("lineman")

Callback = Callable[..., Any]

ASK_TIMEOUT = 10.0


class Business(CurrentClientApi):
    """One business worker.

    Args:
        callbacks: the program's functions by name; absent or None where it has none.
        paths: the unix sockets of the gateway processes of this machine.
        slot: the slot of this process.
        timers: the program's functions for named timers, by name.
        on_failure: called for each callback that raised.
        ask_timeout: seconds that a question waits for its answer.
        max_unsent: see `Link`.

    Attributes:
        given: its orders to gateway processes, until they are confirmed.
        keeper: keeps something for each client; None for nothing.
    """

    def __init__(
        self,
        callbacks: Mapping[str, Callback | None],
        paths: tuple[str, ...],
        slot: int,
        *,
        timers: Mapping[str, Callback] | None = None,
        on_failure: Callable[[], object] = int,
        ask_timeout: float = ASK_TIMEOUT,
        max_unsent: int = MAX_UNSENT,
    ) -> None:
        self.keeper: ClientKeeper | None = None
        self._callbacks = callbacks
        self._ask_timeout = ask_timeout
        self._max_unsent = max_unsent
        self._slot = slot
        self._loop = asyncio.get_running_loop()
        self._links: dict[str, Link] = {}  # by the gateway process' name
        self._receivers: dict[Link, LinkReceiver] = {}
        self._by_id: dict[str, Client] = {}
        self._decisions: dict[Client, dict[str, Any]] = {}
        self._questions: OpenQuestions[Link] = OpenQuestions()
        self.given = GivenOrders()
        self._running = RunningCallbacks()
        self._news_callbacks = NewsCallbacks(callbacks, self._running, self._note_error)
        self._timers = TimerCalls(timers or {}, self._running, self._note_error)
        self._dialler = Dialler(paths, self._new_link, self._on_link, self._on_end)
        self._news = asyncio.Event()  # set when a gateway process has said its name, or is gone
        self._retirement = WorkerRetirement()
        self._on_failure = on_failure
        self._has_ended = False
        self._time = tasktime.running()
        self._log = LogLimit(logger)

    # Links to the gateway processes.

    @property
    def links(self) -> Collection[Link]:
        """The links that are up."""
        return self._receivers.keys()

    async def start(self) -> None:
        """Dials every gateway process; returns when orders reach all of them.

        A gateway process that hangs accepts the link, but does not say its name. This worker waits
        `PATIENCE` seconds for it, then serves the others without it.

        Raises:
            ConfigError: a gateway process speaks no version of the links that this worker does.
        """
        await self._dialler.start()
        refusals = self._dialler.refusals
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not refusals.reason and (refusals or self._has_unnamed):
                    self._news.clear()
                    await self._news.wait()
        if why := refusals.reason:
            self.close()
            raise ConfigError(why, versions.REMEDY)

    @property
    def _has_unnamed(self) -> bool:
        return any(link.peer == UNKNOWN for link in self._receivers)

    def _new_link(self, on_end: OnEnd) -> Link:
        receiver = LinkReceiver(self, self._callbacks.get("on_message"))
        return Link(
            messages.TO_BUSINESS,
            self._on_batch,
            on_end,
            receiver,
            yields=True,
            max_unsent=self._max_unsent,
        )

    def _on_link(self, link: Link) -> None:
        self._receivers[link] = cast(LinkReceiver, link.receiver)
        link.post(new_hello(os.getpid(), slot=self._slot))

    def _on_end(self, link: Link) -> None:
        self._news.set()
        self._links = {name: other for name, other in self._links.items() if other is not link}
        self.given.leave(link)
        receiver = self._receivers.pop(link, None)
        for client in () if receiver is None else receiver.clients.values():
            self._lose(client)
        self._questions.leave(link)
        self._timers.leave(link)
        self._retirement.note(link)
        if self.keeper is not None:
            self.keeper.leave_link(link)

    async def retire(self, timeout: float) -> None:
        """Takes no new events, and finishes those that it has; orders still work.

        Args:
            timeout: seconds for callbacks that are running; then they are cancelled, and the log
                names them.
        """
        deadline = self._loop.time() + timeout
        self._dialler.stop()
        await self._retirement.ask(list(self._receivers), timeout)
        if self.keeper is not None:
            await self.keeper.leave(deadline - self._loop.time())
        # No gateway process waits for some of them, such as on_uid_online.
        await self._running.wait(deadline - self._loop.time())
        self._has_ended = self._news_callbacks.has_ended = True
        await self._running.cut_off(timeout)

    def close(self) -> None:
        """Sends what was posted on the links, then ends them."""
        self._dialler.stop()
        self._log.tell()
        for link in list(self._receivers):
            link.kept = None  # it is closed on purpose, and the other side reads all
            link.close()

    async def drain(self) -> None:
        """Returns when every gateway process has room for more orders."""
        for link in list(self._receivers):
            await link.drain()

    # Messages from a gateway process.

    def _on_batch(self, link: Link, batch: list[Message]) -> None:
        receiver = self._receivers[link]
        clients = receiver.clients
        for message in batch:
            if isinstance(message, (Opened, Resumed, Closed, HandshakeRequest)):
                if (client := clients.get(message.number)) is not None:
                    self._take(client, message)
            elif isinstance(message, IntroduceClient):
                client = clients[message.number] = Client(self, link, message)
                self._by_id[client.id] = client
            elif isinstance(message, Forget):
                self._lose(receiver.forget(message.number))
            elif isinstance(message, Changed):
                client = clients.get(message.number)
                if client is not None and not client.change(message):
                    link.post(Refresh(message.number))
            elif isinstance(message, LinkAnswer):
                take_answer(self._questions, link, message)
            elif isinstance(message, (UserEvent, HistoryGap)):
                _current.set(None)
                self._news_callbacks.take(link, message)
            elif isinstance(message, TimerDue):
                _current.set(None)
                self._timers.call(link, message)
            elif isinstance(message, TimersFull):
                self._timers.set_full(link, message.is_full)
            elif isinstance(message, LinkPing):
                link.post(LinkPong())
            elif isinstance(message, LinkConfirm):
                self.given.confirm(link, message)
            elif isinstance(message, Retired):
                self._retirement.note(link)
            elif isinstance(message, Leaving):
                self._dialler.expect_end(link)
            elif isinstance(message, Hello):
                self._on_hello(link, message)
            elif self.keeper is not None:
                self.keeper.take(link, clients, message)
        _current.set(None)

    def _on_hello(self, link: Link, hello: Hello) -> None:
        agreed = versions.agreed_with(hello.versions)
        if not agreed:
            self._dialler.refuse(link, versions.refusal(hello.versions))
            return
        link.peer = hello.node
        self._links[hello.node] = link
        self._timers.versions[link] = agreed
        self.given.begin(link, agreed, self._receivers[link].name_of)
        self._dialler.admit(link)
        self._news.set()

    def _lose(self, client: Client | None) -> None:
        self._forget(client)
        if client is not None and self.keeper is not None:
            self.keeper.lose(client)

    @property
    def clients(self) -> Collection[Client]:
        """The clients that this worker serves."""
        return self._by_id.values()

    def let_go(self, clients: Iterable[Client]) -> None:
        """Leaves clients, and what they have sent and nobody has handled, to other workers."""
        leaving = [client for client in clients if self._by_id.get(client.id) is client]
        post_let_go(leaving)
        for client in leaving:
            self._receivers[client.link].forget(client.number)
            self._forget(client)

    def _forget(self, client: Client | None) -> None:
        if client is not None and self._by_id.get(client.id) is client:
            del self._by_id[client.id]

    def _take(self, client: Client, event: Event) -> None:
        if client.queue is not None:
            client.queue.append(event)  # in order, after the event that is being handled
            return
        coroutine = self._begin(client, event)
        if coroutine is not None:
            self.work_off(client, event, coroutine)

    def work_off(self, client: Client, event: Event, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Awaits an `async def` callback; later events of its client wait until it has ended."""
        client.queue = deque()
        self._running.start(callback_of(event), self._work_off(client, event, coroutine))

    def _note_error(self, error: BaseException) -> None:
        self._on_failure()
        self._log.exception(error, "a callback raised")

    async def _work_off(
        self, client: Client, event: Event, coroutine: Coroutine[Any, Any, Any] | None
    ) -> None:
        _current.set(client)
        is_first = True
        while True:
            if coroutine is not None:
                try:
                    if not is_first and self._time.is_over():
                        await asyncio.sleep(0)
                    await coroutine
                except BaseException as error:
                    is_end = isinstance(error, (asyncio.CancelledError, GeneratorExit))
                    if is_end and (self._has_ended or self._loop.is_closed()):
                        raise
                    self.note_failure(client, event, error)
                self.end(client, event)
            progress.note()
            is_first = False
            if not client.queue:
                client.queue = None
                return
            event = client.queue.popleft()
            coroutine = self._begin(client, event)
            self._running.go_on(callback_of(event))

    def _begin(self, client: Client, event: Event) -> Coroutine[Any, Any, Any] | None:
        """Calls the program's callback; returns the coroutine if the callback is `async def`."""
        _current.set(client)  # until the next client, or the end of the batch or task
        try:
            result = self._call(client, event)
        except BaseException as error:
            self.note_failure(client, event, error)
            result = None
        if result is not None and inspect.iscoroutine(result):
            return result
        self.end(client, event)
        return None

    def _call(self, client: Client, event: Event) -> Any:
        callback = self._callbacks.get(callback_of(event))
        if isinstance(event, HandshakeRequest):
            self._decisions[client] = {}
        if callback is None:
            return None
        if isinstance(event, (str, bytes)):
            return callback(client, event)
        if isinstance(event, (Opened, Resumed)):
            return callback(client)
        if isinstance(event, Closed):
            return callback(client, event.code, event.reason)
        return callback(client, client.request)

    def note_failure(self, client: Client, event: Event, error: BaseException) -> None:
        """A callback raised: its client is closed."""
        self._on_failure()
        self._log.exception(error, "%r: a callback raised; the client is closed", client)
        if isinstance(event, HandshakeRequest):
            if "status" not in self._decisions.get(client, {}):  # a refusal stays one
                self._decisions[client] = {"status": 500, "body": "Internal Server Error"}
        else:
            words = closing.words(closing.INTERNAL_ERROR)
            client.link.post(CloseClient(client.id, None, closing.INTERNAL_ERROR, words))

    def end(self, client: Client, event: Event) -> None:
        """Tells the gateway process that the event was handled."""
        link = client.link
        receiver = self._receivers.get(link)
        if receiver is None:
            return  # the link is gone, and with it everything about this client
        try:
            session = client.take_session_change()
        except UsageError as error:
            self.note_failure(client, event, error)
        else:
            if session is not None:
                self._post(link, SetSession(client.id, session))
        if isinstance(event, HandshakeRequest):
            link.post(Decision(client.number, **self._decisions.pop(client, {})))
        elif isinstance(event, Closed):
            self._forget(receiver.forget(client.number))
        link.acknowledge(client.number)

    # Functions for the program.

    def decide(self, client: Client, **changes: Any) -> None:
        """Notes what `on_websocket_connect` decides about a client.

        Raises:
            UsageError: this callback is not running.
        """
        decision = self._decisions.get(client)
        if decision is None:
            raise UsageError("this works in on_websocket_connect only, before the 101")
        if "headers" in changes:
            changes["headers"] = (*decision.get("headers", ()), *changes["headers"])
        decision.update(changes)

    def _give(self, order: Order) -> None:
        link = self._link_for(getattr(order, "client", None))
        link.check_room()
        self._post(link, order)

    def _give_timer(self, order: TimerOrder) -> None:
        self._timers.give(order)

    def _post(self, link: Link, order: Order) -> None:
        if isinstance(order, Change):
            client = self._by_id.get(order.client)
            if client is not None and client.link is link:
                client.apply(order)
        size = len(getattr(order, "data", None) or getattr(order, "session", None) or "")
        link.post(order, size)

    def _link_for(self, client: str | None) -> Link:
        """The link for an order: to the client's gateway process if that is on this machine.

        Other orders of a callback take the link of its client, so that all of them are carried out
        in the order in which they were given.
        """
        if client is not None:
            link = self._links.get(names.node_of(client) or "")
            if link is not None:
                return link
        current = _current.get()
        if current is not None and current.link.is_up:
            return current.link
        for link in self._links.values():
            return link
        raise NotReachedError(
            "no gateway process is reachable from this business worker; nothing was sent",
            "order and ask when on_worker_start has returned; after that, see that the gateway "
            "processes run: lineman status",
        )

    async def _ask(self, what: str, *about: str) -> Any:
        link = self._link_for(about[0] if about and names.node_of(about[0]) else None)
        return await ask_by_link(self._questions, link, what, about, self._ask_timeout)
