"""The times of a worker's processes. They have their own module because a `Worker` needs no more of
the plan."""

from __future__ import annotations

from dataclasses import dataclass

from lineman.base.option_kinds import (
    MAX_SECONDS,
    SECONDS,
    SECONDS_OR_NONE,
    Number,
    frozen,
    option,
)
from lineman.errors import ConfigError

# A process sends a sign of life once a second: a shorter time would kill normal processes.
LEAST_WATCHDOG = 2.0
# The limit for a whole program.
MAX_PROCESSES = 4096
# The addresses of one worker: each needs a socket in each process, and in the master.
MAX_ADDRESSES = 64


@dataclass(frozen=True)
class _Watchdog(Number):
    """Seconds, with a minimum that a normal process needs."""

    def check(self, name: str, value: object) -> None:
        super().check(name, value)
        if 0 < float(str(value)) < LEAST_WATCHDOG:
            raise ConfigError(
                f"{name} is {value!r}, and a process reports only once a second",
                f"give {LEAST_WATCHDOG:g} seconds or more, or 0 for never",
            )


_WATCHDOG = _Watchdog("seconds", is_whole=False, zero="never", most=MAX_SECONDS)


@dataclass(kw_only=True, eq=False, repr=False, init=False)
class RuleFields:
    """The times of a worker's processes, in seconds."""

    drain_seconds: float = option(10.0, SECONDS_OR_NONE)
    """Seconds over which the clients of a retiring process are closed."""
    stop_timeout: float = option(5.0, SECONDS)
    """Seconds for clients and running handlers at the end."""
    start_timeout: float = option(60.0, SECONDS)
    """Seconds after which a new process that is not ready is killed."""
    watchdog_timeout: float = option(60.0, _WATCHDOG)
    """Seconds without a sign of life after which a process is killed; 0 for never."""


@frozen
@dataclass(kw_only=True, unsafe_hash=True)
class Rules(RuleFields):
    """The times of one worker's processes."""
