"""Pushing from any program: a web application, a cron job, a notebook."""

from __future__ import annotations

import asyncio
import contextlib
import os
from types import TracebackType
from typing import Any, Self

from lineman.errors import ConfigError, LinemanError, NotReachedError
from lineman.gateway import messages, names, nodemessages
from lineman.gateway.api import Api
from lineman.gateway.brokers.address import without_login
from lineman.gateway.brokers.choice import FORMS, NoBrokerError, broker_maker
from lineman.gateway.cluster import BEAT, Cluster
from lineman.gateway.link import Link
from lineman.gateway.meeting import StrangerError, dial
from lineman.gateway.messages import Hello, LinkAnswer, LinkQuestion, Order, Publish
from lineman.gateway.orders import Orders
from lineman.gateway.presence import homes_of
from lineman.gateway.seal import Signer
from lineman.unixpeer import open_directory, refusal

TIMEOUT = 10.0
RETRY = 0.2


class AsyncGatewayClient(Api):
    """Orders and questions to a gateway from asyncio code of another program.

    Use it as `async with AsyncGatewayClient(address) as gateway:`.

    Args:
        address: `unix:///run/…/app.sock` on the gateway's machine, or the broker that its nodes
            share: `redis://…`, `redis+cluster://…`, `nats://…`.
        name: of the service, where a broker has several.
        secret: of the service, where it has one.

    Raises:
        ConfigError: the address is none of these, or the broker's package is missing.
        NotReachedError: on entering: there is nobody.
    """

    def __init__(self, address: str, name: str = "gateway", secret: str | None = None) -> None:
        self._route: _ByLink | _ByBroker
        if address.startswith("unix://"):
            self._route = _ByLink(address.removeprefix("unix://"))
        else:
            try:
                self._route = _ByBroker(address, name, secret)
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
        """Reaches the gateway.

        Raises:
            NotReachedError: there is nobody.
        """
        await self._route.connect()

    async def keep_connected(self) -> None:
        """Reaches the gateway as soon as it is there, and again whenever it was away."""
        self._keeping = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(NotReachedError, TimeoutError):
                await self._route.connect()
                await self._route.wait_for_end()
            await asyncio.sleep(RETRY)

    async def close(self) -> None:
        """Ends it, after all that was ordered has left."""
        if self._keeping is not None:
            self._keeping.cancel()
        await self._route.close()

    async def drain(self) -> None:
        """Returns when the gateway takes what was ordered: for programs that push a lot."""
        await self._route.drain()

    def _give(self, order: Order) -> None:
        self._route.give(order)

    async def _ask(self, what: str, *about: str) -> Any:
        return await self._route.ask(what, about)


