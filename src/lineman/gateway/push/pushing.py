"""Pushing from asyncio code of any program, by a link to a gateway process or by the broker."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from lineman.base.open_questions import OpenQuestions
from lineman.base.option_kinds import SECONDS
from lineman.base.unixpeer import open_directory, refusal
from lineman.brokers.broker_address import without_login
from lineman.brokers.choice import FORMS, NoBrokerError, broker_maker
from lineman.brokers.signing import Secret, Signer
from lineman.errors import ConfigError, LinkFullError, NotReachedError, RefusedError
from lineman.gateway.cluster.cluster import DEFAULT_TIMES, Cluster, ClusterCalls
from lineman.gateway.cluster.presence import homes_of
from lineman.gateway.cluster.timer_homes import set_timer
from lineman.gateway.push.api import Api
from lineman.gateway.push.asking import ask_by_link, take_answer
from lineman.gateway.push.coverage import note_missing
from lineman.gateway.push.given_orders import GivenOrders
from lineman.gateway.push.timer_api import too_many, too_old
from lineman.gateway.wire import messages, names, node_messages, versions
from lineman.gateway.wire.merging import BROKER_STATE
from lineman.gateway.wire.messages import (
    Hello,
    LinkAnswer,
    LinkConfirm,
    LinkQuestion,
    Order,
    PublishToGroup,
    new_hello,
)
from lineman.gateway.wire.timer_messages import SetTimer, TimerOrder, TimersFull
from lineman.links.link import Link
from lineman.links.rendezvous import StrangerError, dial

TIMEOUT = 10.0
RETRY = 0.2
# Seconds within which a node that lives answers, unless it is of the version before.
MEETING = 0.25
# Seconds at most for which a connection stays open until its orders are known to be handled.
LAST = 2.0


class AsyncGatewayClient(Api):
    """Orders and questions to a gateway from asyncio code of another program.

    Use it as `async with AsyncGatewayClient(address) as gateway:`.

    Args:
        address: `unix:///run/…/app.sock` on the gateway's machine, or the broker that its nodes
            share: `redis://…`, `redis+sentinel://…`, `redis+cluster://…`, `nats://…`.
        name: the service's name, if a broker carries several services.
        secret: the service's secret, if it has one.
        timeout: seconds after which the gateway or its broker counts as not reached, and a
            question as not answered; the nodes behind a broker have two seconds at most.

    Raises:
        ConfigError: the address is none of these, or the broker's package is missing.
        NotReachedError: on entering the `async with` block: no gateway is reachable.
    """

    def __init__(
        self,
        address: str,
        name: str = "gateway",
        secret: Secret = None,
        *,
        timeout: float = TIMEOUT,
    ) -> None:
        SECONDS.check("timeout", timeout)
        self._route: _ByLink | _ByBroker
        if address.startswith("unix://"):
            self._route = _ByLink(address.removeprefix("unix://"), timeout)
        else:
            try:
                self._route = _ByBroker(address, name, secret, timeout)
            except NoBrokerError as error:
                raise ConfigError(
                    f"{error.seen}, nor that of a gateway's socket",
                    f"give unix:///path, its push_socket, on its machine; or its broker: {FORMS}",
                ) from None
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Connects to the gateway.

        Raises:
            NotReachedError: no gateway is reachable.
        """
        await self._route.connect()

    async def keep_connected(self) -> None:
        """Connects to the gateway as soon as it is there, and again after each lost connection."""
        self._keeping = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(NotReachedError):
                await self._route.connect()
                await self._route.wait_for_end()
            await asyncio.sleep(RETRY)

    async def close(self) -> None:
        """Sends what was ordered, then ends the connection."""
        if self._keeping is not None:
            self._keeping.cancel()
        await self._route.close()

    @property
    def is_connected(self) -> bool:
        """Whether the gateway, or its broker, is connected now."""
        return self._route.is_connected

    async def drain(self) -> None:
        """Returns when the gateway has room for more orders; for programs that push a lot."""
        await self._route.drain()

    def _give(self, order: Order) -> None:
        self._route.give(order)

    def _give_timer(self, order: TimerOrder) -> None:
        self._route.give_timer(order)

    async def _ask(self, what: str, *about: str) -> Any:
        return await self._route.ask(what, about)

    def _facts(self) -> dict[str, float]:
        return {} if isinstance(self._route, _ByBroker) else self._route.given.facts()


