"""The program of `lineman serve`: a worker that serves one application.

`python -P -m lineman.cli.shared.app_program WORDS`, with the words of `lineman serve`. The
master starts it, with the rights of the program's user; it does not import the application itself.
"""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lineman.asgi.applications import load, made_by, name_of
from lineman.cli.shared import serve_options
from lineman.config import applied_settings
from lineman.errors import ConfigError
from lineman.gateway.gateway import Gateway
from lineman.process.messages.role import take_role
from lineman.runtime.run import refuse
from lineman.worker import Worker


def main(words: Sequence[str]) -> None:
    """Runs the program; does not return."""
    options = read(words)
    try:
        worker_of(options)
    except ConfigError as error:
        refuse(error, take_role())
    Worker.run_all([])


def read(words: Sequence[str]) -> argparse.Namespace:
    """The options that the words of `lineman serve` give; settings leave what they set.

    The program's settings are looked for beside its script: here, where the service is started.
    """
    parser = argparse.ArgumentParser("lineman serve")
    serve_options.add_to(parser)
    options = parser.parse_args(words)
    sys.argv[0] = os.path.abspath(options.app)
    applied_settings.leave(serve_options.settled(words))
    return options


def worker_of(options: argparse.Namespace) -> Worker | Gateway:
    """The worker that the options describe; with `--keep-clients` the gateway.

    Raises:
        ConfigError: the application is not found, or an option cannot work.
    """
    if options.env_file:
        for name, value in _variables_of(options.env_file).items():
            os.environ.setdefault(name, value)
    directory = os.path.abspath(options.app_dir)
    if not os.path.isdir(directory):
        raise ConfigError(
            f"--app-dir is {options.app_dir!r}, and there is no such directory",
            "name the one in which the application's module is",
        )
    sys.path.insert(0, directory)
    given = serve_options.worker_options(options)
    if options.metrics:
        Worker.metrics = options.metrics
    if options.log_level:
        level = options.log_level.upper()
        Worker.log_level = "DEBUG" if level == "TRACE" else level
    is_plain = not options.factory and options.interface != "wsgi"
    if options.keep_clients:
        of_gateway = serve_options.gateway_options(options)
        # By its name: the processes that keep clients do not import it.
        app = options.app if is_plain else _found(options)
        return Gateway(app=app, name=options.app, **of_gateway)
    found = _found(options)
    return Worker(app=options.app if is_plain else found, name=options.app, **given)


def _variables_of(env_file: str) -> dict[str, str]:
    try:
        return serve_options.read_variables(Path(env_file).read_text(encoding="utf-8-sig"))
    except OSError as error:
        seen, fix = error.strerror or str(error), "name a file that can be read"
    except UnicodeDecodeError:
        seen, fix = "is no UTF-8", "save it as UTF-8"
    except ConfigError as error:
        seen, fix = error.seen, error.fix
    raise ConfigError(f"--env-file {env_file}: {seen}", fix)


def _found(options: argparse.Namespace) -> Any:
    app = load(options.app)
    if options.factory:
        app = made_by(app, options.app)
    if options.interface == "wsgi":
        if any(map(inspect.iscoroutinefunction, (app, type(app).__call__))):
            raise ConfigError(
                f"{options.app} is an application of ASGI, and --interface is wsgi",
                "leave --interface out",
            )
        try:
            from a2wsgi import WSGIMiddleware  # an extra
        except ImportError:
            raise ConfigError(
                "--interface wsgi needs a package", "pip install 'lineman[wsgi]'"
            ) from None
        app = _Named(WSGIMiddleware(app), name_of(options.app))
    return app


class _Named:
    """An application with the name of another one."""

    def __init__(self, app: Any, name: str) -> None:
        self._app = app
        self.__qualname__ = name
        self.__module__ = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


if __name__ == "__main__":
    main(sys.argv[1:])
