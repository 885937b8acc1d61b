"""The workers of a program, read without starting it."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lineman.errors import ConfigError
from lineman.worker import Worker


class _Reached(BaseException):
    """The program has come to the place where it would begin to serve."""


def workers_of(script: Path) -> list[Worker]:
    """Runs a program up to the point where it would serve, and gives its workers.

    What the program does before `Worker.run_all()` happens: its imports, and whatever else stands
    at the top of it. No port is opened and no callback is called.

    Raises:
        ConfigError: it cannot be run, or makes no worker.
    """
    if not script.is_file():
        raise ConfigError(f"there is no program {script}", "give the path of your app.py")
    before = len(Worker.all_workers)
    with _not_serving(), _as_script(script):
        try:
            runpy.run_path(str(script), run_name="__main__")
        except _Reached:
            pass
        except SystemExit as ended:
            raise ConfigError(
                f"{script} ended with status {ended.code!r} before it came to its workers",
                f"see what `python {script}` says",
            ) from None
        except Exception as error:
            raise ConfigError(
                f"{script} cannot be read: {type(error).__name__}: {error}",
                f"run it: python {script}",
            ) from error
    found = Worker.all_workers[before:]
    del Worker.all_workers[before:]
    if not found:
        raise ConfigError(f"{script} makes no Worker", "give the program that makes it")
    return found


@contextmanager
def _not_serving() -> Iterator[None]:
    def reached(*args: Any, **kwargs: Any) -> None:
        raise _Reached

    kept = {name: Worker.__dict__[name] for name in ("run_all", "start")}
    for name in kept:
        setattr(Worker, name, reached)
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(Worker, name, function)


@contextmanager
def _as_script(script: Path) -> Iterator[None]:
    """Arguments and search path as `python script` would have them."""
    arguments, path = sys.argv, sys.path
    sys.argv = [str(script)]
    sys.path = [str(script.absolute().parent), *path]
    try:
        yield
    finally:
        sys.argv, sys.path = arguments, path
