"""The times of a worker's processes. A module of its own: a `Worker` needs no more of the plan."""

from __future__ import annotations

from dataclasses import dataclass

# Ten years: every time is within what a clock can be told.
MAX_SECONDS = 315_360_000
# A process gives a sign of life once a second: less would kill those that are well.
LEAST_WATCHDOG = 2.0
# Of a whole program.
MAX_PROCESSES = 4096


@dataclass(frozen=True, slots=True)
class Rules:
    """The times of a worker's processes, in seconds.

    Attributes:
        drain_seconds: over which the clients of a retiring process are let go.
        stop_timeout: for clients and handlers at work, at the end.
        start_timeout: a new process that is not ready by then is killed.
        watchdog_timeout: a process of which nothing is heard for so long is killed; 0 for never.
    """

    drain_seconds: float = 10.0
    stop_timeout: float = 5.0
    start_timeout: float = 60.0
    watchdog_timeout: float = 60.0
