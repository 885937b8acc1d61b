"""A script of PHP pushes to a client of its service, by HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from kit.program import Program, find_program, free_ports
from kit.waiting import DEADLINE
from lineman.testing.client import RawClient

FOLDER = Path(__file__).parents[2] / "examples" / "push_from_php"


def test_a_script_pushes_to_a_user_and_says_why_if_it_cannot(tmp_path: Path) -> None:
    port, push_port = free_ports(2)
    own = {"PORT": str(port), "PUSH_PORT": str(push_port), "PUSH_TOKEN": "a-token-of-the-tests"}
    env = {**own, "RUNTIME_DIRECTORY": str(tmp_path)}
    service = Program("service", [sys.executable, FOLDER / "service.py", "start"], env=env)

    def push(*words: str, **other: str) -> subprocess.CompletedProcess[str]:
        command = [find_program("php", "php-cli"), "-d", "display_errors=stderr"]
        return subprocess.run(
            [*command, str(FOLDER / "push.php"), *words],
            env={**os.environ, **own, **other},
            capture_output=True, text=True, check=False, timeout=DEADLINE,
        )  # fmt: skip

    try:
        service.wait_for_line("ready:")
        with RawClient(port) as client:
            client.open("/?user=anna")
            assert client.receive() == "connected"
            done = push("anna", "your order has left: 5 €")
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            assert client.receive() == "your order has left: 5 €"
            refused = push("anna", "x", PUSH_TOKEN="another-token-of-tests")
            assert "not pushed: HTTP/1.1 401" in refused.stdout + refused.stderr
            assert push("anna", "the last one").returncode == 0
            assert client.receive() == "the last one"
    finally:
        assert service.stop() == 0
    nobody = push("anna", "x")
    assert nobody.returncode != 0
    assert "not pushed: no answer" in nobody.stdout + nobody.stderr
