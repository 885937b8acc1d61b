"""Finds the applications of a worker, and serves them in this process."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Mapping
from typing import Any

from lineman.asgi.lifespan import Lifespan
from lineman.asgi.mounts import Mounted, by_path
from lineman.asgi.served_app import ServedApp
from lineman.errors import ConfigError
from lineman.net.service import Service


class Applications:
    """The applications of one worker, from their start to their end.

    Args:
        given: the option `app`.
        lifespan: the option `lifespan`.
    """

    def __init__(self, given: Any, lifespan: str) -> None:
        apps = given if isinstance(given, Mapping) else {"": given}
        self._mounted = [
            Mounted("" if path == "/" else path, app, Lifespan(app, name, lifespan))
            for path, app, name in (
                (path, load(each), name_of(each)) for path, each in apps.items()
            )
        ]
        self._service: Service | None = None
        self.name = ", ".join(name_of(each) for each in apps.values())

    async def start(self) -> None:
        """Runs their lifespans up to the answer.

        Raises:
            LifespanError: one says that it cannot start; those before it have ended.
        """
        begun: list[Lifespan] = []
        try:
            for each in self._mounted:
                await each.lifespan.start()
                begun.append(each.lifespan)
        except BaseException:
            for lifespan in reversed(begun):
                await lifespan.stop(1.0)
            raise

    def serve(self, service: Service, root_path: str, takes_websockets: bool) -> None:
        """Has the connections of a service call them."""
        app, lifespan = by_path(self._mounted)
        self._service = service
        service.look_where_it_stands()
        service.callbacks.app = ServedApp(
            app, self.name, service, lifespan, root_path, takes_websockets
        )

    async def stop(self, timeout: float) -> None:
        """Runs their lifespans to the end; they answer no more."""
        if self._service is not None:
            self._service.callbacks.app = None
            self._service.look_no_more()
        for each in reversed(self._mounted):
            await each.lifespan.stop(timeout)


def name_of(app: Any) -> str:
    """The name of an application in messages."""
    if isinstance(app, str):
        return app
    name = getattr(app, "__qualname__", None)
    if name is None:
        return type(app).__name__
    module = getattr(app, "__module__", "")
    return f"{module}:{name}" if module else str(name)


def load(app: Any) -> Any:
    """The application that is meant.

    Args:
        app: it, or `module:attribute`.

    Raises:
        ConfigError: there is no such module or attribute, or importing it fails.
    """
    if not isinstance(app, str):
        return app
    module_name, _, attributes = app.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name == missing or module_name.startswith(f"{missing}."):
            raise ConfigError(
                f"app is {app!r}, and there is no module {missing}",
                "start it where the module is, name its directory (--app-dir), or write the right "
                "name: the file main.py is the module main",
            ) from None
        raise _failed(app, error) from error
    except Exception as error:
        raise _failed(app, error) from error
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            names = [name for name in dir(found) if not name.startswith("_")][:12]
            raise ConfigError(
                f"app is {app!r}, and {module_name} has no {attribute}",
                f"write one of its names: {', '.join(names)}",
            )
        found = getattr(found, attribute)
    if not callable(found):
        raise ConfigError(
            f"app is {app!r}, which is of type {type(found).__name__}",
            "name an ASGI application",
        )
    return found


def _failed(app: str, error: Exception) -> ConfigError:
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if "importlib" not in each.filename]
    where = f" at {own[-1].filename}:{own[-1].lineno}" if own else ""
    return ConfigError(
        f"importing {app} raised {type(error).__name__}: {error}{where}", "mend the application"
    )
