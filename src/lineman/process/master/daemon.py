"""Leaves the terminal, and tells the waiting command the outcome of the start."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from lineman.errors import ConfigError
from lineman.process.rundir.paths import Opener
from lineman.process.rundir.rundir import run_directory

Tell = Callable[[bool, str], None]


def detach() -> Tell | tuple[bool, str]:
    """Forks a daemon, in its own session; the calling process waits for its start.

    Returns:
        In the daemon, a function to call with the outcome and a text; only its first call counts.
        In the calling process, that outcome and text.
    """
    reader, writer = os.pipe()
    first = os.fork()
    if first:
        os.close(writer)
        os.waitpid(first, 0)
        with open(reader, "rb") as told:
            outcome = told.read()
        if not outcome:
            return False, "the service ended before it was ready"
        ok, text = json.loads(outcome)
        return bool(ok), str(text)
    os.close(reader)
    os.setsid()
    if os.fork():
        os._exit(0)  # so that the daemon can never get a terminal again

    waiting = [writer]

    def tell(ok: bool, text: str) -> None:
        if not waiting:
            return
        with (
            open(waiting.pop(), "wb", buffering=0) as end,
            contextlib.suppress(BrokenPipeError),  # the waiting command was interrupted
        ):
            end.write(json.dumps([ok, text]).encode())

    return tell


def redirect(log: Path, opener: Opener) -> None:
    """Redirects the output of this process and its children to a file, and gives them no input.

    Args:
        log: the file.
        opener: opens it.

    Raises:
        OSError: the file cannot be opened.
    """
    for descriptor in (1, 2):
        _put_onto(descriptor, opener(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640))
    _put_onto(0, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))


def _put_onto(descriptor: int, opened: int) -> None:
    os.dup2(opened, descriptor)
    os.close(opened)


def default_log(name: str) -> Path:
    """The log file of a daemon that names none, in a directory that exists and is writable.

    Args:
        name: the program's name, as `rundir.name_of` returns it.

    Raises:
        ConfigError: no suitable directory is writable.
    """
    faults = []
    for directory in _log_directories():
        try:
            is_private = directory == run_directory() and os.geteuid() != 0
            directory.mkdir(mode=0o700 if is_private else 0o755, parents=True, exist_ok=True)
            found = directory.lstat()
        except OSError as error:
            faults.append(f"{directory}: {(error.strerror or str(error)).lower()}")
            continue
        if directory.parent == Path("/tmp") and (
            found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o022
        ):
            faults.append(f"{directory}: it is not this user's alone")
        elif not os.access(directory, os.W_OK | os.X_OK):
            faults.append(f"{directory}: permission denied")
        else:
            return directory / f"{name}.log"
    raise ConfigError(
        f"there is no place for the log ({'; '.join(faults)})", "name a file: log_file= or --log"
    )


def _log_directories() -> Iterator[Path]:
    """The directories for a log, the best first; the last one is that of pid files."""
    if given := os.environ.get("LOGS_DIRECTORY", "").split(":")[0]:  # systemd has made one
        yield Path(given)
    elif os.geteuid() == 0:
        yield Path("/var/log/lineman")
    elif state := os.environ.get("XDG_STATE_HOME"):
        yield Path(state) / "lineman"
    else:
        with contextlib.suppress(RuntimeError):  # the user has no home
            yield Path.home() / ".local" / "state" / "lineman"
    yield run_directory()
