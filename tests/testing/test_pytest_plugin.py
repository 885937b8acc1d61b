"""The fixtures that pytest finds where Lineman is installed."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from kit.waiting import DEADLINE

GOOD = """
    import ssl
    from lineman import Worker

    def make(**options):
        worker = Worker(**{"address": "ws://127.0.0.1:0", **options})
        worker.on_message = lambda connection, message: connection.send(message)
        return worker

    def test_a_service(lineman_service):
        service = lineman_service(make())
        client = service.connect()
        client.send("hello")
        client.expect("hello")
        service.advance(3600)
        client.expect_nothing()

    def test_over_tls(lineman_service, lineman_authority):
        pair = lineman_authority.issue("localhost")
        service = lineman_service(make(address="wss://127.0.0.1:0", cert=pair.cert, key=pair.key))
        client = service.connect(tls=ssl.create_default_context(cafile=lineman_authority.ca_path))
        client.send("hello")
        client.expect("hello")
"""

BAD = """
    import asyncio
    from lineman import Worker

    def test_a_task_that_fails(lineman_service):
        worker = Worker("ws://127.0.0.1:0")

        @worker.on_message
        def fail(connection, message):
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            connection.send("done")

        client = lineman_service(worker).connect()
        client.send("x")
        client.expect("done")
        client.expect_nothing()
"""


def run(directory: Path, text: str) -> str:
    (directory / "test_it.py").write_text(textwrap.dedent(text))
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "test_it.py",
    ]
    done = subprocess.run(words, cwd=directory, capture_output=True, text=True, timeout=DEADLINE)
    return done.stdout + done.stderr


def test_a_test_gets_a_service_and_a_certificate(tmp_path: Path) -> None:
    assert "2 passed" in run(tmp_path, GOOD)


def test_a_failure_inside_the_service_fails_the_test(tmp_path: Path) -> None:
    said = run(tmp_path, BAD)
    assert "the service has failed" in said
    assert "division by zero" in said
