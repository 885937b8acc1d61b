"""Starts the applications of a worker, where it has any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineman.config.checked_options import CheckedOptions
from lineman.config.worker_description import WorkerDescription
from lineman.net.service import Service
from lineman.runtime import starting

if TYPE_CHECKING:
    from lineman.asgi.applications import Applications


async def start(
    worker: WorkerDescription, plan: CheckedOptions, service: Service
) -> Applications | None:
    """Runs their lifespans up to their answers; from then on they answer for the service.

    Returns:
        None where there are none.

    Raises:
        ConfigError: an application is not found.
        LifespanError: one says that it cannot start.
    """
    given = plan.given
    if given.app is None:
        return None
    apps = await begin(given.app, given.lifespan, worker)
    takes_websockets = not worker._has_callback("on_message")
    apps.serve(service, given.root_path, takes_websockets)
    return apps


async def begin(app: Any, lifespan: str, worker: WorkerDescription) -> Applications:
    """The applications, whose lifespans have begun; they answer for nothing yet.

    Args:
        app, lifespan: as the options of a worker.
        worker: the worker that runs them.

    Raises:
        ConfigError, LifespanError: as `start`.
    """
    from lineman.asgi.applications import Applications  # most workers do not need it

    apps = Applications(app, lifespan)
    await starting.run(lambda _: apps.start(), worker, f"the lifespan of {apps.name}")
    return apps
