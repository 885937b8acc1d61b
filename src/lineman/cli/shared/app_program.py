"""The program of `lineman serve`: a worker that serves one application.

`python -P -m lineman.cli.shared.app_program WORDS`, with the words of `lineman serve`. The
master starts it, with the rights of the program's user; it does not import the application itself.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lineman.asgi.applications import load, name_of
from lineman.cli.shared import serve_options
from lineman.errors import ConfigError
from lineman.gateway.gateway import Gateway
from lineman.worker import Worker


def main(words: Sequence[str]) -> None:
    """Runs the program; does not return."""
    options = read(words)
    try:
        worker_of(options)
    except ConfigError as error:
        print(f"lineman: {error}", file=sys.stderr)
        sys.exit(1)
    Worker.run_all([])


def read(words: Sequence[str]) -> argparse.Namespace:
    """The options that the words of `lineman serve` give."""
    parser = argparse.ArgumentParser("lineman serve")
    serve_options.add_to(parser)
    return parser.parse_args(words)


def worker_of(options: argparse.Namespace) -> Worker | Gateway:
    """The worker that the options describe; with `--keep-clients` the gateway.

    Raises:
        ConfigError: the application is not found, or an option cannot work.
    """
    if options.env_file:
        try:
            text = Path(options.env_file).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--env-file: {error}", "name a file that can be read") from None
        for name, value in serve_options.read_variables(text).items():
            os.environ.setdefault(name, value)
    sys.path.insert(0, os.path.abspath(options.app_dir))
    given = serve_options.worker_options(options)
    if options.metrics:
        Worker.metrics = options.metrics
    if options.log_level:
        level = options.log_level.upper()
        Worker.log_level = "DEBUG" if level == "TRACE" else level
    if options.keep_clients:
        of_gateway = serve_options.gateway_options(options)
        # By its name: the processes that keep clients do not import it.
        is_plain = not options.factory and options.interface != "wsgi"
        app = options.app if is_plain else _found(options)
        return Gateway(app=app, name=options.app, **of_gateway)
    return Worker(app=_found(options), name=options.app, **given)


def _found(options: argparse.Namespace) -> Any:
    app = load(options.app)
    if options.factory:
        app = app()
    if options.interface == "wsgi":
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
