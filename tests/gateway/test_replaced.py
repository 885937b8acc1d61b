"""Gateway processes that are replaced: the old one runs until its clients have left."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import lineman
from kit.gateway import System
from kit.program import Program, free_ports
from kit.waiting import DEADLINE
from lineman.gateway.wire.dialling import alias_of, candidates
from lineman.testing.client import RawClient

APP = Path(__file__).parent / "apps" / "renewed_app.py"


def echo(client: lineman.Client, message: str) -> None:
    client.send(message)


def test_business_workers_serve_the_new_process_and_the_old_one_that_still_has_clients(
    system: System,
) -> None:
    old = system.add_node("on_message")
    system.add_business(on_message=echo)
    client = system.connect()
    client.send("before")
    assert client.receive() == "before"
    (path,) = system.paths
    new = system.add_node("on_message", at=path)
    late = system.connect(node=1)
    for number, each in enumerate((client, late)):
        each.send(str(number))
        assert each.receive() == str(number)
    # A worker that begins now, as at a reload, finds both.
    fresh = system.add_business(on_message=echo)
    system.wait_until(lambda: old.dispatch.workers == new.dispatch.workers == 2, "both have both")
    first = system.businesses[0]
    system.run(first.retire(5))
    client.send("of the fresh one")
    assert client.receive() == "of the fresh one"
    system.run(old.stop())
    assert os.path.exists(path), "it is the new one's"
    system.wait_until(lambda: len(fresh._links) == 1, "the old one is gone")
    system.add_business(on_message=echo)
    system.wait_until(lambda: new.dispatch.workers == 2, "it is found")
    late.send("after")
    assert late.receive() == "after"
    assert list(candidates(path)) == [path, alias_of(path, new.name)]


@contextmanager
def running(directory: Path, how: str) -> Iterator[tuple[Program, int, Callable[[], None]]]:
    """The program, its port, and its reload."""
    (port,) = free_ports(1)
    env = {"XDG_RUNTIME_DIR": str(directory), "RUNTIME_DIRECTORY": str(directory)}
    words = [sys.executable, str(APP), str(port), how]

    def reload() -> None:
        subprocess.run(
            [*words, "reload"],
            env={**os.environ, **env}, check=True, capture_output=True, timeout=2 * DEADLINE,
        )  # fmt: skip

    program = Program("renewed_app", [*words, "start"], env=env)
    try:
        program.wait_for_line("ready:")
        yield program, port, reload
    finally:
        program.stop()


def holder(client: RawClient) -> str:
    """The gateway process that holds a client."""
    client.send("who holds me?")
    return str(client.receive_message())[:8]


def test_clients_find_workers_also_after_their_process_was_replaced(tmp_path: Path) -> None:
    with running(tmp_path, "renew") as (program, port, _):
        nodes: set[str] = set()
        deadline = time.monotonic() + DEADLINE
        while len(nodes) < 3:
            assert time.monotonic() < deadline
            with RawClient(port) as client:
                nodes.add(holder(client.open("/")))
        program.wait_for_line("is replaced: it has served", count=2)


def test_a_reload_may_replace_the_processes_that_hold_clients_too(tmp_path: Path) -> None:
    with running(tmp_path, "whole") as (_, port, reload), RawClient(port) as client:
        before = holder(client.open("/"))
        done = threading.Thread(target=reload)
        done.start()
        with contextlib.suppress(EOFError):  # closed with 1012, and not left without an answer
            deadline = time.monotonic() + DEADLINE
            while time.monotonic() < deadline:
                assert holder(client) == before
            pytest.fail("it was not closed")
        done.join(DEADLINE)
        with RawClient(port) as other:
            assert holder(other.open("/")) != before
