"""The Flask application of the example pushes to a client of its service."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from kit.program import Program, free_ports
from lineman.testing.client import RawClient

FOLDER = Path(__file__).parents[2] / "examples" / "push_from_flask"


def test_a_view_pushes_to_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    socket = tmp_path / "push.sock"
    env = {"PORT": str(port), "PUSH_SOCKET": str(socket), "RUNTIME_DIRECTORY": str(tmp_path)}
    service = Program("service", [sys.executable, FOLDER / "service.py", "start"], env=env)
    try:
        service.wait_for_line("ready:")
        monkeypatch.setenv("GATEWAY", f"unix://{socket}")
        web = runpy.run_path(str(FOLDER / "web.py"))
        views = web["app"].test_client()
        assert views.get("/users/anna").json == {"online": False}
        with RawClient(port) as client:
            client.open("/?user=anna")
            assert client.receive() == "connected"
            assert views.get("/users/anna").json == {"online": True}
            assert views.post("/users/anna/messages", data="your order has left").status_code == 202
            assert client.receive() == "your order has left"
        web["gateway"].close()
    finally:
        assert service.stop() == 0
