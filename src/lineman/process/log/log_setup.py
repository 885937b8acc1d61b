"""Sets up the standard `logging` of a service: level, form and file."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from lineman.base import stdio
from lineman.errors import ConfigError
from lineman.process.log.log_file import LineHandler
from lineman.process.log.log_format import JsonFormatter, TextFormatter
from lineman.process.log.log_rotation import LogRotation
from lineman.process.log.outlet import Outlet, PrivatePipe, Writer
from lineman.process.rundir.paths import Opener, OpenFolder

FORMATS = ("text", "json")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# A child's setting: whether it was already reported that the log file cannot be written.
IS_TOLD = "is_log_told"

# The limits of log_max_size: below, files would be renamed all the time.
MIN_SIZE = 4096
MAX_SIZE = 2**50
MAX_KEEP = 1000

_outlets: dict[int, Outlet] = {}
_rotation: LogRotation | None = None


@dataclass(frozen=True, slots=True)
class LogOptions:
    """How a program logs.

    Attributes:
        log_file: absolute path; None for standard error.
        log_format: `text` or `json`.
        log_level: one of `LEVELS`.
        log_max_size: bytes from which the file is renamed; None for no limit.
        log_keep: how many renamed files stay.
    """

    log_file: str | None = None
    log_format: str = "text"
    log_level: str = "INFO"
    log_max_size: int | None = None
    log_keep: int = 1

    @classmethod
    def read(
        cls,
        file: object,
        form: object,
        level: object,
        max_size: object = None,
        keep: object = 1,
    ) -> Self:
        """The options, checked.

        Raises:
            ConfigError: a value that cannot work, and the fix.
        """
        if file is not None and not isinstance(file, (str, Path)):
            raise ConfigError(f"log_file is {file!r}", 'give a path: "/var/log/chat.log"')
        if form not in FORMATS:
            raise ConfigError(f"log_format is {form!r}", 'give "text" or "json"')
        name = logging.getLevelName(level) if isinstance(level, int) else str(level).upper()
        if name not in LEVELS:
            raise ConfigError(f"log_level is {level!r}", f"give one of {', '.join(LEVELS)}")
        if max_size is not None and not _is_count(max_size, MIN_SIZE, MAX_SIZE):
            raise ConfigError(
                f"log_max_size is {max_size!r}",
                f"give a number of bytes from {MIN_SIZE}, such as 10 * 1024 * 1024, or None",
            )
        if not _is_count(keep, 0, MAX_KEEP):
            raise ConfigError(
                f"log_keep is {keep!r}", f"give how many old files stay, from 0 to {MAX_KEEP}"
            )
        path = None if file is None else os.path.abspath(file)
        return cls(path, str(form), name, max_size, keep)  # type: ignore[arg-type]  # just checked

    def to_json(self) -> dict[str, Any]:
        """The options in the form in which every process gets them."""
        return asdict(self)

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> Self:
        """The options among the settings of a program."""
        known = {name: settings[name] for name in cls.__slots__ if name in settings}
        return cls(**known)


def _is_count(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def set_up(
    options: LogOptions | None = None,
    worker: str = "",
    slot: int | None = None,
    owner: tuple[int, int] | None = None,
    opener: Opener | None = None,
    *,
    open_folder: OpenFolder | None = None,
    is_told: bool = False,
) -> None:
    """Sends the log of this process to the place that the options name.

    If a program has set up logging itself and gives no option, nothing is changed.

    Args:
        options: where and how to log; None for the defaults.
        worker: the name of this process' worker; for JSON.
        slot: the number of this process in the worker; None for the master.
        owner: user and group of the other processes, if only this process is root.
        opener: opens the log file; None for this process' own rights.
        open_folder: opens its directory, for a master that limits its size; None likewise.
        is_told: whether the master has already reported that its file cannot be written.
    """
    options = options or LogOptions()
    root = logging.getLogger()
    others = [*root.handlers, *logging.getLogger("lineman").handlers]
    has_own = any(not isinstance(handler, LineHandler) for handler in others)
    if has_own and options == LogOptions():
        return
    path = None if options.log_file is None else Path(options.log_file)
    for handler in _handlers():
        is_told = is_told or (handler.is_in_trouble and handler.path == path)
        root.removeHandler(handler)  # set up again after a reload
        handler.close()
    errors: Writer = outlet(stdio.STDERR) if slot is None else PrivatePipe(stdio.STDERR)
    handler = LineHandler(path, owner, opener, errors, is_told=is_told)
    is_json = options.log_format == "json"
    handler.setFormatter(JsonFormatter(worker, slot) if is_json else TextFormatter())
    handler.reopen()  # so that a problem is reported now, and a daemon's output goes to the file
    root.addHandler(handler)
    root.setLevel(options.log_level)
    global _rotation
    _rotation = None
    if slot is None and path is not None and options.log_max_size is not None:
        _rotation = LogRotation(path, options.log_max_size, options.log_keep, open_folder)


def _handlers() -> list[LineHandler]:
    return [each for each in logging.getLogger().handlers if isinstance(each, LineHandler)]


def set_up_for_child(settings: Mapping[str, Any], worker: str, slot: int) -> None:
    """Sets up the log of a master's child by the settings that it was given."""
    is_told = bool(settings.get(IS_TOLD))
    set_up(LogOptions.from_json(settings), worker, slot, is_told=is_told)


def for_children() -> dict[str, Any]:
    """The state of a master's own log, for the settings of its children."""
    return {IS_TOLD: any(handler.is_in_trouble for handler in _handlers())}


def outlet(number: int) -> Outlet:
    """The outlet by which to write to standard output or error without waiting."""
    if number not in _outlets:
        _outlets[number] = Outlet(stdio.error_descriptor if number == stdio.STDERR else number)
    return _outlets[number]


def flush() -> None:
    """Waits a short time until the lines are written; there may be no reader."""
    for each in _outlets.values():
        each.flush()


def limit_size() -> None:
    """Gives a file that has grown too large another name, as far as the options ask for it."""
    if _rotation is not None and _rotation.look():
        reopen()


def look() -> None:
    """Redirects the output of a daemon to the new log file, if that was renamed."""
    for handler in _handlers():
        handler.look()


def reopen() -> None:
    """Opens the log file again after it was renamed; without a file this does nothing."""
    for handler in _handlers():
        handler.reopen()
