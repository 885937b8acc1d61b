"""A business worker whose callback blocks for ever, in its real process."""

from __future__ import annotations

import sys
from pathlib import Path

from kit.program import Program, free_ports
from lineman.testing.client import RawClient

APP = Path(__file__).parent / "apps" / "hanging_app.py"


def test_a_hanging_worker_is_killed_and_its_messages_go_to_another_one(tmp_path: Path) -> None:
    mark, (port,) = tmp_path / "mark", free_ports(1)
    env = {"XDG_RUNTIME_DIR": str(tmp_path), "RUNTIME_DIRECTORY": str(tmp_path)}
    words = [sys.executable, APP, str(port), mark, "start"]
    program = Program("hanging_app", words, env=env)
    try:
        program.wait_for_line("ready:")
        with RawClient(port) as client:
            client.open("/").send("hang")
            client.send("after it")
            program.wait_for_line("its event loop has hung for 4 s")
            answers = [str(client.receive()).rsplit(" ", 1) for _ in range(2)]
        assert [text for text, _ in answers] == ["hang", "after it"]
        hung = mark.read_text()
        assert hung not in {pid for _, pid in answers}
        program.wait_for_line(f"process {hung}")
    finally:
        program.stop()
