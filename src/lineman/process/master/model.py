"""The data of the plan: seats, processes, events and actions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeAlias

from lineman.process.messages.process_rules import Rules

# The worker's address as it is written, its number among equal addresses, and the slot.
Key: TypeAlias = tuple[str, int, int]


class Stage(Enum):
    """The stage of a process' life."""

    STARTING = "starting"
    READY = "ready"
    RETIRING = "retiring"  # accepts no more, closes its clients
    STOPPING = "stopping"


class Phase(Enum):
    """The phase of the whole program's life."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(slots=True)
class Process:
    """A child process.

    Attributes:
        number: its number in the plan; a pid is known later, and may be used again.
        is_deaf: whether it has reported that it accepts no more.
        why: the failure that it reported, or why it was killed.
        doing: its activity before it is ready, as text.
        deadline: when it is killed if it has not ended; None for never.
    """

    number: int
    started_at: float
    heard_at: float
    stage: Stage = Stage.STARTING
    deadline: float | None = None
    is_deaf: bool = False
    pid: int = 0
    why: str = ""
    doing: str = ""


@dataclass(slots=True)
class Renewal:
    """A new process that will replace the present one.

    Attributes:
        due: when to start it.
        number: the number of the process; None before it starts.
    """

    why: str
    due: float
    is_reload: bool = False
    number: int | None = None


@dataclass(frozen=True, slots=True)
class EndedProcess:
    """A process that is gone.

    Attributes:
        status: its exit status; a negative number is that of the signal that ended it.
    """

    pid: int
    status: int


@dataclass(slots=True)
class Seat:
    """A place for one process.

    Attributes:
        start_at: when to start a process; None while one is there.
        failures: quick failures in a row.
        early: processes in a row that had grown too large soon after their start.
        restarts: processes that ended without an order and were replaced.
        last_cause: why the last of these ended.
        takes_clients: whether clients connect to its processes.
        is_new: whether the present reload has added it.
        is_essential: whether the service ends if no process serves this worker any more.
        ended: its last processes that are gone, until a process that serves learns of them.
    """

    key: Key
    title: str
    rules: Rules = field(default_factory=Rules)
    is_reloadable: bool = True
    is_essential: bool = True
    takes_clients: bool = True
    processes: list[Process] = field(default_factory=list)
    start_at: float | None = 0.0
    renewal: Renewal | None = None
    failures: int = 0
    early: int = 0
    restarts: int = 0
    last_cause: str = ""
    ended: tuple[EndedProcess, ...] = ()
    is_new: bool = False
    is_removed: bool = False

    @property
    def worker(self) -> tuple[str, int]:
        """The worker that it belongs to."""
        return self.key[:2]

    def current(self) -> Process | None:
        """The newest process that serves; None if there is none."""
        ready = [process for process in self.processes if process.stage is Stage.READY]
        return ready[-1] if ready else None

    def patience(self, process: Process) -> float | None:
        """The time to kill one of its processes if no sign of life comes; None for never."""
        rules = self.rules
        if process.stage is Stage.STARTING:  # it may still load the program, without an event loop
            moments = [process.started_at + rules.start_timeout, process.deadline]
        elif rules.watchdog_timeout:
            moments = [process.heard_at + rules.watchdog_timeout, process.deadline]
        else:
            moments = [process.deadline]
        return min((moment for moment in moments if moment is not None), default=None)

    def copy(self) -> Seat:
        """One that can be changed without changing this."""
        return replace(
            self,
            processes=[replace(process) for process in self.processes],
            renewal=None if self.renewal is None else replace(self.renewal),
        )


@dataclass(slots=True)
class Reloading:
    """The present reload.

    Attributes:
        pending: seats whose new process has not been started.
        removed: seats that the new program does not have.
        done: the number of new processes that are ready.
        failure: the reason why it cannot be finished.
    """

    pending: list[Key]
    removed: tuple[Key, ...] = ()
    done: int = 0
    failure: str | None = None


@dataclass(slots=True)
class ProgramState:
    """The whole program, as the master sees it.

    Attributes:
        is_draining: whether it stops gracefully.
        is_forced: whether it was told to end at once.
        status: the exit status.
    """

    seats: list[Seat]
    phase: Phase = Phase.STARTING
    reloading: Reloading | None = None
    is_draining: bool = False
    is_forced: bool = False
    status: int = 0
    last_number: int = 0

    def copy(self) -> ProgramState:
        """One that can be changed without changing this."""
        again = self.reloading
        if again is not None:
            again = replace(again, pending=list(again.pending))
        return replace(self, seats=[seat.copy() for seat in self.seats], reloading=again)

    def next_deadline(self) -> float | None:
        """The time of the next decision even if no event comes; None for never."""
        moments = [seat.start_at for seat in self.seats]
        for seat in self.seats:
            if seat.renewal is not None and seat.renewal.number is None:
                moments.append(seat.renewal.due)
            moments += [seat.patience(process) for process in seat.processes]
        return min((moment for moment in moments if moment is not None), default=None)

    def oldest_ready(self) -> int:
        """The number of the process that has served for longest; 0 if none serves."""
        processes = [process for seat in self.seats for process in seat.processes]
        ready = [process.number for process in processes if process.stage is Stage.READY]
        return min(ready, default=0)

    def note_pid(self, number: int, pid: int) -> None:
        """Sets the pid of a process."""
        for seat in self.seats:
            for process in seat.processes:
                if process.number == number:
                    process.pid = pid

    def seat(self, key: Key) -> Seat:
        """The seat with this key."""
        return next(seat for seat in self.seats if seat.key == key and not seat.is_removed)


# Events.


@dataclass(frozen=True, slots=True)
class Beat:
    """A child is alive."""

    number: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A child accepts connections."""

    number: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A child reports why it cannot start; then it ends."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Doing:
    """A child that is not ready yet reports its activity; empty when that is done."""

    number: int
    what: str