class _ByLink:
    """Pushes through a gateway process of this machine."""

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._link: Link | None = None
        self._version = 0
        self._takes_timers = True
        self._questions: OpenQuestions[Link] = OpenQuestions()
        self.given = GivenOrders()
        self._ended: asyncio.Future[None] | None = None

    @property
    def is_connected(self) -> bool:
        return self._link is not None

    async def connect(self) -> None:
        if self._link is not None:
            return
        loop = asyncio.get_running_loop()
        admitted = loop.create_future()
        ended = loop.create_future()

        def on_batch(link: Link, batch: list[Any]) -> None:
            for message in batch:
                if isinstance(message, Hello) and not admitted.done():
                    _take_hello(self._path, message, admitted)
                    self._version = versions.agreed_with(message.versions)
                    link.peer = message.node
                    self.given.begin(link, self._version)
                elif isinstance(message, LinkConfirm):
                    self.given.confirm(link, message)
                elif isinstance(message, TimersFull):
                    self._takes_timers = not message.is_full
                elif isinstance(message, LinkAnswer):
                    take_answer(self._questions, link, message)

        def on_end(link: Link, reason: str) -> None:
            if not admitted.done():
                seen = f"the gateway at {self._path} ended the link: {reason}"
                remedy = "look at its log; see that it runs the version of Lineman that this does"
                admitted.set_exception(NotReachedError(seen, remedy))
            if self._link is link:
                self._link = None
            self.given.leave(link)
            self._questions.leave(link)
            if not ended.done():
                ended.set_result(None)

        link = await self._dial(lambda: Link(messages.TO_BUSINESS, on_batch, on_end))
        link.post(new_hello(os.getpid()))
        try:
            await asyncio.wait_for(admitted, self._timeout)
        except NotReachedError as error:
            link.fail(error.seen)
            raise
        except TimeoutError:
            link.fail("it does not answer")
            raise NotReachedError(
                f"the gateway at {self._path} does not answer within {self._timeout:g} s",
                "see that its process is not stopped or stuck: lineman status",
            ) from None
        except asyncio.CancelledError:
            link.fail("nobody waits for it any more")
            raise
        if self._link is not None:  # another call has connected meanwhile
            link.close()
            return
        self._link, self._ended = link, ended

    async def _dial(self, make: Callable[[], Link]) -> Link:
        path = self._path
        try:
            return await dial(make, path)
        except StrangerError as error:
            seen = f"nothing is pushed to {path}: {error.strerror}"
            raise NotReachedError(seen, _remedy(path)) from None
        except PermissionError:
            why, _, remedy = refusal(path).partition("; ")
            raise NotReachedError(
                f"nothing is pushed to {path}: {why}",
                f"{remedy} or as root, or push by HTTP: Gateway(…, push=…, push_token=…)",
            ) from None
        except OSError as error:
            seen = f"there is no gateway at {path}: {error.strerror}"
            raise NotReachedError(seen, "see that it runs, and on this machine") from None

    def _up(self) -> Link:
        if self._link is None:
            raise NotReachedError(
                f"the gateway at {self._path} is not connected",
                "try again in a moment; a program of your own: await connect() first",
            )
        return self._link

    def give(self, order: Order) -> None:
        link = self._up()
        link.check_room()
        link.post(order, len(getattr(order, "data", None) or ""))

    def give_timer(self, order: TimerOrder) -> None:
        link = self._up()
        where = f"the gateway at {self._path}"
        if self._version < versions.TIMERS_SINCE:
            raise too_old(where)
        if not self._takes_timers and isinstance(order, SetTimer):
            raise too_many(where)
        link.check_room()
        link.post(order)

    async def drain(self) -> None:
        if self._link is not None:
            await self._link.drain()

    async def ask(self, what: str, about: tuple[str, ...]) -> Any:
        return await ask_by_link(self._questions, self._up(), what, about, self._timeout)

    async def wait_for_end(self) -> None:
        if self._ended is not None:
            await asyncio.shield(self._ended)

    async def close(self) -> None:
        link, ended = self._link, self._ended
        if link is not None and ended is not None:
            await self._see_handled(link)
            link.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended, self._timeout)

    async def _see_handled(self, link: Link) -> None:
        """Returns when the gateway has what was ordered, or the link is lost, or in vain."""
        link.flush()
        if link.kept is None or not link.kept.summary().count:
            return
        with contextlib.suppress(NotReachedError, LinkFullError, RefusedError):
            await ask_by_link(self._questions, link, BROKER_STATE, (), min(self._timeout, LAST))
            link.kept = None


def _take_hello(path: str, hello: Hello, admitted: asyncio.Future[None]) -> None:
    if versions.agreed_with(hello.versions):
        admitted.set_result(None)
        return
    seen = f"nothing is pushed to {path}: {versions.refusal(hello.versions)}"
    remedy = "install the version of Lineman here that the service runs"
    admitted.set_exception(NotReachedError(seen, remedy))


