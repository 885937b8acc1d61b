"""`lineman push` with a program: which gateway it means."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.program import Program, free_ports
from kit.waiting import DEADLINE
from lineman.cli.commands.push import _only_name
from lineman.errors import NotReachedError, UsageError
from lineman.testing.client import RawClient

APP = """
from lineman import Gateway, Worker

gateway = Gateway("ws://127.0.0.1:{port}", name="rooms", push_socket={socket!r})


@gateway.on_websocket_connect
def check(client, request):
    client.bind("anna")


Worker.run_all()
"""


@pytest.mark.parametrize("is_socket_named", [False, True])
def test_a_script_is_enough_whatever_its_gateway_is_called(
    tmp_path: Path, is_socket_named: bool
) -> None:
    script = tmp_path / "app.py"
    (port,) = free_ports(1)
    socket = str(tmp_path / "push.sock") if is_socket_named else None
    script.write_text(APP.format(port=port, socket=socket))
    env = {"XDG_RUNTIME_DIR": str(tmp_path), "RUNTIME_DIRECTORY": str(tmp_path)}
    program = Program("app", [sys.executable, str(script), "start"], env=env)
    try:
        program.wait_for_line("ready:")
        client = RawClient(port).open("/")
        words = ["push", str(script), "from a shell", "--uid", "anna"]
        done = subprocess.run(
            [sys.executable, "-m", "lineman", *words],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=2 * DEADLINE,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("sent\n", "")
        assert client.receive() == "from a shell"
        client.close()
    finally:
        program.stop()


def test_the_only_gateway_is_found_among_its_sockets(tmp_path: Path) -> None:
    for name in ("shop-0-0", "shop-0-0.deff4429", "shop-0-1", "shop-0-10", "shop-0-hub"):
        (tmp_path / f"{name}.sock").touch()
    assert _only_name("app.py", tmp_path) == "shop-0"


def test_several_gateways_are_named(tmp_path: Path) -> None:
    for name in ("rooms-0", "rooms-1", "alerts-0"):
        (tmp_path / f"{name}.sock").touch()
    with pytest.raises(UsageError, match="runs 2 gateways; give --name: alerts, rooms"):
        _only_name("app.py", tmp_path)


def test_a_program_without_a_running_gateway_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotReachedError, match=r"no gateway of app\.py runs"):
        _only_name("app.py", tmp_path / "app.d")
