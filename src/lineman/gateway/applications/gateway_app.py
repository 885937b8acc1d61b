"""The application of a `Gateway`, in place of its callbacks."""

from __future__ import annotations

from typing import Any

from lineman.asgi.applications import Applications
from lineman.asgi.served_app import ServedApp
from lineman.errors import ConfigError
from lineman.gateway.applications.kept_clients import KeptClients
from lineman.gateway.business.business_worker import Business
from lineman.gateway.gateway_options import GatewayOptions
from lineman.protocols.websocket.close import SERVICE_RESTART
from lineman.runtime import served_apps
from lineman.worker import Worker

# What gateway processes tell the business workers of an application.
EVENTS = ("on_websocket_connect", "on_connect", "on_message", "on_close")


class GatewayApp:
    """An application, from its start to its end, in the business workers of a gateway.

    Args:
        app, root_path, lifespan: as for a `Worker`.
        serving: the worker that runs it.
    """

    def __init__(self, app: Any, root_path: str, lifespan: str, serving: Worker) -> None:
        self._app = app
        self._root_path = root_path
        self._lifespan = lifespan
        self._apps: Applications | None = None
        self._running = running = serving.runtime
        # The calls of the application are tasks, which the worker waits for at its end.
        running.before_end, running.before_finish = running.before_finish, None

    async def start(self, worker: Worker, business: Business, callbacks: dict[str, Any]) -> None:
        """Runs its lifespan up to the answer; it gets the events of the clients then.

        Args:
            worker: the worker that runs it.
            business: gets the events.
            callbacks: of the business worker; they are set here.

        Raises:
            ConfigError: the application is not found.
            LifespanError: it says that it cannot start.
        """
        apps = self._apps = await served_apps.begin(self._app, self._lifespan, worker)
        assert worker.service is not None
        apps.serve(worker.service, self._root_path, True)
        served: ServedApp = worker.service.callbacks.app
        callbacks |= KeptClients(served, business, self._is_reload).callbacks()

    def _is_reload(self) -> bool:
        return self._running.end_code == SERVICE_RESTART

    async def stop(self, timeout: float) -> None:
        """Runs its lifespan to the end."""
        apps, self._apps = self._apps, None
        if apps is not None:
            await apps.stop(timeout)


def new_app(options: GatewayOptions, serving: Worker) -> GatewayApp | None:
    """The application of a gateway with these options, if it has one."""
    if options.app is None:
        return None
    return GatewayApp(options.app, options.root_path, options.lifespan, serving)


def refuse_callbacks(names: list[str]) -> None:
    """Refuses callbacks for clients beside an application.

    Raises:
        ConfigError: there is one.
    """
    found = [name for name in (*EVENTS, "on_request") if name in names]
    if found:
        raise ConfigError(
            f"the Gateway has an app and {found[0]}: the app gets all websockets and requests",
            f"leave {found[0]} or app out",
        )
