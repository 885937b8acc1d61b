"""Ports that a program opens by hand: the error names the program that has them."""

from __future__ import annotations

import os
import socket

from kit.app import MakeApp
from kit.processes import children_of
from runtime.pushing import BY_HAND


def test_a_port_opened_by_hand_that_the_old_process_has_is_explained(
    make_app: MakeApp, port: int
) -> None:
    def by_hand(more: str = "") -> str:
        return BY_HAND.format(count=1, where=f'"127.0.0.1", {port}', more=more)

    app = make_app(by_hand())
    app.start()
    (old,) = children_of(app.program.process.pid)  # type: ignore[union-attr]
    done = app.run("reload")
    assert done.returncode == 1
    for words in (
        f"cannot listen on 127.0.0.1:{port}: the port is taken by ",
        f"(process {old}), which belongs to this program and continues until the new process is "
        "ready",
        "asyncio.start_server(…, reuse_port=True), and restart the program once",
        f'await Worker("ws://127.0.0.1:{port}").start()',
    ):
        assert words in done.stderr
    assert "kill" not in done.stderr

    app.stop()  # and what it says is so
    app.write(by_hand("reuse_port=True"))
    app.start()
    assert app.run("reload", "-g").returncode == 0


def test_a_port_opened_by_hand_in_several_processes_is_explained(
    make_app: MakeApp, port: int
) -> None:
    done = make_app(BY_HAND.format(count=2, where=f'"127.0.0.1", {port}', more="")).run("start")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "each of the 2 processes of <Worker chat> would listen there; fix: use Gateway" in said


def test_a_port_opened_by_hand_that_somebody_else_has_is_explained(make_app: MakeApp) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        where = f'"127.0.0.1", {other.getsockname()[1]}'
        done = make_app(BY_HAND.format(count=1, where=where, more="")).run("start")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert f"(process {os.getpid()}); fix: stop it: " in said