class _ByLink:
    """Through a gateway process of this machine."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._link: Link | None = None
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._last_question = 0
        self._ended: asyncio.Future[None] | None = None

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        admitted = loop.create_future()
        self._ended = loop.create_future()

        def on_batch(link: Link, batch: list[Any]) -> None:
            for message in batch:
                if isinstance(message, Hello) and not admitted.done():
                    admitted.set_result(None)
                elif isinstance(message, LinkAnswer):
                    self._on_answer(message)

        def on_end(link: Link, reason: str) -> None:
            error = NotReachedError(f"the gateway at {self._path} ended the link: {reason}")
            for waiting in (admitted, *self._asked.values()):
                if not waiting.done():
                    waiting.set_exception(error)
            self._link = None
            if self._ended is not None and not self._ended.done():
                self._ended.set_result(None)

        try:
            link = await dial(lambda: Link(messages.TO_BUSINESS, on_batch, on_end), self._path)
        except StrangerError as error:
            raise NotReachedError(
                f"nothing is pushed to {self._path}: {error.strerror}; {_remedy(self._path)}"
            ) from None
        except PermissionError:
            raise NotReachedError(
                f"nothing is pushed to {self._path}: {refusal(self._path)} or as root, or push by "
                "HTTP: Gateway(…, push=…, push_token=…)"
            ) from None
        except OSError as error:
            raise NotReachedError(
                f"there is no gateway at {self._path}: {error.strerror}; "
                "see that it runs, and on this machine"
            ) from None
        link.post(Hello(messages.VERSION, pid=os.getpid()))
        try:
            await asyncio.wait_for(admitted, TIMEOUT)
        except TimeoutError:
            link.fail("it does not answer")
            raise NotReachedError(f"the gateway at {self._path} does not answer") from None
        self._link = link

    def _on_answer(self, answer: LinkAnswer) -> None:
        waiting = self._asked.get(answer.number)
        if waiting is None or waiting.done():
            return
        if answer.error:
            waiting.set_exception(LinemanError(answer.error))
        else:
            waiting.set_result(answer.value)

    def _up(self) -> Link:
        if self._link is None:
            raise NotReachedError(f"the gateway at {self._path} is not connected; call connect()")
        return self._link

    def give(self, order: Order) -> None:
        link = self._up()
        link.check_room()
        link.post(order, len(getattr(order, "data", None) or ""))

    async def drain(self) -> None:
        if self._link is not None:
            await self._link.drain()

    async def ask(self, what: str, about: tuple[str, ...]) -> Any:
        link = self._up()
        self._last_question += 1
        number = self._last_question
        waiting = self._asked[number] = asyncio.get_running_loop().create_future()
        link.post(LinkQuestion(number, what, about))
        try:
            return await asyncio.wait_for(waiting, TIMEOUT)
        finally:
            del self._asked[number]

    async def wait_for_end(self) -> None:
        if self._ended is not None:
            await asyncio.shield(self._ended)

    async def close(self) -> None:
        if self._link is not None and self._ended is not None:
            self._link.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended, TIMEOUT)


def _remedy(path: str) -> str:
    """What to do where a stranger listens at a path."""
    if os.geteuid() != 0:
        return "push as the service's user or as root"
    if directory := open_directory(path):
        return (
            f"everybody may write to {directory}, and so put a socket there: give push_socket= a "
            "path in a directory of the service's user, such as /run/app, or push as that user"
        )
    return "push as the service's user, whose the socket or its directory has to be"


class _ByBroker:
    """Through the broker that the nodes share; no process of the service need be here."""

    def __init__(self, url: str, name: str, secret: str | None) -> None:
        self._shown = without_login(url)
        self._name = name
        self._make_broker = broker_maker(url, name)
        self._signer = Signer(secret)
        self._cluster: Cluster | None = None
        self._reached: asyncio.Future[None] | None = None
        self._connected_at = 0.0

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        node = names.new_node()
        orders = Orders(node, lambda client: None)
        cluster = self._cluster = Cluster(
            node, orders, self._make_broker, lambda order, origin: None, lambda nodes: None,
            dict.fromkeys(nodemessages.ABOUT_USERS, lambda _: None),
            signer=self._signer, is_node=False,
        )  # fmt: skip
        await cluster.start()
        deadline = loop.time() + TIMEOUT
        while not cluster.broker.is_connected:
            if loop.time() > deadline:
                trouble = cluster.broker.trouble
                await self.close()
                raise NotReachedError(f"the broker at {self._shown} is not reached: {trouble}")
            await asyncio.sleep(0.01)
        self._connected_at = loop.time()

    def _up(self) -> Cluster:
        if self._cluster is None or not self._cluster.broker.is_connected:
            raise NotReachedError(f"the broker at {self._shown} is not reached; call connect()")
        return self._cluster

    def _nobody(self, cluster: Cluster) -> NotReachedError:
        if cluster.has_refused:
            return NotReachedError(
                f"what gateway processes of {self._name!r} say at {self._shown} is signed with "
                "another secret; give secret= the one that they have"
            )
        return NotReachedError(
            f"no gateway process of {self._name!r} is heard of at {self._shown}; "
            "see that one runs, with this name"
        )

    def give(self, order: Order) -> None:
        cluster = self._up()
        if not isinstance(order, Publish):
            cluster.relay(order)
        elif cluster.nodes:
            home = homes_of(order.group, cluster.nodes)[0]
            cluster.relay_to([names.node_topic(home)], order)
        else:
            raise self._nobody(cluster)

    async def ask(self, what: str, about: tuple[str, ...]) -> Any:
        cluster = self._up()
        # Every node says within a beat that it lives; before that the answer might leave some out.
        await asyncio.sleep(self._connected_at + 1.2 * BEAT - asyncio.get_running_loop().time())
        if not cluster.nodes:
            raise self._nobody(cluster)
        return await cluster.ask(LinkQuestion(0, what, about))

    async def drain(self) -> None:
        if self._cluster is not None:
            await self._cluster.broker.drain()

    async def wait_for_end(self) -> None:
        await asyncio.Event().wait()  # a broker is found again by itself

    async def close(self) -> None:
        if self._cluster is not None:
            await self._cluster.stop()
            self._cluster = None
