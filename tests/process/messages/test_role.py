"""The role of a process, which comes through the environment and is then removed from it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import IO

import pytest

from lineman.errors import ConfigError
from lineman.process.messages import role
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
    inherits = Role(
        3,
        listeners={"ws://h:1": 4, "tcp://h:2": 9},
        files={"/etc/key.pem": 5},
        tickets=6,
        store=(7, 8),
    )
    assert sorted(inherits.descriptors()) == [3, 4, 5, 6, 7, 8, 9]
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


@pytest.fixture
def link() -> Iterator[tuple[int, IO[bytes]]]:
    """Both ends of a link to the master: that of the process, and what it sends."""
    reader, writer = os.pipe()
    with open(reader, "rb") as end:
        yield writer, end


def test_a_role_of_a_master_of_another_version_is_understood(
    monkeypatch: pytest.MonkeyPatch, link: tuple[int, IO[bytes]]
) -> None:
    newer = {
        **json.loads(Role(link[0], "ws://h:1", slot=-1).encode()),
        "of the next version": [1, 2],
    }
    older = {"link": link[0], "address": "ws://h:1", "slot": -1}
    for given in (newer, older):
        monkeypatch.setenv(VARIABLE, json.dumps(given))
        assert take_role() == Role(link[0], "ws://h:1", slot=-1)
    os.close(link[0])


@pytest.mark.parametrize("versions", [(2, 3), (8, 9)])
@pytest.mark.parametrize("slot", [-1, 0])
def test_a_master_that_is_not_understood_is_told_why_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
    link: tuple[int, IO[bytes]],
    slot: int,
    versions: tuple[int, int],
) -> None:
    monkeypatch.setenv(VARIABLE, Role(link[0], slot=slot).encode())
    monkeypatch.setattr(role, "own", versions)
    with pytest.raises(SystemExit) as ended:
        take_role()
    told = json.loads(link[1].read())
    if slot < 0:
        assert ended.value.code == 0, "else the description would not count"
        said = f"{told['error']}; fix: {told['fix']}"
    else:
        assert ended.value.code == 1
        assert told["event"] == "failed"
        said = told["why"]
    assert "the master of this program is of another version of Lineman" in said
    assert str(versions) in said
    assert "fix: lineman restart" in said
