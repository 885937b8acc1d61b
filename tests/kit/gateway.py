"""Nodes and business workers in their own event loop, for the tests of the gateway."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Protocol, Self, TypeVar

from kit.device import Device
from kit.waiting import DEADLINE
from lineman import Worker
from lineman.base.address import parse
from lineman.brokers.choice import broker_maker, history_store
from lineman.brokers.embedded import Embedded, Hub
from lineman.brokers.history_store import StoreLimits
from lineman.gateway.business.business_worker import Business
from lineman.gateway.holder.client_deadlines import GuardOptions
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.holder.node import Node
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.links.framing import LENGTH, WireFormat
from lineman.links.records import DONE, HEAD, HEAD_SIZE, RECORD, TEXT
from lineman.testing.client import RawClient

T = TypeVar("T")
DURABLE_SECRET = "a secret of the tests"


class Said(NamedTuple):
    """A message from or to a client, as a record of a link."""

    number: int
    data: str | bytes


class Handled(NamedTuple):
    """A record: `count` events of a client were handled."""

    number: int
    count: int


def said_on(stream: IO[bytes], wire: WireFormat) -> Iterator[Any]:
    """The content of a link in order: its messages, and its records decoded."""
    while head := stream.read(LENGTH):
        if head[0] < RECORD:
            yield from wire.decode_batch(stream.read(int.from_bytes(head, "big")))
            continue
        kind, size, number = HEAD.unpack(head + stream.read(HEAD_SIZE - LENGTH))
        if kind == DONE:
            yield Handled(number, size)
        else:
            payload = stream.read(size)
            yield Said(number, payload.decode() if kind == TEXT else payload)


class SupportsClose(Protocol):
    def close(self) -> None: ...


class System:
    """Gateway processes and business workers, as the parts that a program runs in several.

    Args:
        directory: for unix sockets.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.faults: list[str] = []
        self.paths: list[str] = []
        self.nodes: list[Node] = []
        self.workers: list[Worker] = []
        self.businesses: list[Business] = []
        self.clients: list[RawClient] = []
        self.hub: Hub | None = None
        self.peers: list[SupportsClose] = []  # for other things that a test opens
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self.faults.append(str(context)))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            for client in self.clients:
                client.close()
            for peer in self.peers:
                peer.close()
            for business in self.businesses:
                self.call(business.close)
            for node, worker in zip(self.nodes, self.workers, strict=True):
                self.run(worker.stop(5))
                self.run(node.stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(DEADLINE)
            self._loop.close()
        if kind is None:
            assert self.faults == [], self.faults

    def run(self, awaitable: Awaitable[T]) -> T:
        """Runs a coroutine in the loop and returns its result."""

        async def await_it() -> T:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(await_it(), self._loop).result(DEADLINE)

    def call(self, function: Callable[..., T], *args: Any, **named: Any) -> T:
        """Calls a function in the loop and returns its result."""

        async def call_it() -> T:
            return function(*args, **named)

        return self.run(call_it())

    def wait_until(self, is_so: Callable[[], object], what: str) -> None:
        """Returns as soon as a condition is true in the loop."""

        async def wait() -> None:
            deadline = self._loop.time() + DEADLINE
            while not is_so():
                assert self._loop.time() < deadline, f"never: {what}"
                await asyncio.sleep(0.005)

        self.run(wait())

    def add_node(
        self,
        *events: str,
        routing: RoutingOptions | None = None,
        limits: GuardOptions | None = None,
        at: str = "",
        worker_options: Any = None,
        address: str | Sequence[str] = "ws://127.0.0.1:0",
        **options: Any,
    ) -> Node:
        """A gateway process; business workers that are added later serve it too.

        With `at` it replaces the one that listens there, which continues to run.
        `worker_options` are those of the worker that holds the clients at `address`.
        """

        async def add() -> Node:
            node = Node(events, routing, limits, **options)
            worker = Worker(address, **(worker_options or {}))
            worker.on_connect = node.on_connect
            worker.on_message = node.on_message
            worker.on_close = node.on_close
            path = at or str(self.directory / f"node-{len(self.nodes)}.sock")
            await node.start(path)
            await worker.start()
            worker.on_websocket_connect = node.on_websocket_connect
            if not at:
                self.paths.append(path)
            self.nodes.append(node)
            self.workers.append(worker)
            return node

        return self.run(add())

    def add_business(self, options: Any = None, **callbacks: Callable[..., Any]) -> Business:
        """A business worker, connected to all nodes."""

        async def add() -> Business:
            business = Business(
                callbacks, tuple(self.paths), len(self.businesses), **(options or {})
            )
            self.businesses.append(business)
            await business.start()
            return business

        return self.run(add())

    def connect(self, target: str = "/", node: int = 0, **options: Any) -> RawClient:
        """An open websocket to a node."""
        client = RawClient(self.workers[node].port)
        self.clients.append(client)
        return client.open(target, **options)

    def attach(self, node: int = 0, **options: Any) -> Device:
        """A device that is connected to the first address of a node that is no websocket's."""
        found = (parse(url) for url in self.workers[node].urls)
        address = next(each for each in found if each.protocol != "ws")
        device = Device(address.protocol, address.port, **options)
        self.peers.append(device)
        return device

    def ask(self, question: Awaitable[T]) -> T:
        """The answer to a question of a business worker."""
        return self.run(question)


def routing_by(hub: str, *, tells_users: bool = True) -> RoutingOptions:
    """A broker that uses the hub at a path, for a node that is added later."""
    return RoutingOptions(lambda subscriber: Embedded(hub, subscriber), tells_users=tells_users)


def add_two_nodes(system: System, hub: str, **options: Any) -> None:
    """Two gateway processes with the hub at a path as their broker."""
    routing = RoutingOptions(lambda subscriber: Embedded(hub, subscriber), **options)
    for _ in range(2):
        system.add_node("on_message", routing=routing)
    for node in system.nodes:
        cluster = node.routing.cluster
        assert cluster is not None
        system.wait_until(lambda cluster=cluster: len(cluster.nodes) == 2, "they see each other")


def add_durable_nodes(system: System, url: str, name: str) -> None:
    """Two nodes of a service whose histories the broker keeps, which see each other."""
    limits = StoreLimits(100, 300.0, 1 << 20)
    routing = RoutingOptions(
        broker_maker(url, name),
        DURABLE_SECRET,
        HistoryOptions(durable=True),
        service=name,
        make_store=lambda: history_store(url, name, limits),
    )
    add_two_with_histories(system, routing)


def add_two_with_histories(system: System, routing: RoutingOptions) -> None:
    """Two nodes that keep histories and tell of gaps, which see each other."""
    for _ in range(2):
        system.add_node("on_message", "on_history_gap", routing=routing)
    for node in system.nodes:
        cluster = node.routing.cluster
        assert cluster is not None
        system.wait_until(lambda cluster=cluster: len(cluster.nodes) == 2, "they see each other")


def cut_off_and_back(system: System, hub: str, meanwhile: Callable[[], None]) -> None:
    """Ends the hub, does something, and starts it again."""
    clusters = [cluster for node in system.nodes if (cluster := node.routing.cluster)]
    assert system.hub is not None
    system.run(system.hub.stop())
    system.wait_until(lambda: not any(one.broker.is_connected for one in clusters), "cut off")
    meanwhile()
    system.hub = Hub()
    system.run(system.hub.start(hub))
    system.wait_until(lambda: all(one.broker.is_connected for one in clusters), "back")


class ForeignTransport:
    """A transport like uvloop's: it derives from no class of asyncio."""

    def __init__(self) -> None:
        self.written = b""

    def set_write_buffer_limits(self, high: int) -> None:
        """Is called once."""

    def abort(self) -> None:
        """Called when the link is given up."""

    def write(self, data: bytes) -> None:
        """Keeps the bytes that are sent."""
        self.written += data
