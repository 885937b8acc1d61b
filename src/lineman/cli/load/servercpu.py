"""The CPU time that a server's processes have used, from Linux."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lineman.cli.load.load_counts import ServerCpu
from lineman.errors import ConfigError

_NANO = 1e-9
_UTIME, _STIME = 11, 12  # fields of /proc/PID/stat, counted after the name


@dataclass(frozen=True, slots=True)
class CpuReading:
    """CPU seconds used by some processes up to a moment.

    Attributes:
        exact: of the threads that live, in nanosecond steps; 0 where the kernel cannot tell it.
        user: outside of the kernel, in ticks of 10 ms.
        system: inside, in ticks of 10 ms.
    """

    exact: float
    user: float
    system: float

    def until(self, later: CpuReading) -> ServerCpu:
        """What was used between this reading and a later one."""
        user, system = later.user - self.user, later.system - self.system
        ticks = user + system
        exact = later.exact - self.exact
        return ServerCpu(exact if exact > 0 else ticks, user / ticks if ticks > 0 else None)


def read(pids: Sequence[int], proc: Path = Path("/proc")) -> CpuReading:
    """What these processes, and those that they have started, have used so far.

    Raises:
        ConfigError: one of them does not exist.
    """
    tick = 1 / os.sysconf("SC_CLK_TCK")
    exact = user = system = 0.0
    waiting = list(pids)
    while waiting:
        folder = proc / str(pid := waiting.pop())
        try:
            # The name, in brackets, may itself hold brackets and blanks.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            tasks = list((folder / "task").iterdir())
        except OSError:
            raise ConfigError(
                f"there is no process {pid}", "give the server's process to --pid, or leave it out"
            ) from None
        waiting += [child for task in tasks for child in _children(task) if child not in pids]
        user += int(fields[_UTIME]) * tick
        system += int(fields[_STIME]) * tick
        exact += sum(_exact(task / "schedstat") for task in tasks)
    return CpuReading(exact, user, system)


def _children(task: Path) -> list[int]:
    try:
        return [int(pid) for pid in (task / "children").read_text().split()]
    except OSError:  # the thread has ended, or the kernel does not tell
        return []


def _exact(schedstat: Path) -> float:
    try:
        return int(schedstat.read_text().split()[0]) * _NANO
    except (OSError, IndexError, ValueError):  # the thread has ended, or the kernel does not count
        return 0.0