@dataclass(frozen=True, slots=True)
class Renew:
    """A child asks to be replaced."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Grown(Renew):
    """A child asks to be replaced because of its memory; the next one may soon do so too."""


@dataclass(frozen=True, slots=True)
class StoppedAccepting:
    """A retiring child accepts no more: new clients reach its successor."""

    number: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A child is gone.

    Attributes:
        cause: why, as text.
        status: as `EndedProcess.status`; None for a child that could not be started.
    """

    number: int
    cause: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Woke:
    """The master itself was stopped for a while: silence says nothing about the children."""


@dataclass(frozen=True, slots=True)
class Reload:
    """The program must run its new code, which has these seats."""

    seats: tuple[Seat, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """An order to end the program.

    Attributes:
        is_graceful: whether clients are closed over the drain time, as in a reload.
        is_forced: whether all processes are killed at once.
        is_repeatable: whether a second order changes nothing; if not, it kills.
    """

    is_graceful: bool = False
    is_forced: bool = False
    is_repeatable: bool = False


Event: TypeAlias = (
    Beat | Ready | Failed | Doing | Renew | StoppedAccepting | Ended | Woke | Reload | Stop
)


# Actions.


@dataclass(frozen=True, slots=True)
class Start:
    """Start a process in this seat."""

    number: int
    key: Key


@dataclass(frozen=True, slots=True)
class Drain:
    """Make a process stop accepting, close its clients with this close code, and end.

    Attributes:
        is_reload: whether that is because of a reload, of which the program is told.
    """

    number: int
    code: int
    seconds: float
    timeout: float
    is_reload: bool = False


@dataclass(frozen=True, slots=True)
class StopNow:
    """Make a process close all clients at once, and end."""

    number: int
    timeout: float


@dataclass(frozen=True, slots=True)
class TellReloaded:
    """Tell a process that a reload has not replaced it, because it is not reloadable."""

    number: int


@dataclass(frozen=True, slots=True)
class TellEnded:
    """Tell a process which processes of its seat have ended."""

    number: int
    ended: tuple[EndedProcess, ...]


@dataclass(frozen=True, slots=True)
class Kill:
    """End a process with SIGKILL."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Close the socket of this seat, which the program no longer has."""

    key: Key


@dataclass(frozen=True, slots=True)
class Say:
    """Write a line to the log, at a level of `logging`."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """Send the outcome to a caller that waits for a `start` or a `reload`."""

    what: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Exit:
    """End the master: all processes are gone."""

    status: int


# What is carried out by an order to one child.
Order: TypeAlias = Drain | StopNow | TellReloaded | TellEnded
Action: TypeAlias = Start | Order | Kill | Remove | Say | CommandOutcome | Exit
