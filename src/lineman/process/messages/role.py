"""The role of a process, which its master passes through the environment."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NoReturn

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
# The oldest and the newest version of what a master and its processes say to each other that this
# Lineman understands. A reload starts new code under the master of before. New fields, events and
# orders need no new version: an end that does not know them leaves them out.
own = (1, 1)
FIRST = (1, 1)  # of a master that does not say which


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
        versions: the oldest and the newest version that the master understands.
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
    versions: tuple[int, int] = FIRST

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
        return json.dumps({**asdict(self), "versions": own})

    @property
    def refusal(self) -> ConfigError | None:
        """Why the master and this process do not understand each other; None if they do."""
        if max(self.versions[0], own[0]) <= min(self.versions[1], own[1]):
            return None
        return ConfigError(
            f"the master of this program is of another version of Lineman than the code on the "
            f"disk: it understands versions {self.versions} of what masters and processes say to "
            f"each other, and this process {own}",
            "lineman restart, which ends the master as well; or install again the Lineman that it "
            "was started with",
        )

    def refuse(self, why: ConfigError) -> NoReturn:
        """Tells the master why this process does not run, and ends it."""
        if self.describes:
            self.tell(lambda: {"error": why.seen, "fix": why.fix})
            sys.exit(0)
        with open(self.link, "wb") as link:
            link.write(encode_line({"event": "failed", "why": str(why)}))
        sys.exit(1)


def take_role() -> Role | None:
    """This process' role; None if it was started by hand.

    The variable is removed: programs that the service starts are no children of the master. If the
    master is of a version that this process does not understand, it is told, and the process ends.
    """
    value = os.environ.pop(VARIABLE, None)
    if value is None:
        return None
    role = _read(json.loads(value))
    for stream in (sys.stdout, sys.stderr):  # pipes to the master: a line is shown when it is whole
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    for descriptor in role.descriptors():
        os.set_inheritable(descriptor, False)
    if why := role.refusal:
        role.refuse(why)
    return role


def _read(given: dict[str, Any]) -> Role:
    """A role of a master that may be of another version: fields that are not known are left out."""
    known = {each.name: given[each.name] for each in fields(Role) if each.name in given}
    for name in ("store", "versions"):
        if name in known:
            known[name] = tuple(known[name])
    return Role(**known)
