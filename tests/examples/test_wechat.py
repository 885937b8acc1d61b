"""The mini-program's line under Node, with a stand-in for `wx`, against the example's worker."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from kit.program import find_program
from lineman import Connection
from lineman.cli.shared.surveying import workers_of
from lineman.testing.certificates import TestCA
from lineman.testing.serving import Serving

EXAMPLE = Path(__file__).parents[2] / "examples" / "wechat"
TESTS = Path(__file__).parent / "wechat"


@pytest.mark.e2e
def test_the_line_of_the_mini_program_keeps_coming_back(tmp_path: Path) -> None:
    node = find_program("node", "nodejs")
    ca = TestCA(tmp_path)
    pair = ca.issue("localhost")
    (worker,), _ = workers_of(EXAMPLE / "server.py")
    answer = worker.callbacks.on_message
    assert answer is not None

    def obey(connection: Connection, message: str | bytes) -> None:
        words = str(message).split()
        if words[:2] == ["please", "close"]:
            connection.close(code=int(words[2]))
        elif words[:2] == ["please", "vanish"]:
            connection.destroy()
        else:
            answer(connection, message)

    worker.on_message = obey
    worker.address, worker.cert, worker.key = "wss://127.0.0.1:0", pair.cert, pair.key
    with Serving(worker) as site:
        env = {
            **os.environ,
            "WSS_URL": f"wss://localhost:{site.port}/wss",
            "CA": str(ca.ca_path),
            "EXAMPLE": str(EXAMPLE),
        }
        command = [node, "--test", str(TESTS / "line.test.js")]
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=120, check=False
        )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    passed = re.search(r"^(?:# |ℹ )pass (\d+)$", told, re.MULTILINE)
    assert passed, told
    assert int(passed[1]) >= 13, told
