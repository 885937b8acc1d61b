"""The program as the master has admitted it: its workers' places, its settings, and its sockets."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict
from socket import socket
from typing import Any

from lineman.process.log import log_setup
from lineman.process.master.children import Child, spawn
from lineman.process.master.description import Description, Place
from lineman.process.master.keyfiles import KeyFiles
from lineman.process.master.master_setting import Setting
from lineman.process.master.model import Key, Seat
from lineman.process.messages.role import BLOCKED, Role
from lineman.process.rundir.links_directory import Links

# Opens the standard output and error of a child.
Outputs = AbstractContextManager[tuple[int, int]]


class AdmittedProgram:
    """What the children are started with.

    Args:
        setting: of the master.

    Attributes:
        description: the newest one that was admitted.
        settings: those in force, as every child gets them.
        keyfiles: certificates and keys that only this process can read.
        links: where children of the program find each other.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._places: dict[tuple[str, int], Place] = {}
        self.description = Description(())
        self.settings: dict[str, Any] = {}
        self.keyfiles = KeyFiles()
        self.links = Links(setting.pid_file.path)

    def admit(self, description: Description) -> tuple[Seat, ...]:
        """The seats of a program, as far as its user may have what it asks for.

        Raises:
            ConfigError: it may not, or a socket cannot be opened; then no socket has changed.
        """
        places, rights, sockets = description.places, self._setting.rights, self._setting.sockets
        rights.admit(description)
        users = [(place, rights.owner_of(place)) for place in places]
        self.keyfiles.pin(users)
        for place, owner in users:
            self.keyfiles.for_child(place, owner)
        found = self._setting.configure(description.settings, rights.first_of(places))
        watches = self._setting.watches
        if inner := [place for place in places if not place.listens]:
            self.links.make(rights.owner_of(inner[0]))
        sockets.open(places)
        # Not before all that can fail: then the children of before, started again, get theirs.
        self.settings = asdict(found) | log_setup.for_children() | {"watch": watches}
        self.description = description
        self._places.update({(place.address, place.twin): place for place in places})
        return description.seats(at_once=watches)

    def start(self, key: Key, outputs: Outputs) -> tuple[Place, subprocess.Popen[bytes], socket]:
        """Starts a process for a seat.

        Returns:
            The place that it has, the process, and this end of the link to it.

        Raises:
            ConfigError: its user may not run it, or a socket of it cannot be opened again.
            OSError: there are not enough resources.
        """
        setting, place = self._setting, self._places[key[:2]]
        owner = setting.rights.owner_of(place)
        files = self.keyfiles.for_child(place, owner)
        setting.sockets.complete(key, place)
        listeners, store = setting.sockets.for_child(key, place)

        def role(link: int) -> Role:
            return Role(
                link, place.address, place.twin, key[2], listeners, place.is_checked, files,
                self.settings, place.title, setting.tickets, self.links.path, store,
                sheet=setting.sockets.time_sheet(key, place),
            )  # fmt: skip

        with outputs as opened:
            popen, end = spawn(setting.program.in_place(place.module), role, owner, BLOCKED, opened)
        return place, popen, end

    def reloaded(self) -> None:
        """Closes the sockets that no process needs after a reload."""
        self._setting.sockets.narrow(self.description.places)

    def reload_failed(self, children: Iterable[Child]) -> None:
        """Closes the sockets that no process was started with.

        Otherwise clients would wait for ever at an address that the failed reload has added, and
        the next reload could not give it to another worker.
        """
        used: dict[Key, set[Any]] = {}
        for child in children:
            used.setdefault(child.key, set()).update(each.where for each in child.place.addresses)
        self._setting.sockets.keep(used)

    def may_stop(self, place: Place) -> bool:
        """Whether a process of this place may stop the service."""
        return self._setting.rights.may_stop(place, self.description.places)

    def close(self) -> None:
        """Frees everything."""
        self._setting.sockets.close_all()
        self.links.remove()
