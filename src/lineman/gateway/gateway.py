"""`Gateway`: processes that hold clients, and others that run the program's code for them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lineman.base import option_kinds
from lineman.base.option_kinds import taking
from lineman.base.unknown_names import ObjectKind
from lineman.base.vocabulary import (
    GATEWAY,
    GATEWAY_CALLS,
    GATEWAY_SETTINGS,
    NOT_OF_A_GATEWAY,
    WORKER,
    WORKER_SETTINGS,
)
from lineman.brokers.base import MakeBroker
from lineman.brokers.choice import broker_maker, history_store
from lineman.brokers.embedded import Hub
from lineman.brokers.history_store import StoreLimits
from lineman.config.applied_settings import apply_to_gateway
from lineman.config.callback_slots import Slot
from lineman.config.declared import Declared, refuse_option
from lineman.config.options import ServiceFields
from lineman.errors import UsageError
from lineman.gateway.applications.gateway_app import EVENTS, GatewayApp, new_app, refuse_callbacks
from lineman.gateway.business.business_worker import Business
from lineman.gateway.gateway_current import GatewayCurrent
from lineman.gateway.gateway_options import (
    OF_HOLDERS,
    OPTIONS,
    SHARED,
    GatewayOptions,
    check_addresses,
    check_durable,
    check_name,
    checked_router,
    limits_of,
)
from lineman.gateway.gateway_time import GatewayTime
from lineman.gateway.holder.client_deadlines import GuardOptions
from lineman.gateway.holder.durable_histories import MakeStore
from lineman.gateway.holder.node import Node
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.one_loop import RunsInLoop, let_links_end
from lineman.gateway.push.api import Api
from lineman.gateway.push.push_endpoint import HttpPush, check_token
from lineman.gateway.push.pushing import AsyncGatewayClient
from lineman.gateway.wire.messages import Order
from lineman.gateway.wire.timer_messages import TimerOrder
from lineman.runtime import inner_workers, starting
from lineman.worker import Worker

if TYPE_CHECKING:
    from lineman.config import callback_types as types
    from lineman.gateway import client_callback_types as ours
    from lineman.worker import ForExit, ForWorker, OfExit, OfWorker

# Seconds that the process for pushes by HTTP waits for its gateway process, and between looks.
PATIENCE, LOOK = 5.0, 0.02
ARGUMENTS = {
    "on_worker_start": ("worker",),
    "on_worker_stop": ("worker",),
    "on_worker_reload": ("worker",),
    "on_worker_exit": ("worker", "status", "pid"),
    "on_websocket_connect": ("client", "request"),
    "on_connect": ("client",),
    "on_message": ("client", "message"),
    "on_close": ("client", "code", "reason"),
    "on_request": ("request",),
    "on_uid_online": ("uid",),
    "on_uid_offline": ("uid",),
    "on_history_gap": ("group", "old_epoch", "new_epoch"),
}

# Seconds that a gateway process waits for the others at its start before it admits clients.
SETTLE_TIME = 2.0
_PUSH_REMEDY = (
    "have programs push with GatewayClient, `lineman push` or Gateway(…, push=…, push_token=…): "
    "that reaches every client"
)


class _Pushing(Worker):
    """The worker at which other programs push; it accepts no clients."""

    takes_clients = False
    takes_settings = False


class _Holding(Worker):
    """The worker whose processes hold the clients; its node calls for the program's callbacks."""

    takes_settings = False
    of_gateway: _Callbacks

    def _has_callback(self, name: str) -> bool:
        return self.of_gateway[name] is not None


class _Callbacks:
    """The functions of one gateway; None where the user gave none."""

    def __init__(self) -> None:
        for name in ARGUMENTS:
            setattr(self, name, None)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def names(self) -> list[str]:
        """The names of those that are set."""
        return [name for name in ARGUMENTS if self[name] is not None]


