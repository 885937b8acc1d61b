"""What a child process is told by its master, through its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

VARIABLE = "LINEMAN_ROLE"


@dataclass(frozen=True, slots=True)
class Role:
    """Which part of the program this process is.

    Attributes:
        worker: index of the worker, in the order in which the program makes them.
        slot: index of this process among those of the worker.
        listener: descriptor of the slot's listening socket.
        ready: descriptor to write one byte to once the child serves.
        master: descriptor that reads as ended when the master is gone.
        tickets: descriptor of the memory with the secret of TLS session tickets.
    """

    worker: int
    slot: int
    listener: int
    ready: int
    master: int
    tickets: int

    def encode(self) -> str:
        """The value of the environment's variable."""
        numbers = (self.worker, self.slot, self.listener, self.ready, self.master, self.tickets)
        return ":".join(str(number) for number in numbers)


def take_role() -> Role | None:
    """This process' role; None where it was started by hand.

    The variable is removed: programs that the service starts are no children of the master.
    """
    value = os.environ.pop(VARIABLE, None)
    if value is None:
        return None
    role = Role(*(int(number) for number in value.split(":")))
    for descriptor in (role.listener, role.ready, role.master, role.tickets):
        os.set_inheritable(descriptor, False)
    return role
