"""How gateway processes of a machine are found, also those that are just being replaced."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from gateway.peers import echo
from kit.gateway import System
from kit.waiting import DEADLINE
from lineman.gateway.wire import dialling
from lineman.gateway.wire.dialling import Dialler, alias_of, candidates, identity_of, take_dead
from lineman.gateway.wire.messages import TO_BUSINESS
from lineman.links.link import Link
from lineman.links.rendezvous import dial


def test_the_newest_process_of_a_slot_is_tried_first_and_then_those_before_it(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "a[1].sock")  # a name in which glob would see more than itself
    aliases = {alias_of(path, node) for node in ("0" * 8, "1" * 8)}
    for each in (*aliases, str(tmp_path / "a1.00000000.sock")):
        Path(each).touch()
    first, *others = candidates(path)
    assert first == path
    assert set(others) == aliases


def test_a_socket_is_known_again_under_its_other_name(tmp_path: Path) -> None:
    path, alias = tmp_path / "a.sock", tmp_path / "a.0.sock"
    assert identity_of(str(path)) is None
    path.touch()
    alias.hardlink_to(path)
    assert identity_of(str(path)) == identity_of(str(alias))
    path.unlink()
    path.touch()
    assert identity_of(str(path)) != identity_of(str(alias))


def test_what_a_killed_process_has_left_behind_is_left_to_who_takes_its_place(
    system: System,
) -> None:
    node = system.add_node("on_message")
    (path,) = system.paths
    left = Path(alias_of(path, "0" * 8))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    business = system.add_business(on_message=echo)
    assert left.exists()
    assert take_dead(path) == ["0" * 8]
    assert len(business._links) == 1
    assert node.dispatch.workers == 1


def test_who_takes_a_slot_learns_whose_process_was_killed_and_forgets_it(tmp_path: Path) -> None:
    path = str(tmp_path / "gateway-0.sock")
    killed, lives = alias_of(path, "a" * 8), alias_of(path, "b" * 8)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(killed)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(lives)
        server.listen()
        assert take_dead(path) == ["a" * 8]
        assert not Path(killed).exists()
        assert Path(lives).exists()
        assert take_dead(path) == []


def test_whatever_goes_wrong_while_dialling_a_worker_tries_again(
    system: System, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[BaseException] = [
        RuntimeError("an unusual fault"), asyncio.CancelledError(), ValueError("another one")
    ]  # fmt: skip

    async def dial_or_fail(make: Any, path: str) -> Any:
        if failures:
            raise failures.pop(0)
        return await dial(make, path)

    monkeypatch.setattr(dialling, "dial", dial_or_fail)
    monkeypatch.setattr(dialling, "RETRY", 0.01)
    node = system.add_node("on_message")
    system.add_business(on_message=echo)  # returns when it has a link
    assert node.dispatch.workers == 1
    assert failures == []
    assert "an unusual fault" in caplog.text
    client = system.connect()
    client.send("hello")
    assert client.receive() == "hello"


def test_a_link_that_a_worker_could_not_take_is_dialled_again(
    system: System, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dialling, "RETRY", 0.01)
    path = system.add_node("on_message") and system.paths[0]
    links: list[Link] = []
    ended: list[Link] = []

    def take(link: Link) -> None:
        links.append(link)
        if len(links) == 1:
            raise RuntimeError("not this one")

    async def run() -> None:
        dialler = Dialler(
            (path,), lambda on_end: Link(TO_BUSINESS, lambda *_: None, on_end), take, ended.append
        )
        async with asyncio.timeout(DEADLINE):
            await dialler.start()
        dialler.stop()
        assert ended == links[:1]
        assert len(links) == 2
        links[1].fail("the test is over")

    system.run(run())
    assert "not this one" in caplog.text
