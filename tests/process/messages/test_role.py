"""The role of a process, which comes through the environment and is then removed from it."""

from __future__ import annotations

import json
import os

import pytest

from lineman.errors import ConfigError
from lineman.process.messages.role import VARIABLE, Role, take_role


def test_a_role_comes_as_it_was_given_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {name: os.open(os.devnull, os.O_RDONLY) for name in ("/etc/a.pem", "/etc/b.pem")}
    for descriptor in files.values():
        os.set_inheritable(descriptor, True)
    link = os.dup(next(iter(files.values())))
    given = Role(link, "ws://0.0.0.0:80", 1, 3, files=files, settings={"watch": True}, title="chat")
    monkeypatch.setenv(VARIABLE, given.encode())
    assert take_role() == given
    assert take_role() is None, "programs that the service starts are no children of the master"
    for descriptor in given.descriptors():
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)


def test_what_a_process_inherits_is_all_that_its_role_names() -> None:
    role = Role(
        3,
        listeners={"ws://h:1": 4, "tcp://h:2": 9},
        files={"/etc/key.pem": 5},
        tickets=6,
        store=(7, 8),
    )
    assert sorted(role.descriptors()) == [3, 4, 5, 6, 7, 8, 9]
    assert Role(3).descriptors() == (3,)


@pytest.mark.parametrize(("slot", "describes"), [(-1, True), (0, False)])
def test_a_process_without_a_slot_only_describes_the_program(slot: int, describes: bool) -> None:
    assert Role(3, slot=slot).describes is describes


def told_by(make: object) -> object:
    reader, writer = os.pipe()
    Role(writer).tell(make)  # type: ignore[arg-type]
    with open(reader, "rb") as end:
        return json.loads(end.read())


def test_what_a_program_is_or_why_it_cannot_be_told_goes_to_the_master() -> None:
    def fail() -> dict[str, object]:
        raise ConfigError("port is 99999", "give one of 1 to 65535")

    assert told_by(lambda: {"places": []}) == {"places": []}
    assert told_by(fail) == {"error": "port is 99999", "fix": "give one of 1 to 65535"}
