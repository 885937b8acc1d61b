"""The program as the master has admitted it: which sockets its processes have, and may stop it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lineman.base.address import Address
from lineman.errors import ConfigError
from lineman.net.listening.bind import bind
from lineman.process.master.admitted_program import AdmittedProgram
from lineman.process.master.description import Description, Place, PlaceAddress
from lineman.process.master.listening_sockets import Sockets

HERE = PlaceAddress("text://127.0.0.1:0", "text", "127.0.0.1", 0)
ADDED = PlaceAddress("tcp://127.0.0.1:0", "tcp", "127.0.0.1", 0)
BEFORE = Place("text://127.0.0.1:0", 0, "chat", (HERE,), 2, 100)
AFTER = replace(BEFORE, addresses=(HERE, ADDED))


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    def make(place: Place, address: PlaceAddress, is_first: bool) -> Any:
        where = Address(address.scheme, address.host, address.port, address.path)
        return bind(where, place.backlog, reuse_port=True, is_first=is_first)

    made = Sockets(make)
    yield made
    made.close_all()


def test_after_a_failed_reload_each_seat_has_what_its_processes_were_started_with(
    sockets: Sockets, tmp_path: Path
) -> None:
    setting: Any = SimpleNamespace(
        sockets=sockets, pid_file=SimpleNamespace(path=tmp_path / "app.pid")
    )
    admitted = AdmittedProgram(setting)
    sockets.open([AFTER])
    old, new = AFTER.seats()
    children: list[Any] = [
        SimpleNamespace(key=old, place=BEFORE),
        SimpleNamespace(key=new, place=BEFORE),  # which retires
        SimpleNamespace(key=new, place=AFTER),
    ]
    admitted.reload_failed(children)
    assert [*sockets.for_child(old, AFTER)[0]] == [HERE.text]
    assert [*sockets.for_child(new, AFTER)[0]] == [HERE.text, ADDED.text]


@dataclass
class NewSettings:
    umask: str = "0077"


def test_a_program_whose_address_cannot_be_opened_leaves_the_settings_of_before(
    tmp_path: Path,
) -> None:
    def refuse(place: Place, address: PlaceAddress, is_first: bool) -> Any:
        raise ConfigError("the port is taken", "free it")

    rights = SimpleNamespace(
        admit=lambda description: None, owner_of=lambda place: None, first_of=lambda places: None
    )
    setting: Any = SimpleNamespace(
        sockets=Sockets(refuse),
        pid_file=SimpleNamespace(path=tmp_path / "app.pid"),
        rights=rights,
        configure=lambda settings, owner: NewSettings(),
        watches=False,
    )
    admitted = AdmittedProgram(setting)
    admitted.settings = before = {"umask": "0022"}
    with pytest.raises(ConfigError, match="the port is taken"):
        admitted.admit(Description((AFTER,)))
    assert admitted.settings is before
    assert admitted.description == Description(())
