"""The settings with which a master is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lineman.process.master.children import Program
from lineman.process.master.description import ProgramSettings
from lineman.process.master.listening_sockets import Sockets
from lineman.process.master.rights import Rights
from lineman.process.rundir.owner import Owner
from lineman.process.rundir.rundir import PidFile


@dataclass(slots=True)
class Setting:
    """What a master is started with.

    Attributes:
        pid_file: the pid file, which this process holds.
        rights: the user that the program runs as, and what this process does for that user.
        tell: gets whether the start succeeded, with a text; only the first call counts.
        configure: takes the settings of the program, and the user that they come from; applies them
            to this process' log, and returns those in force: the command line may have given
            others. A file that the program names is opened with that user's rights.
        tickets: descriptor that every child inherits: the secret of TLS session tickets.
        watches: whether a changed file of the program reloads it; clients are closed at once.
        reopen: reopens this process' log.
        given: options of the command line, by name, for a restart to take over.
    """

    program: Program
    pid_file: PidFile
    sockets: Sockets
    rights: Rights
    tell: Callable[[bool, str], None]
    configure: Callable[[ProgramSettings, Owner | None], ProgramSettings]
    tickets: int
    watches: bool
    reopen: Callable[[], None]
    given: Mapping[str, str | bool | None]
