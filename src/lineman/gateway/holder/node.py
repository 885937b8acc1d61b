"""A gateway process: holds the clients, passes their events to business workers, obeys orders."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from lineman.base.loglimit import LogLimit, kind_of
from lineman.base.open_questions import OpenQuestions
from lineman.errors import ConfigError, NotReachedError, UsageError
from lineman.gateway.holder.client_deadlines import Due, Guard, GuardOptions
from lineman.gateway.holder.client_room import ClientRoom
from lineman.gateway.holder.dispatch import Dispatch, Router, has_opened
from lineman.gateway.holder.encoded_refusal import reject
from lineman.gateway.holder.given_news import GivenNews
from lineman.gateway.holder.held_client import HeldClient
from lineman.gateway.holder.kept_timers import KeptTimers
from lineman.gateway.holder.link_admission import LinkAdmission
from lineman.gateway.holder.link_confirmations import LinkConfirmations
from lineman.gateway.holder.link_questions import LinkQuestions
from lineman.gateway.holder.link_watch import LinkWatch
from lineman.gateway.holder.node_figures import figures
from lineman.gateway.holder.passed_requests import PassedRequests
from lineman.gateway.holder.routing import Routing
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.holder.traffic import ClientTraffic
from lineman.gateway.wire import messages, names
from lineman.gateway.wire.dialling import alias_of, take_dead
from lineman.gateway.wire.messages import (
    AskRoom,
    Bind,
    Change,
    Changed,
    Closed,
    Decision,
    Event,
    HandshakeRequest,
    Hello,
    Join,
    Leave,
    Leaving,
    LetGo,
    LinkPong,
    LinkQuestion,
    NewsDone,
    Refresh,
    Retire,
    SetSession,
)
from lineman.gateway.wire.node_messages import NodeLeaves
from lineman.links.framing import Message
from lineman.links.link import UNKNOWN, Link
from lineman.links.rendezvous import Listeners
from lineman.net.connection.connection import Connection
from lineman.protocols.http.requests import Request
from lineman.protocols.websocket import close as closing

logger = logging.getLogger("lineman")

TICK = 1.0
# From the range for private use (RFC 6455, section 7.4.2), after HTTP's 401.
NOT_AUTHENTICATED = 4401


class Node:
    """One gateway process.

    Args:
        events: the names of the program's callbacks; other events are not passed on.
        options: how this process reaches other nodes.
        limits: the deadlines of the clients.
        redeliver: see `Dispatch`.
        wait_timeout: see `Dispatch`; also how long a handshake waits for a decision.
        router, resumes: see `Dispatch`.

    Attributes:
        name: the name of this process among all nodes.
        routing: passes orders and questions on.
        dispatch: gives the clients' events to business workers.
        guard: watches the deadlines of the clients.
        on_message: call it with each message of a client's connection.
    """

    def __init__(
        self,
        events: Collection[str],
        options: RoutingOptions | None = None,
        limits: GuardOptions | None = None,
        *,
        redeliver: bool = False,
        wait_timeout: float = 30.0,
        router: Router | None = None,
        resumes: bool = False,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._events = frozenset(events)
        self._wait_timeout = wait_timeout
        self._log = LogLimit(logger)
        self.name = names.new_node()
        self._admission = LinkAdmission(self.name, self._log)
        self.timers = KeptTimers(
            self.name, self._worker_since_version_5, self._admission.with_timers
        )
        self.dispatch = Dispatch(
            self._loop.time,
            self._log,
            self._on_settled,
            self._on_lost,
            redeliver=redeliver,
            wait_timeout=wait_timeout,
            router=router,
            resumes=resumes,
        )
        version_of = self._admission.version_of
        self._news = GivenNews(self.dispatch, version_of, redeliver, self._log)
        self.routing = Routing(
            self.name,
            options or RoutingOptions(),
            self._on_changed,
            self._news.on_user,
            self._news.on_history_gap if "on_history_gap" in self._events else None,
            self.timers,
        )
        self.orders = self.routing.orders
        self._confirmations = LinkConfirmations(self.routing)
        self.guard = Guard(limits or GuardOptions(), self._loop.time)
        self._is_guarded = not self.guard.is_idle
        self._traffic = ClientTraffic(
            self.dispatch, self.guard if self._is_guarded else None, self._log
        )
        self._numbers = self._traffic.clients
        self.on_message = self._traffic.hear
        self._watch = LinkWatch(wait_timeout, self._log)
        self._room = ClientRoom(self._numbers)
        self.requests = PassedRequests(self.dispatch.able)
        self._handshakes: OpenQuestions[None] = OpenQuestions()  # by the numbers of the clients
        self._listeners = Listeners()
        self._ticker: asyncio.TimerHandle | None = None
        self._handlers: dict[type[Message], Callable[[Link, Any], None]] = {
            Hello: self._on_hello,
            Decision: self._on_decision,
            Retire: self._on_retire,
            LetGo: self._on_let_go,
            AskRoom: self._room.on_ask,
            **self.requests.handlers,
            LinkQuestion: LinkQuestions(self.routing, self._log).on_ask,
            Refresh: self._on_refresh,
            LinkPong: self._watch.on_pong,
            NewsDone: self._news.on_done,
            Bind: self._change,
            Join: self._change,
            Leave: self._change,
            SetSession: self._change,
            **self.timers.link_handlers,
        }
        self._changing: HeldClient | None = None
        self._dead: list[str] = []  # processes of this slot that were killed; the others learn it

    # Beginning and ending.

    async def start(self, *paths: str) -> None:
        """Accepts business workers and programs that push at unix sockets.

        Args:
            paths: the sockets' paths, the first for business workers; an earlier process that
                listens at a path keeps its links.

        Raises:
            ConfigError: a socket cannot be made there.
        """
        self._dead = take_dead(paths[0])
        for path in paths:
            alias = alias_of(path, self.name) if path == paths[0] else ""
            await self._listeners.add(self._new_link, path, alias)
        await self.routing.start()
        self._tick()

    async def settle(self, timeout: float) -> None:
        """Returns when the other nodes are known, see `Routing.settle`.

        Raises:
            ConfigError: another node is not understood; then this one is stopped.
        """
        try:
            await self.routing.settle(timeout)
        except ConfigError:
            await self.stop()
            raise
        cluster = self.routing.cluster
        while self._dead and cluster is not None:
            cluster.tell_all(NodeLeaves(self._dead.pop(), True, self.name, has_died=True))

    async def stop(self) -> None:
        """Sends what was posted on the links, then ends them."""
        if self._ticker is not None:
            self._ticker.cancel()
        self._listeners.close()
        for each in (self._room, self.requests, self.timers, self._news):
            each.stop()
        handled = self._confirmations.handled(self.links)
        await self.routing.stop()
        self._confirmations.stop(handled)
        for link in list(self.dispatch.links):
            link.post(Leaving())
        for link in list(self._admission.versions):
            link.close()

    @property
    def links(self) -> Collection[Link]:
        """The links that are up."""
        return self._admission.versions

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(TICK, self._tick)  # first: what follows may raise
        self.dispatch.check_waits()
        self._check_handshakes()
        self._watch.check(self.dispatch.links)
        for client, due in self.guard.due():
            self._act(client, due)
        self.routing.sweep()

    def _check_handshakes(self) -> None:
        for client in list(self.orders.handshaking.values()):
            if not client.connection.is_over:
                continue
            if client.number in self._handshakes:
                self._decide(Decision(client.number, 503))
            else:
                self._leave(client)  # it was let in, but its connection ended before it opened

    def _new_link(self) -> Link:
        return Link(messages.TO_GATEWAY, self._on_batch, self._on_end)

    def troubles(self) -> list[str]:
        """The problems of this process as texts, for `status` and health checks."""
        return self.routing.troubles()

    def facts(self) -> dict[str, float]:
        """The figures of this process for `status` and the metrics."""
        delivered = self.orders.delivered + self._traffic.delivered
        return figures(self.orders, self.dispatch, delivered, self.routing, self.timers)

    # Clients.

    def identity(self, connection: Connection) -> tuple[str, int]:
        """The user of a connection's client, empty for none, and the number of its groups."""
        client = self._numbers.get(connection.id)
        return ("", 0) if client is None else (client.uid or "", len(client.groups or ()))

    def client_of(self, connection: Connection) -> HeldClient:
        """The client of a connection; the first call makes it."""
        client: HeldClient | None = self._numbers.get(connection.id)
        if client is None:
            client = HeldClient(names.new_client_id(self.name), connection)
            self._numbers[connection.id] = client
            connection.data = client
        return client

    def on_websocket_connect(
        self, connection: Connection, request: Request
    ) -> Coroutine[Any, Any, None] | None:
        """Lets a client in or refuses it, as a business worker decides."""
        return self._ask_business(connection) if "on_websocket_connect" in self._events else None

    async def _ask_business(self, connection: Connection) -> None:
        client = self.client_of(connection)
        client.early = []
        self.orders.handshaking[client.id] = client

        def say(number: int) -> None:
            self.dispatch.offer(client, HandshakeRequest(number))

        try:
            answers = await self._handshakes.ask(
                self._loop, (None,), say, self._wait_timeout, "on_websocket_connect", client.number
            )
        except NotReachedError:
            connection.reject(503, "No worker is ready; try again later.")
            self._leave(client)
            return
        decision: Decision = answers[None]
        if decision.status and not connection.is_over:
            reject(connection, decision.status, decision.body, decision.answer)
        if decision.status or connection.is_over:
            self._leave(client)
            return
        try:
            for name, value in decision.headers:
                connection.add_header(name, value)
            if decision.subprotocol:
                connection.choose_subprotocol(decision.subprotocol)
        except UsageError:
            self._leave(client)
            raise

    def on_connect(self, connection: Connection) -> None:
        """A client is connected; a websocket has done its handshake."""
        client = self.client_of(connection)
        self.orders.let_in(client)
        self.routing.note_change()
        if self._is_guarded:
            self.guard.enter(client)
        if "on_connect" in self._events:
            self.dispatch.open(client)

    def on_close(self, connection: Connection, code: int, reason: str) -> None:
        """A client is gone."""
        client: HeldClient = connection.data
        self.orders.clients.pop(client.id, None)
        if code == closing.SERVICE_RESTART and client.uid is not None:
            self.routing.expect(client.uid)
        self.orders.registry.remove(client)
        client.is_gone = True
        self.guard.leave(client)
        self.routing.note_change()
        if "on_close" in self._events:
            self.dispatch.offer(client, Closed(client.number, code, reason))
        else:
            self.dispatch.forget(client)

    def _act(self, client: HeldClient, due: Due) -> None:
        connection = client.connection
        if due is Due.AUTHENTICATION:
            connection.service.tally.hits["authenticate_within"] += 1
            connection.close(code=NOT_AUTHENTICATED, reason=due.value)
        elif due is Due.DEATH:
            connection.close(code=closing.GOING_AWAY, reason=due.value)
        elif self.guard.ping_data is not None:
            try:
                connection.send(self.guard.ping_data)
            except UsageError as error:
                connection.note_unsendable(error)

    def _leave(self, client: HeldClient) -> None:
        client.is_gone = True
        self.orders.handshaking.pop(client.id, None)
        self.dispatch.forget(client)

    def _on_lost(self, client: HeldClient, events: list[Event]) -> None:
        """Handles events that were lost with a dead worker: no other worker gets them."""
        if client.number in self._handshakes:
            self._decide(Decision(client.number, 503, "The worker failed; try again."))
        elif not client.is_gone and (client.deaths > 1 or has_opened(events)):
            # No worker knows the client, so it must connect again.
            client.connection.close(code=closing.SERVICE_RESTART, reason="a worker failed")

    def _on_settled(self, client: HeldClient) -> None:
        self._traffic.forget(client.number)

    def _on_changed(self, client: HeldClient) -> None:
        if client is not self._changing:  # its worker has already applied its own order
            self._tell(client)

    def _tell(self, client: HeldClient) -> None:
        if client.link is not None:
            groups = tuple(client.groups or ())
            client.link.post(
                Changed(client.number, client.uid, groups, client.session, client.applied),
                len(client.session),
            )

    def _change(self, link: Link, order: Change) -> None:
        orders = self.orders
        client = orders.clients.get(order.client) or orders.handshaking.get(order.client)
        if client is None or client.link is not link:
            self.routing.carry_out(order)
            return
        client.applied += 1
        self._changing = client
        try:
            self.routing.carry_out(order)
        except UsageError:
            self._tell(client)  # the worker must not keep a refused change
            raise
        finally:
            self._changing = None

    def _on_refresh(self, link: Link, refresh: Refresh) -> None:
        client = self._numbers.get(refresh.number)
        if client is not None and client.link is link:
            self._tell(client)

    # Messages from a link.

    def _on_batch(self, link: Link, batch: list[Message]) -> None:
        if link not in self._admission.versions and not self._admission.admits(link, batch):
            return
        for message in batch:
            if not link.is_up:
                return  # an earlier message of the batch has ended the link
            handler = self._handlers.get(type(message))
            try:
                if handler is None:
                    self.routing.carry_out(message)  # type: ignore[arg-type]  # the wire takes no others
                else:
                    handler(link, message)
            except UsageError as error:
                # An order that fails must not stop the sender's other orders.
                kind = kind_of("refused orders", str(error))
                text = "an order of process %s was refused: %s"
                self._log.log(logging.ERROR, kind, text, link.peer, error)
            except Exception as error:
                self._log.exception(error, "an order of process %s could not be done", link.peer)

    def _on_hello(self, link: Link, hello: Hello) -> None:
        if link.peer != UNKNOWN:
            link.fail("it said Hello twice")
            return
        link.peer = f"{hello.pid}"
        self._admission.greet(link)
        if hello.slot >= 0:
            link.receiver = self._traffic
            self.dispatch.add_worker(link, hello.slot)
            self.requests.add_worker()
        if link in self._admission.with_timers():
            self.timers.greet(link)
        self._confirmations.begin(link, self._admission.versions[link])

    def _on_retire(self, link: Link, message: Retire) -> None:
        self.dispatch.retire_worker(link)
        self.timers.retire(link)

    def _on_let_go(self, link: Link, message: LetGo) -> None:
        found = map(self._numbers.get, message.numbers)
        self.dispatch.let_go(link, [client for client in found if client is not None])

    def _on_end(self, link: Link, reason: str) -> None:
        self._admission.leave(link, reason)
        self.dispatch.remove_worker(link)
        self._news.leave(link)
        self.requests.remove_worker(link)
        self.timers.leave(link)

    def _worker_since_version_5(self, key: str) -> Link | None:
        link = self.dispatch.worker_for(key)
        return link if link in self._admission.with_timers() else None

    def _on_decision(self, link: Link, decision: Decision) -> None:
        self._decide(decision)

    def _decide(self, decision: Decision) -> None:
        self._handshakes.answer(decision.number, None, decision)
