"""`tls="dev"` and `lineman cert trust`: a real Chromium that trusts the added authority."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from kit.browser import chromium
from kit.program import Program

SERVICE = """
    from lineman import Response, Worker

    worker = Worker("wss://127.0.0.1:0", tls="dev")
    worker.on_message = lambda connection, message: connection.send(f"echo {message}")
    page = "<!doctype html><title>dev</title>"
    worker.on_request = lambda request: Response(page, content_type="text/html")
    Worker.run_all()
"""

ASK = """
    const done = arguments[arguments.length - 1];
    const socket = new WebSocket("wss://localhost:" + location.port);
    socket.onopen = () => socket.send("hello");
    socket.onmessage = (event) => done(event.data);
    socket.onclose = (event) => done("closed " + event.code);
"""


def test_chromium_trusts_it_after_the_command_and_not_before(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    env = {"HOME": str(home), "XDG_DATA_HOME": str(tmp_path / "data")}
    (tmp_path / "app.py").write_text(textwrap.dedent(SERVICE))
    program = Program("app.py", [sys.executable, tmp_path / "app.py"], env=env)
    try:
        (line,) = program.wait_for_line("listening on ")
        url = f"https://localhost:{line.rpartition(':')[2]}/"
        assert "this machine trusts it after: lineman cert trust" in program.output
        with chromium(tmp_path / "stranger") as driver:
            driver.get(url)
            assert "ERR_CERT_AUTHORITY_INVALID" in driver.page_source
        command = [sys.executable, "-m", "lineman", "cert", "trust", "--browsers"]
        subprocess.run(command, env={**os.environ, **env}, check=True)
        with chromium(home) as driver:
            driver.get(url)
            assert driver.execute_async_script(ASK) == "echo hello"
    finally:
        program.stop()
