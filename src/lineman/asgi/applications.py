"""Finds the applications of a worker, and serves them in this process."""

from __future__ import annotations

import importlib
import inspect
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
                (path, _asgi(load(each), name_of(each)), name_of(each))
                for path, each in apps.items()
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
    except (Exception, SystemExit) as error:
        raise _failed(app, error) from error
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            names = [name for name in dir(found) if _may_be_meant(found, name)][:12]
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


def _may_be_meant(found: Any, name: str) -> bool:
    """Whether a name is no module, and no class or function that was imported from elsewhere."""
    value = getattr(found, name, None)
    if name.startswith("_") or inspect.ismodule(value):
        return False
    is_defined = inspect.isclass(value) or inspect.isroutine(value)
    return not is_defined or value.__module__ == getattr(found, "__name__", "")


def _asgi(app: Any, name: str) -> Any:
    """The application, if it can be called as ASGI says; raises a ConfigError if not."""
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):  # an object of C, which has none
        return app
    try:
        signature.bind({}, None, None)
    except TypeError:
        raise ConfigError(
            f"app is {name}, which cannot be called with (scope, receive, send), as ASGI says",
            "give --interface wsgi, or wrap it as a2wsgi.WSGIMiddleware(app), if it is an "
            "application of WSGI; give --factory if it is a function that makes the application",
        ) from None
    return app


def made_by(factory: Any, app: str) -> Any:
    """The application that a factory makes.

    Args:
        factory: what `app` names.
        app: `module:attribute`.

    Raises:
        ConfigError: it raises, or makes no application.
    """
    try:
        made = factory()
    except (Exception, SystemExit) as error:
        raise _failed(app, error, "calling") from error
    if not callable(made):
        raise ConfigError(
            f"{app} makes an object of type {type(made).__name__}",
            "with --factory, name a function that makes an application; otherwise leave it out",
        )
    return made


def _failed(app: str, error: BaseException, what: str = "importing") -> ConfigError:
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError) and error.filename:
        place: tuple[str, int | None] = (error.filename, error.lineno)
        said = f"{type(error).__name__}: {error.msg}"
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [each for each in frames if "importlib" not in each.filename][1:]  # behind ours
        place = (own[-1].filename, own[-1].lineno) if own else ("", None)
    where = f" at {place[0]}:{place[1]}" if place[0] else ""
    return ConfigError(f"{what} {app} raised {said}{where}", "mend the application")
