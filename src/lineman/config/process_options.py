"""What a `Worker` may say about its processes, and the checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from lineman.errors import ConfigError
from lineman.process.messages.process_rules import LEAST_WATCHDOG, MAX_PROCESSES, MAX_SECONDS, Rules

if TYPE_CHECKING:
    from lineman.worker import Worker


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """How a worker's processes are run.

    Attributes:
        count: processes, 4096 at most, those of all workers together.
        user: whom they run as, from their first instruction on; empty for whoever starts the
            program. Only root may change it.
        group: likewise; empty for the user's own.
        reloadable: whether a reload replaces them.
        rules: `drain_seconds` over which a retiring process lets its clients go, `stop_timeout`
            that clients and handlers have at the end, `start_timeout` that a new process has to
            become ready, `watchdog_timeout` after which one that hangs is killed (0: never).
        max_requests: messages and plain requests after which a process is replaced, give or take
            a tenth; 0 for never.
        max_memory: bytes of resident memory after which a process is replaced; 0 for never.
    """

    count: int
    user: str
    group: str
    reloadable: bool
    rules: Rules
    max_requests: int
    max_memory: int


def read(worker: Worker) -> ProcessOptions:
    """A worker's options about processes, checked.

    Raises:
        ConfigError: a value that cannot work, and the fix.
    """
    check_processes("count", worker.count)
    for name in ("user", "group"):
        if not isinstance(getattr(worker, name), str):
            raise ConfigError(f"{name} is {getattr(worker, name)!r}", 'give a name: "www-data"')
    if not isinstance(worker.reloadable, bool):
        raise ConfigError(f"reloadable is {worker.reloadable!r}", "give True or False")
    for name in ("max_requests", "max_memory"):
        value = getattr(worker, name)
        if not _is_whole(value) or value < 0:
            raise ConfigError(f"{name} is {value!r}", "give a whole number, 0 for no limit")
    return ProcessOptions(
        worker.count,
        worker.user,
        worker.group,
        worker.reloadable,
        Rules(
            drain_seconds=_seconds("drain_seconds", worker.drain_seconds, may_be_zero=True),
            stop_timeout=_seconds("stop_timeout", worker.stop_timeout),
            start_timeout=_seconds("start_timeout", worker.start_timeout),
            watchdog_timeout=_watchdog(worker.watchdog_timeout),
        ),
        worker.max_requests,
        worker.max_memory,
    )


def check_processes(name: str, value: object) -> None:
    """Refuses what is no number of processes.

    Args:
        name: of the option: `count`; `gateways` or `workers` of a `Gateway`.
        value: of it.

    Raises:
        ConfigError: as said.
    """
    if not _is_whole(value) or not 1 <= value <= MAX_PROCESSES:
        raise ConfigError(
            f"{name} is {value!r}",
            f"give the number of processes, 1 or more and {MAX_PROCESSES} at most, as {name}=2; "
            "one for each core is a good start",
        )


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _watchdog(value: object) -> float:
    seconds = _seconds("watchdog_timeout", value, may_be_zero=True)
    if 0 < seconds < LEAST_WATCHDOG:
        raise ConfigError(
            f"watchdog_timeout is {value!r}, and a process gives a sign of life once a second",
            f"give {LEAST_WATCHDOG:g} seconds or more, or 0 for never",
        )
    return seconds


def _seconds(name: str, value: object, may_be_zero: bool = False) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and (0 < value <= MAX_SECONDS or (may_be_zero and value == 0)):  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    rule = "0 or more" if may_be_zero else "more than 0"
    raise ConfigError(
        f"{name} is {value!r}", f"give a number of seconds, {rule}, {MAX_SECONDS} at most"
    )