class Gateway(GatewayTime, GatewayCurrent, Api, RunsInLoop, Declared):
    """A service whose clients stay while its code is reloaded, and that reaches any of them.

    Its `gateways` processes hold the clients. Its `workers` processes run the callbacks, and a
    reload replaces only these. The functions that send and ask work in the `workers` processes.
    `on_request`, for a page or a health check at the same port, runs in the `gateways` processes.

    Args:
        address, context, **options: see `GatewayOptions`.

    Attributes:
        data: the program's own values in each process: a dictionary, unless the program sets
            something else.

    Raises:
        UsageError: an option that does not exist.
        ConfigError: a value that cannot work.
    """

    _kind = ObjectKind(
        "a Gateway",
        "gateway.data",
        {"gateway": {**GATEWAY, **NOT_OF_A_GATEWAY}, "Worker": WORKER},
        "Gateway",
        {"address", "context", *OPTIONS},
        GATEWAY_SETTINGS | WORKER_SETTINGS,
        GATEWAY_CALLS,
    )

    on_worker_start: Slot[ForWorker, OfWorker] = Slot(ARGUMENTS)
    on_worker_stop: Slot[ForWorker, OfWorker] = Slot(ARGUMENTS)
    on_worker_reload: Slot[ForWorker, OfWorker] = Slot(ARGUMENTS)
    on_worker_exit: Slot[ForExit, OfExit] = Slot(ARGUMENTS)
    on_websocket_connect: Slot[ours.ForClientHandshake, ours.OfClientHandshake] = Slot(ARGUMENTS)
    on_connect: Slot[ours.ForClient, ours.OfClient] = Slot(ARGUMENTS)
    on_message: Slot[ours.ForClientMessage, ours.OfClientMessage] = Slot(ARGUMENTS)
    on_close: Slot[ours.ForClientClose, ours.OfClientClose] = Slot(ARGUMENTS)
    on_request: Slot[types.ForRequest, types.OfRequest] = Slot(ARGUMENTS)
    on_uid_online: Slot[ours.ForUid, ours.OfUid] = Slot(ARGUMENTS)
    on_uid_offline: Slot[ours.ForUid, ours.OfUid] = Slot(ARGUMENTS)
    on_history_gap: Slot[ours.ForGap, ours.OfGap] = Slot(ARGUMENTS)

    all_names: ClassVar[set[str]] = set()

    callbacks: _Callbacks
    name: str
    data: Any
    _options: GatewayOptions
    _limits: GuardOptions
    _business: Business | None
    _node: Node | None
    _hub: Hub | None
    _client: AsyncGatewayClient | None
    _holding: _Holding
    _app: GatewayApp | None

    @taking(GatewayOptions)
    def __init__(
        self,
        address: str | Sequence[str],
        context: Mapping[str, Any] | None = None,
        **given: Any,
    ) -> None:
        for name in given:
            if name not in OPTIONS:
                refuse_option(type(self), name)
        options, given = apply_to_gateway(
            {"address": address, "context": context, **given},
            str(given.get("name", GatewayOptions.name)),
            GatewayOptions,
        )
        self._options = options
        self._refuse(options)
        self.callbacks = _Callbacks()
        self.name = options.name
        self.data = {}
        self._timer_functions = {}
        self._limits = limits_of(options, given)
        self._business = None
        self._node = None
        self._hub = None
        self._client = None
        self._run = None
        shared = {key: given[key] for key in SHARED if key in given}
        of_holders = {key: given[key] for key in OF_HOLDERS if key in given}
        of_holders |= {"name": options.name, "reloadable": options.reloadable}
        if options.app is not None:
            of_holders.setdefault("origins", ["*"])  # the application has its own rule
        self._holding = _Holding(
            options.address, options.context, count=options.gateways, **of_holders
        )
        self._holding.of_gateway = self.callbacks
        self._holding.claim = f"gateway called {self.name!r}"
        self._holding.on_worker_start = self._start_node
        self._holding.on_worker_stop = self._stop_node
        self._serving = Worker(count=options.workers, name=f"{self.name} business", **shared)
        self._serving.takes_settings = False
        self._holding.push_remedy = self._serving.push_remedy = _PUSH_REMEDY
        self._serving.on_worker_start = self._start_business
        self._serving.on_worker_stop = self._stop_business
        self._serving.runtime.before_finish = self._retire_business
        self._serving.on_worker_reload = self._reload_business
        self._serving.on_worker_exit = self._business_exited
        if options.gateways > 1 and options.broker is None:
            hub = Worker(name=f"{self.name} hub", reloadable=False, **shared)
            hub.takes_settings = False
            hub.on_worker_start = self._start_hub
            hub.on_worker_stop = self._stop_hub
        self._app = new_app(options, self._serving)
        self._pushing = []
        if options.push is not None:
            title, stays = f"{self.name} push", options.reloadable  # it runs no code of the program
            pushing = _Pushing(options.push, name=title, reloadable=stays, **shared)
            pushing.on_worker_start = self._start_push
            pushing.on_worker_stop = self._stop_push
            self._pushing.append(pushing)
        Gateway.all_names.add(self.name)

    def _refuse(self, options: GatewayOptions) -> None:
        if inner_workers.host is not None:
            raise UsageError("a Gateway has processes of its own: make it before Worker.run_all()")
        option_kinds.check(GatewayOptions, options, besides=ServiceFields)
        check_name(options.name)
        check_addresses(options)
        check_durable(options)
        if options.broker is not None:
            broker_maker(options.broker, options.name)  # a wrong broker is reported now
        if options.push is not None:
            check_token(options.push_token)

    def __repr__(self) -> str:
        return f"<Gateway {self.name} {self._holding.address}>"

    def _path(self, worker: Worker, what: str) -> str:
        if not worker.links_directory:
            raise UsageError(
                "a Gateway runs in several processes: start it by Worker.run_all(), or inside an "
                "event loop with `await gateway.start()`"
            )
        return str(Path(worker.links_directory) / f"{self.name}-{what}.sock")

    # The processes that hold the clients.

    @property
    def _slots(self) -> int:
        return self._options.gateways if self._run is None else 1

    async def _start_node(self, worker: Worker) -> None:
        if self._app is not None:
            refuse_callbacks(self.callbacks.names())
        options = RoutingOptions(
            self._make_broker(worker),
            self._options.secret,
            self._options.history,
            self._options.history_frame,
            bool(self.on_uid_online or self.on_uid_offline),
            lambda: worker.service is not None and worker.service.is_stopping,
            service=self.name,
            make_store=self._make_store(),
        )
        node = self._node = Node(
            self.callbacks.names() if self._app is None else EVENTS,
            options,
            self._limits,
            redeliver=self._options.redeliver,
            wait_timeout=self._options.wait_timeout,
            router=checked_router(self._options),
            resumes=self._app is not None,
        )
        worker.on_websocket_connect = node.on_websocket_connect
        worker.facts = node.facts
        worker.troubles = node.troubles
        worker._identity = node.identity
        worker.on_request = self.callbacks["on_request"]
        if self._app is not None:
            worker.callbacks.app = node.requests
        worker.callbacks.takes_event_streams = False
        worker.on_connect = node.on_connect
        worker.on_message = node.on_message
        worker.on_close = node.on_close
        paths = [self._path(worker, str(worker.id))]
        if self._options.push_socket is not None and worker.id == 0:
            paths.append(str(self._options.push_socket))
        await node.start(*paths)
        await node.settle(SETTLE_TIME)

    def _make_store(self) -> MakeStore | None:
        history, broker = self._options.history, self._options.broker
        if history is None or not history.durable or broker is None:
            return None
        limits = StoreLimits(history.messages, history.seconds, history.max_bytes)
        return lambda: history_store(broker, self.name, limits)

    def _make_broker(self, worker: Worker) -> MakeBroker | None:
        if self._options.broker is not None:
            return broker_maker(self._options.broker, self.name)
        if self._slots > 1:
            return broker_maker(f"hub://{self._path(worker, 'hub')}", self.name)
        return None

    async def _stop_node(self) -> None:
        node, self._node = self._node, None
        if node is not None:
            await node.stop()
            if self._run is not None:
                await let_links_end(node.links)

    async def _start_hub(self, worker: Worker) -> None:
        hub = self._hub = Hub()
        worker.facts = lambda: {"gateway_hub_dropped_messages": hub.dropped}
        await self._hub.start(self._path(worker, "hub"))

    async def _stop_hub(self) -> None:
        if self._hub is not None:
            await self._hub.stop()

    # The process that takes pushes by HTTP.

    async def _start_push(self, worker: Worker) -> None:
        client = self._client = AsyncGatewayClient(f"unix://{self._path(worker, '0')}")
        _add_facts(worker, client._facts)
        await client.keep_connected()
        with contextlib.suppress(TimeoutError):  # then pushes get 503 until it is there
            async with asyncio.timeout(PATIENCE):
                while not client.is_connected:
                    await asyncio.sleep(LOOK)
        worker.on_request = HttpPush(client, str(self._options.push_token))
        worker.on_websocket_connect = lambda connection, request: connection.reject(404)

    async def _stop_push(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    # The processes that run the program's code.

    async def _start_business(self, worker: Worker) -> None:
        paths = tuple(self._path(worker, str(slot)) for slot in range(self._slots))
        callbacks = {name: self.callbacks[name] for name in ARGUMENTS}
        service = worker.service

        def count() -> None:  # as a worker's own callbacks are counted
            if service is not None:
                service.exceptions += 1

        business = self._business = Business(
            callbacks, paths, worker.id, timers=self._timer_functions, on_failure=count
        )
        _add_facts(worker, business.given.facts)
        if self._app is not None:
            await self._app.start(worker, business, callbacks)
        await starting.run(self.callbacks["on_worker_start"], worker)
        await self._business.start()

    async def _retire_business(self, seconds: float) -> None:
        """Takes no new events; tasks that may finish can still reach every client."""
        if self._business is not None:
            await self._business.retire(seconds)

    async def _stop_business(self, worker: Worker) -> None:
        if self._business is None:
            return
        try:
            await _call(self.callbacks["on_worker_stop"], worker)
            if self._app is not None:
                await self._app.stop(worker.stop_timeout)
        finally:
            self._business.close()

    async def _reload_business(self, worker: Worker) -> None:
        await _call(self.callbacks["on_worker_reload"], worker)

    async def _business_exited(self, worker: Worker, status: int, pid: int) -> None:
        await _call(self.callbacks["on_worker_exit"], worker, status, pid)

    async def _clean(self) -> None:
        """Ends what a part that could not start has left."""
        business, self._business = self._business, None
        if business is not None:
            business.close()
        await self._stop_push()
        await self._stop_node()
        if business is not None:
            await let_links_end(business.links)

    def _working(self) -> Business:
        if self._business is None:
            raise UsageError(
                f"process {os.getpid()} runs no callbacks of {self!r}; "
                "call it in a callback for clients or a job of the gateway; "
                "from other programs use a GatewayClient"
            )
        return self._business

    def _give(self, order: Order) -> None:
        self._working()._give(order)

    def _give_timer(self, order: TimerOrder) -> None:
        self._working()._give_timer(order)

    async def _ask(self, what: str, *about: str) -> Any:
        return await self._working()._ask(what, *about)

    async def drain(self) -> None:
        """Returns when every gateway process has room for more orders.

        Await it in programs that send a lot: orders raise `LinkFullError` once 64 MiB wait for a
        gateway process.
        """
        await self._working().drain()


def _add_facts(worker: Worker, more: Callable[[], dict[str, float]]) -> None:
    known = worker.facts
    worker.facts = more if known is None else lambda: {**known(), **more()}


async def _call(callback: Any, *arguments: Any) -> None:
    if callback is not None:
        result = callback(*arguments)
        if hasattr(result, "__await__"):
            await result
