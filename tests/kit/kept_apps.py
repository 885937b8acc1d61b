"""Applications whose clients business workers hand to one another, for tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from kit.gateway import System
from lineman.asgi.applications import Applications
from lineman.gateway.applications.gateway_app import EVENTS
from lineman.gateway.applications.kept_clients import KeptClients
from lineman.gateway.business.business_worker import Business
from lineman.gateway.holder.node import Node
from lineman.worker import Worker

Application = Callable[[Any, Any, Any], Awaitable[None]]


class _Stopping:
    def __init__(self, system: System, worker: Worker) -> None:
        self._system = system
        self._worker = worker

    def close(self) -> None:
        """Stops the worker."""
        self._system.run(self._worker.stop(0.1))


def hold(system: System, **options: Any) -> Node:
    """A gateway process whose clients are an application's."""
    return system.add_node(*EVENTS, resumes=True, **options)


def serve(system: System, app: Application, *, is_reload: bool = True) -> Business:
    """A business worker that runs an application for the clients of all nodes."""
    worker = Worker()
    system.run(worker.start())
    system.peers.append(_Stopping(system, worker))

    async def start() -> Business:
        callbacks: dict[str, Any] = {}
        business = Business(callbacks, tuple(system.paths), len(system.businesses))
        system.businesses.append(business)
        apps = Applications(app, "off")
        await apps.start()
        assert worker.service is not None
        apps.serve(worker.service, "", True)
        served = worker.service.callbacks.app
        callbacks |= KeptClients(served, business, lambda: is_reload).callbacks()
        await business.start()
        return business

    return system.run(start())


def reload(system: System, business: Business, app: Application, seconds: float = 10) -> Business:
    """Has another business worker take over from one; returns it."""
    following = serve(system, app)
    system.run(business.retire(seconds))
    system.call(business.close)
    return following