def _remedy(path: str) -> str:
    """The remedy if another user listens at a path."""
    if os.geteuid() != 0:
        return "push as the service's user or as root"
    if directory := open_directory(path):
        return (
            f"everybody may write to {directory}, and so put a socket there: give push_socket= a "
            "path in a directory of the service's user, such as /run/app, or push as that user"
        )
    return "push as the service's user, whose the socket or its directory has to be"


class _ByBroker:
    """Pushes through the broker that the nodes share; this machine needs no gateway process."""

    def __init__(self, url: str, name: str, secret: Secret, timeout: float) -> None:
        self._timeout = timeout
        self._times = replace(DEFAULT_TIMES, answer=min(DEFAULT_TIMES.answer, timeout))
        self._shown = without_login(url)
        self._name = name
        self._make_broker = broker_maker(url, name)
        self._signer = Signer(secret, name)
        self._cluster: Cluster | None = None
        self._node = ""
        self._connected_at = 0.0

    async def connect(self) -> None:
        if self._cluster is None:
            self._node = names.new_node()
            calls = ClusterCalls(handlers=dict.fromkeys(node_messages.ABOUT_USERS, lambda _: None))
            cluster = Cluster(self._node, self._make_broker, calls, self._signer, self._times)
            self._cluster = cluster
            await cluster.start()
        try:
            await self._reach(self._cluster)
        except BaseException:  # not reached, or cancelled
            await self.close()
            raise

    async def _reach(self, cluster: Cluster) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        while not cluster.broker.is_connected:
            if loop.time() > deadline:
                raise NotReachedError(
                    f"the broker at {self._shown} is not reached: {cluster.broker.trouble}",
                    "see that it runs, and that this machine may connect to it",
                )
            await asyncio.sleep(0.01)
        if not self._connected_at:
            self._connected_at = loop.time()
            await self._meet(cluster, self._connected_at + MEETING)

    async def _meet(self, cluster: Cluster, deadline: float) -> None:
        """Returns when a node has answered: what is pushed bears the nodes' time then."""
        cluster.tell_all(node_messages.AskBeat(self._node))
        while not cluster.nodes and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.002)

    @property
    def is_connected(self) -> bool:
        return self._cluster is not None and self._cluster.broker.is_connected

    def _up(self) -> Cluster:
        if self._cluster is None or not self._cluster.broker.is_connected:
            raise NotReachedError(
                f"the broker at {self._shown} is not reached", "await connect() first, or wait"
            )
        return self._cluster

    def _nobody(self, cluster: Cluster) -> NotReachedError:
        if cluster.channel.refused:
            return NotReachedError(
                f"what gateway processes of {self._name!r} say at {self._shown} is signed with "
                "another secret",
                "give secret= the one that they have",
            )
        return NotReachedError(
            f"no gateway process of {self._name!r} is heard of at {self._shown}",
            "see that one runs, with this name",
        )

    def give(self, order: Order) -> None:
        cluster = self._up()
        with cluster.taking():
            if not isinstance(order, PublishToGroup):
                cluster.relay_to(list(names.topics_of(order, "")), order)
            elif cluster.nodes:
                home = homes_of(order.group, cluster.nodes)[0]
                cluster.relay_to([names.node_topic(home)], order)
            else:
                raise self._nobody(cluster)

    def give_timer(self, order: TimerOrder) -> None:
        cluster = self._up()
        with cluster.taking():
            if not set_timer(order, cluster, self._node):
                raise self._nobody(cluster)

    async def ask(self, what: str, about: tuple[str, ...]) -> Any:
        if what == BROKER_STATE:
            return self.is_connected
        cluster = self._up()
        # Every node sends its first beat within this time; an earlier answer might leave nodes out.
        now = asyncio.get_running_loop().time()
        complete_at = (self._connected_at or now) + 1.2 * self._times.beat
        await asyncio.sleep(complete_at - now)
        if not self._up().nodes:
            raise self._nobody(cluster)
        value, missing = await cluster.ask(LinkQuestion(0, what, about))
        note_missing(what, missing)
        return value

    async def drain(self) -> None:
        if self._cluster is not None:
            await self._cluster.broker.drain()

    async def wait_for_end(self) -> None:
        await asyncio.Event().wait()  # a broker reconnects by itself

    async def close(self) -> None:
        cluster, self._cluster = self._cluster, None
        self._connected_at = 0.0
        if cluster is not None:
            await cluster.stop()
