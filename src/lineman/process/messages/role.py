"""The role of a process, which its master passes through the environment."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from lineman.errors import ConfigError
from lineman.process.messages.lines import encode as encode_line

# Signals that are blocked in a new child until it has set its handlers.
BLOCKED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
)

VARIABLE = "LINEMAN_ROLE"
# The variable in which a program describes itself to the `lineman` that takes its place
# (`master/handoff.py`).
PROGRAM_VARIABLE = "LINEMAN_PROGRAM"


@dataclass(frozen=True, slots=True)
class Role:
    """The part of the program that this process runs.

    Attributes:
        link: descriptor of the socket to the master.
        address: the first address of its worker, as the program writes it.
        twin: the number of the worker among those with the same address.
        slot: index of this process among those of the worker; -1 for a process that only describes
            the program.
        listeners: descriptors of the slot's listening sockets, by the addresses as the program
            writes them.
        is_checked: whether the certificate's files were already checked closely.
        files: descriptors of files that only root may read, by their path.
        settings: the settings of the whole program, as `Description.settings`.
        tickets: descriptor of the memory with the secret of TLS session tickets.
        links: the directory for sockets between the program's processes; empty if there are none.
        sheet: descriptor of the seat's time sheet, see `scheduling/seat_duty.py`; -1 for none.
        store: descriptors of the two ends of the seat's store; empty for a seat without one.
        moment: for a process that describes the program: `reload` or `stop` if it then calls
            `on_master_reload` or `on_master_stop`; empty if neither.
    """

    link: int
    address: str = ""
    twin: int = 0
    slot: int = -1
    listeners: dict[str, int] = field(default_factory=dict)
    is_checked: bool = True
    files: dict[str, int] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    title: str = ""
    tickets: int = -1
    links: str = ""
    store: tuple[int, ...] = ()
    moment: str = ""
    sheet: int = -1

    @property
    def describes(self) -> bool:
        """Whether the process describes the program and ends."""
        return self.slot < 0

    def descriptors(self) -> tuple[int, ...]:
        """All descriptors that the process inherits."""
        own = [self.link, self.tickets, self.sheet, *self.listeners.values()]
        return (*(each for each in own if each >= 0), *self.files.values(), *self.store)

    def tell(self, make: Callable[[], dict[str, Any]]) -> None:
        """Sends the description of the program, or the error that prevents it."""
        try:
            told = make()
        except ConfigError as error:
            told = {"error": error.seen, "fix": error.fix}
        with open(self.link, "wb") as link:
            link.write(encode_line(told))

    def encode(self) -> str:
        """The value of the environment's variable."""
        return json.dumps(asdict(self))


def take_role() -> Role | None:
    """This process' role; None if it was started by hand.

    The variable is removed: programs that the service starts are no children of the master.
    """
    value = os.environ.pop(VARIABLE, None)
    if value is None:
        return None
    given = json.loads(value)
    role = Role(**{**given, "store": tuple(given["store"])})
    for stream in (sys.stdout, sys.stderr):  # pipes to the master: a line is shown when it is whole
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    for descriptor in role.descriptors():
        os.set_inheritable(descriptor, False)
    return role
