"""What signals to the master mean: Lineman's table, and Workerman's for those who are used to it.

SIGCHLD and SIGCONT are no orders, and mean the same in both.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from enum import Enum, auto

from lineman.process.master.model import Stop


class Meaning(Enum):
    """What a signal asks for."""

    STOP = auto()
    STOP_GRACEFULLY = auto()
    END_AT_ONCE = auto()
    RELOAD = auto()
    RELOAD_OR_GONE = auto()  # the terminal may have been closed
    STOP_OR_SURVIVE = auto()  # `nohup` may have started it
    REOPEN_LOGS = auto()
    NOTHING = auto()


# Workerman writes what its commands show when it gets these; ours ask by a socket. SIGTSTP, by
# which Workerman stops, suspends a service in both tables: Ctrl-Z does that to every program.
ASKING = (signal.SIGABRT, signal.SIGIO)

TABLES: Mapping[str, Mapping[int, Meaning]] = {
    "lineman": {
        signal.SIGTERM: Meaning.STOP,
        signal.SIGINT: Meaning.STOP,
        signal.SIGQUIT: Meaning.END_AT_ONCE,
        signal.SIGHUP: Meaning.RELOAD_OR_GONE,
        signal.SIGUSR1: Meaning.REOPEN_LOGS,
        signal.SIGUSR2: Meaning.NOTHING,
    },
    "workerman": {
        signal.SIGTERM: Meaning.STOP,
        signal.SIGINT: Meaning.STOP,
        signal.SIGQUIT: Meaning.STOP_GRACEFULLY,
        signal.SIGHUP: Meaning.STOP_OR_SURVIVE,
        signal.SIGUSR1: Meaning.RELOAD,
        signal.SIGUSR2: Meaning.RELOAD,
        **dict.fromkeys(ASKING, Meaning.NOTHING),
    },
}

# The orders to stop that need no further look at the terminal.
STOPS: Mapping[Meaning | None, Stop] = {
    Meaning.STOP_GRACEFULLY: Stop(is_graceful=True, is_repeatable=True),
    Meaning.END_AT_ONCE: Stop(is_forced=True),
}

# For the log: the names of signals that do nothing, and what to use in their place.
REMEDIES: Mapping[int, tuple[str, str]] = {
    signal.SIGUSR2: ("SIGUSR2", "SIGHUP reloads"),
    signal.SIGABRT: ("SIGIOT", "`lineman status` shows the processes"),
    signal.SIGIO: ("SIGIO", "`lineman connections` shows the clients"),
}
