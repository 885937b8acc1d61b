"""What a master is started with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lineman.process.owner import Owner
from lineman.process.rundir import PidFile
from lineman.process.sockets import Sockets
from lineman.process.staff import Program


@dataclass(slots=True)
class Setting:
    """What a master is started with.

    Attributes:
        pid_file: held by this process.
        owner: whom everything of the program runs as, also where it only describes itself; None
            for whomever the program names.
        tell: told once whether the start went well, and in words.
        configure: takes the settings that the program gives, and whom its processes run as; has
            this process' log follow them, and returns those in force: the command line may have
            given others.
        tickets: descriptor that every child inherits: the secret of TLS session tickets.
        watches: whether a changed file of the program reloads it; clients are let go at once.
        reopen: opens this process' log anew.
    """

    program: Program
    pid_file: PidFile
    sockets: Sockets
    owner: Owner | None
    tell: Callable[[bool, str], None]
    configure: Callable[[Mapping[str, Any], Owner | None], Mapping[str, Any]]
    tickets: int
    watches: bool
    reopen: Callable[[], None]
