"""What a program's description can make a master of root do."""

from __future__ import annotations

import logging
import os
import pwd
from dataclasses import replace

import pytest

from lineman.errors import ConfigError
from lineman.process.master.description import Description, Place, PlaceAddress
from lineman.process.master.rights import Rights

HERE = PlaceAddress("ws://0.0.0.0:443", "ws", "0.0.0.0", 443)
THERE = PlaceAddress("text://0.0.0.0:70", "text", "0.0.0.0", 70)
CHAT = Place("ws://0.0.0.0:443", 0, "chat", (HERE,), 1, 100)
PUSH = replace(
    CHAT, address="ws://0.0.0.0:8443", title="push", addresses=(replace(HERE, port=8443),)
)
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def uid_of(rights: Rights, place: Place) -> int | None:
    found = rights.owner_of(place)
    return None if found is None else found.uid


def as_nobody(place: Place) -> Place:
    return replace(place, user="nobody")


def started(*places: Place, user: str = "", group: str = "") -> Rights:
    rights = Rights(user, group)
    rights.admit(Description(places))
    return rights


def refused(rights: Rights, *places: Place) -> str:
    with pytest.raises(ConfigError) as told:
        rights.admit(Description(places))
    assert told.value.fix == "restart to change that"
    return told.value.seen


def test_a_process_may_stop_the_service_of_its_own_user_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mine, other = as_nobody(CHAT), replace(PUSH, user="daemon")
    rights = started(mine, other)
    assert rights.may_stop(mine, (mine, as_nobody(PUSH)))
    for _ in range(3):
        assert not rights.may_stop(mine, (mine, other))
        assert not rights.may_stop(other, (mine,))
    told = [record for record in caplog.records if "asked to stop the service" in record.message]
    assert len(told) == 2  # once for each worker
    assert "lineman stop" in told[0].message


@pytest.mark.parametrize("said", ["", "root", "daemon", "nobody"])
def test_the_command_line_beats_the_program(said: str) -> None:
    place = replace(CHAT, user=said, group="root")
    rights = started(place, user="nobody")
    owner = rights.owner_of(place)
    assert owner is not None
    assert owner.ids == (NOBODY.pw_uid, NOBODY.pw_gid)
    assert rights.describer == owner


def test_what_does_not_count_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    place = replace(CHAT, user="root", group="disk")
    with caplog.at_level(logging.WARNING):
        rights = started(place, user="nobody")
        rights.admit(Description((place,)))
    told = "chat: user='root' and group='disk' in the program: --user nobody is what counts"
    assert [record.getMessage() for record in caplog.records] == [told]


def test_a_group_of_the_command_line_leaves_the_user_to_the_program() -> None:
    owner = started(as_nobody(CHAT), group="daemon").owner_of(as_nobody(CHAT))
    assert owner is not None
    assert owner.name == "nobody"
    assert owner.gid != NOBODY.pw_gid


def test_who_describes_is_whom_the_first_description_named() -> None:
    rights = Rights()
    assert rights.describer is None
    rights.admit(Description((as_nobody(CHAT),)))
    assert rights.describer is not None
    assert rights.describer.uid == NOBODY.pw_uid


def test_a_program_that_was_not_roots_never_becomes_it() -> None:
    rights = started(as_nobody(CHAT))
    assert refused(rights, CHAT) == "chat would run as root, and runs as nobody"
    assert "would run as root" in refused(rights, replace(CHAT, user="root"))
    assert "would run as daemon" in refused(rights, replace(CHAT, user="daemon"))
    assert "would run as nobody" in refused(rights, replace(CHAT, user="nobody", group="daemon"))
    rights.admit(Description((as_nobody(CHAT),)))


def test_nor_does_a_part_of_it_that_is_new() -> None:
    rights = started(as_nobody(CHAT))
    assert "push is new and would run as root" in refused(rights, as_nobody(CHAT), PUSH)
    rights.admit(Description((as_nobody(CHAT), as_nobody(PUSH))))


def test_one_that_is_roots_may_become_somebody_elses() -> None:
    rights = started(CHAT)
    rights.admit(Description((CHAT, PUSH)))
    rights.admit(Description((as_nobody(CHAT),)))
    refused(rights, CHAT)


def test_a_program_is_not_roots_in_part() -> None:
    with pytest.raises(ConfigError, match=r"chat would run as nobody, and push as root"):
        started(as_nobody(CHAT), PUSH)


@pytest.mark.parametrize(
    "change", [{"port": 22}, {"host": "::"}, {"scheme": "wss"}, {"path": "/run/app.sock"}]
)
def test_an_address_stays_what_it_was(change: dict[str, object]) -> None:
    rights = started(as_nobody(CHAT))
    there = replace(HERE, **change)  # type: ignore[arg-type]
    moved = replace(as_nobody(CHAT), addresses=(there,))
    assert refused(rights, moved) == "chat would listen elsewhere than it does"


def test_a_reload_may_take_addresses_away_and_give_them_back_but_add_none() -> None:
    both = replace(as_nobody(CHAT), addresses=(HERE, THERE))
    rights = started(both)
    rights.admit(Description((as_nobody(CHAT),)))
    rights.admit(Description((both,)))
    for other in (replace(THERE, port=71), replace(THERE, scheme="tcp"), replace(HERE, port=22)):
        wider = replace(both, addresses=(HERE, THERE, other))
        assert refused(rights, wider) == "chat would listen elsewhere than it does"


def test_a_module_stays_what_it_was() -> None:
    rights = started(as_nobody(CHAT))
    other = replace(as_nobody(CHAT), module="lineman.metrics.exporter")
    assert refused(rights, other) == "chat would be another program than now"


def test_only_ports_that_were_named_at_the_start_are_roots_to_open() -> None:
    file = PlaceAddress("ws+unix:///run/app.sock", "ws", "", 0, "/run/app.sock")
    chat = replace(as_nobody(CHAT), addresses=(HERE, THERE, file))
    rights = started(chat)
    for address in (HERE, THERE):
        assert rights.binder(replace(chat, count=4), address) is None
    for place, address in ((as_nobody(PUSH), PUSH.addresses[0]), (chat, file)):
        owner = rights.binder(place, address)
        assert owner is not None
        assert owner.uid == NOBODY.pw_uid


def test_the_word_of_a_program_of_roots_is_nobody_elses() -> None:
    assert started(CHAT).first_of([CHAT]) is None
    owner = started(as_nobody(CHAT)).first_of([as_nobody(CHAT)])
    assert owner is not None
    assert owner.uid == NOBODY.pw_uid
