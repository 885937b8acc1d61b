"""What a master that is root does for a program, and what the first description fixes.

A description is trusted no more than the user that the program runs as. The first one says which
user the program runs as, unless the command line does, and where it listens. Later ones may ask for
less.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from lineman.errors import ConfigError
from lineman.process.master.description import Description, Place, PlaceAddress
from lineman.process.rundir import owner as owners
from lineman.process.rundir.owner import Owner

logger = logging.getLogger("lineman")

RESTART = "restart to change that"

# One worker: its first address, and its number among equal addresses.
WorkerKey: TypeAlias = tuple[str, int]
# Scheme, host, port and path.
Where: TypeAlias = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True)
class _Pin:
    """The facts about a worker that cannot change while the master runs.

    Attributes:
        owner: the user of the worker's processes.
        where: the addresses of its sockets: scheme, host, port and path of each.
        module: the Python module that is run in place of the program.
    """

    owner: Owner
    where: frozenset[Where]
    module: str


@dataclass(slots=True)
class Rights:
    """The user that a program runs as, and what root does for it.

    Attributes:
        user, group: those of the command line; empty for those of the program. `user` replaces
            user and group of the program, `group` only its group.
    """

    user: str = ""
    group: str = ""
    _pins: dict[WorkerKey, _Pin] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    @property
    def describer(self) -> Owner | None:
        """The user that makes the description; None for this process' own user."""
        if self._pins:
            return next(iter(self._pins.values())).owner
        return owners.find(self.user, self.group)

    def owner_of(self, place: Place) -> Owner | None:
        """The user of a worker's processes; None for this process' own user.

        Raises:
            ConfigError: there is no such user, or this process may not become it.
        """
        user = self.user or place.user
        group = self.group or ("" if self.user else place.group)
        return owners.find(user, group)

    def first_of(self, places: Iterable[Place]) -> Owner | None:
        """The user that a description with these places comes from."""
        return next((each for place in places if (each := self._not_root(place))), None)

    def _not_root(self, place: Place) -> Owner | None:
        found = self.owner_of(place)
        return None if found is None or found.uid == 0 else found

    def admit(self, description: Description) -> None:
        """Accepts a description, or refuses a change that is not allowed.

        Raises:
            ConfigError: only a part of the program would run as root; or a running program would
                run as another user, listen elsewhere with root's rights, or run another module.
        """
        if os.geteuid() != 0:
            for place in description.places:
                self.owner_of(place)
            return
        self._say_what_does_not_count(description.places)
        wanted = {_key(place): self._not_root(place) for place in description.places}
        titles = {_key(place): place.title for place in description.places}
        if self._pins:
            self._refuse_more(description.places, wanted)
            return
        _refuse_mixture(wanted, titles)
        for place in description.places:
            owner = wanted[_key(place)]
            if owner is not None:
                self._pins[_key(place)] = _Pin(owner, _where(place), place.module)

    def _refuse_more(
        self, places: Iterable[Place], wanted: Mapping[WorkerKey, Owner | None]
    ) -> None:
        known = {pin.owner.ids: pin.owner for pin in self._pins.values()}
        for place in places:
            owner, pin = wanted[_key(place)], self._pins.get(_key(place))
            who = "root" if owner is None else owner.name
            if pin is None:
                if owner is None or owner.ids not in known:
                    names = ", ".join(dict.fromkeys(each.name for each in known.values()))
                    raise ConfigError(
                        f"{place.title} is new and would run as {who}; the program runs as {names}",
                        RESTART,
                    )
                continue
            if owner is None or owner.ids != pin.owner.ids:
                raise ConfigError(
                    f"{place.title} would run as {who}, and runs as {pin.owner.name}", RESTART
                )
            if not _where(place) <= pin.where:  # it may listen at fewer addresses
                raise ConfigError(f"{place.title} would listen elsewhere than it does", RESTART)
            if place.module != pin.module:
                raise ConfigError(f"{place.title} would be another program than now", RESTART)

    def may_stop(self, place: Place, places: Iterable[Place]) -> bool:
        """Whether a process of this worker may stop the whole service.

        It may if all processes have the same user: that user can end each of them anyway.
        """
        if len({self._uid_of(each) for each in (place, *places)}) == 1:
            return True
        text = (
            f"{place.title} asked to stop the service, which goes on: its workers run as different "
            "users; fix: `lineman stop`, or give each Worker the same user"
        )
        if text not in self._told:
            self._told.add(text)
            logger.warning("%s", text)
        return False

    def _uid_of(self, place: Place) -> int | None:
        owner = self.owner_of(place)
        return None if owner is None else owner.uid

    def binder(self, place: Place, address: PlaceAddress) -> Owner | None:
        """The user whose rights are used to open this socket of a worker; None for this process'.

        Root opens the ports that the first description has named. Later ports, and sockets with a
        path, are made with the rights of the worker's user.
        """
        pin = self._pins.get(_key(place))
        if pin is None or address.path:
            return self.owner_of(place)
        return None

    def _say_what_does_not_count(self, places: Iterable[Place]) -> None:
        for place in places:
            lost = []
            if self.user and place.user not in ("", self.user):
                lost.append(f"user={place.user!r}")
            if (self.user or self.group) and place.group not in ("", self.group):
                lost.append(f"group={place.group!r}")
            given = " ".join(
                f"--{name} {value}"
                for name, value in (("user", self.user), ("group", self.group))
                if value
            )
            text = f"{place.title}: {' and '.join(lost)} in the program: {given} is what counts"
            if lost and text not in self._told:
                self._told.add(text)
                logger.warning("%s", text)


def _key(place: Place) -> WorkerKey:
    return place.address, place.twin


def _where(place: Place) -> frozenset[Where]:
    return frozenset((each.scheme, each.host, each.port, each.path) for each in place.addresses)


def _refuse_mixture(
    wanted: Mapping[WorkerKey, Owner | None], titles: Mapping[WorkerKey, str]
) -> None:
    roots = [titles[key] for key, owner in wanted.items() if owner is None]
    others = [(titles[key], owner.name) for key, owner in wanted.items() if owner is not None]
    if roots and others:
        title, name = others[0]
        raise ConfigError(
            f"{title} would run as {name}, and {roots[0]} as root; a client that takes over the "
            "first would control the description of the second",
            f'give every Worker a user, such as user="{name}", or start it with --user {name}',
        )
