"""How gateway processes of a machine are found, also those that are just being replaced."""

from __future__ import annotations

import socket
from pathlib import Path

from gateway.peers import echo
from kit.gateway import System
from lineman.gateway.wire.dialling import alias_of, candidates, identity_of


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


def test_what_a_killed_process_has_left_behind_is_taken_away(system: System) -> None:
    node = system.add_node("on_message")
    (path,) = system.paths
    left = Path(alias_of(path, "0" * 8))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    business = system.add_business(on_message=echo)
    system.wait_until(lambda: not left.exists(), "it is gone")
    assert len(business._links) == 1
    assert node.dispatch.workers == 1
