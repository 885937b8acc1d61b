"""`lineman serve`, from the start to the stop, with real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.program import Program, free_ports
from kit.waiting import DEADLINE, wait_until
from lineman.cli import main as command
from lineman.testing.client import RawClient

MODULE = """
import contextlib, os
from fastapi import FastAPI, Request, WebSocket

print(f"imported by {os.getpid()}.", flush=True)

@contextlib.asynccontextmanager
async def life(app):
    yield {"note": "kept"}
    print("lifespan ended", flush=True)

app = FastAPI(lifespan=life)

@app.get("/")
def home(request: Request):
    return {"pid": os.getpid(), "client": request.client.host, "note": request.state.note}

@app.websocket("/ws")
async def chat(websocket: WebSocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())
"""

# It is imported by each command that describes the program.
SMALL = """
import os

def make():
    return app

async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'{"pid": %d}' % os.getpid()})
"""


class Served:
    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.program: Program | None = None

    def start(self, *words: str, port: bool = True, app: str = "main:app") -> Program:
        where = ["--port", str(self.port)] if port else []
        command = [sys.executable, "-m", "lineman", "serve", app, *where, *words]
        self.program = Program("serve", command, cwd=self.folder)
        self.program.wait_for_line("ready: ")
        return self.program

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lineman", *words]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=DEADLINE
        )

    def get(self, **headers: str) -> dict[str, object]:
        url = urllib.request.Request(f"http://127.0.0.1:{self.port}/", headers=headers)
        with urllib.request.urlopen(url, timeout=DEADLINE) as reply:
            found: dict[str, object] = json.loads(reply.read())
        return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "main.py").write_text(MODULE)
    made = Served(tmp_path, free_ports(1)[0])
    yield made
    if made.program is not None:
        made.program.stop()


def test_an_application_lives_under_a_master_as_every_program(served: Served) -> None:
    metrics = f"127.0.0.1:{free_ports(1)[0]}"
    program = served.start(
        "--workers", "2", "--forwarded-allow-ips", "*", "--metrics", metrics
    )  # fmt: skip
    assert "means loopback and private addresses here" in program.output
    before = served.get(**{"X-Forwarded-For": "192.0.2.7"})
    assert (before["client"], before["note"]) == ("192.0.2.7", "kept")
    assert served.get()["client"] == "127.0.0.1"
    with RawClient(served.port) as client:
        client.open("/ws", [("Origin", "https://other.example")]).send("hi")
        assert client.receive() == "HI"
        told = json.loads(served.run("status", "main:app", "--json").stdout)
        assert [each["state"] for each in told["children"]] == ["ready"] * 3  # one for the metrics
        assert "imported by " in program.output
        assert f"imported by {told['master']['pid']}." not in program.output  # 0022: nor as root
        with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=DEADLINE) as reply:
            assert b"lineman_" in reply.read()
        shown = served.run("connections", "main:app")
        assert "127.0.0.1" in shown.stdout
        done = served.run("reload", "main:app")
        assert done.returncode == 0, done.stderr
        assert "reloaded: 3 processes" in done.stdout
    assert served.get()["pid"] != before["pid"]
    done = served.run("stop", "main:app")
    assert done.returncode == 0, done.stderr
    assert program.output.count("lifespan ended") == 4


def test_a_reload_refuses_no_connect(served: Served) -> None:
    served.start()
    reload = subprocess.Popen(
        [sys.executable, "-m", "lineman", "reload", "main:app"],
        cwd=served.folder, stdout=subprocess.PIPE,
    )  # fmt: skip
    count = 0
    while reload.poll() is None:
        assert served.get()["note"] == "kept"
        count += 1
    assert reload.communicate()[0]
    assert reload.returncode == 0
    assert count > 3


def test_a_change_of_a_file_is_served_with_watch(served: Served) -> None:
    program = served.start("--reload")
    text = (served.folder / "main.py").read_text().replace('"kept"', '"changed"')
    (served.folder / "main.py").write_text(text)
    wait_until(lambda: served.get()["note"] == "changed", "the new code answers")
    program.signal(signal.SIGINT)
    assert program.stop() == 0


def test_a_socket_that_was_inherited_is_served(served: Served) -> None:
    command = [sys.executable, "-m", "lineman", "serve", "main:app", "--fd", "7"]
    opened = f'socket.create_server(("127.0.0.1", {served.port}), reuse_port=True)'
    script = f"""
import os, socket
listener = {opened}
os.dup2(listener.fileno(), 7)
os.execv({command[0]!r}, {command!r})
"""
    served.program = Program("serve", [sys.executable, "-c", script], cwd=served.folder)
    served.program.wait_for_line("ready: ")
    assert served.get()["note"] == "kept"


def test_what_cannot_be_served_is_told(served: Served) -> None:
    for words, told in (
        (["main"], "write it as main:app"),
        (["main.py"], "write it as main:app"),
        (["main:nothing"], "main has no nothing"),
        (["none:app"], "there is no module none"),
        (["main:app", "--port", "99999"], "--port is 99999"),
        (["main:app", "--fd", "99"], "is no socket of this process"),
        (["main:app", "--prot", "1"], "did you mean --port?"),
    ):
        done = served.run("serve", *words)
        assert done.returncode in (1, 2), words
        assert told in done.stderr, words
    done = served.run("restart", "main:app")
    assert "lineman serve main:app" in done.stderr


def test_other_commands_know_the_options_of_a_running_application(
    served: Served, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (served.folder / "small.py").write_text(SMALL)
    monkeypatch.chdir(served.folder)

    def config(*words: str) -> dict[str, str]:
        capfd.readouterr()
        assert command.main(["config", *words, "--json"]) == 0
        rows = json.loads(capfd.readouterr().out)
        return {row["option"]: row["value"] for row in rows}

    served.start("--root-path", "/shop", "--factory", app="small:make")
    told = config("small:make")
    assert told["root_path"] == "'/shop'"
    assert told["address"] == f"'http://127.0.0.1:{served.port}'"
    assert command.main(["doctor", "small:make"]) == 0
    assert config("small:app", "--port", "9")["address"] == "'http://127.0.0.1:9'"
    before = served.get()
    done = served.run("restart", "small:make", "-d")
    try:
        assert done.returncode == 0, done.stderr
        assert served.get()["pid"] != before["pid"]
        assert config("small:make") == told
    finally:
        command.main(["stop", "small:make"])
    assert command.main(["status", "small:make"]) == 3
    assert "fix: lineman serve small:make" in capfd.readouterr().err


def test_a_fault_of_the_application_is_told_once(served: Served) -> None:
    (served.folder / "broken.py").write_text("app = (\n")
    done = served.run("serve", "broken:app", "--port", "0")
    assert done.returncode == 1
    assert done.stderr.count("was never closed") == 1
    assert "run_all" not in done.stderr


def test_the_command_line_wins_over_the_settings_and_these_over_what_it_leaves_out(
    served: Served,
) -> None:
    (served.folder / "lineman.toml").write_text(
        '[program]\nlog_level = "DEBUG"\n[worker]\naddress = "http://127.0.0.1:1"\n'
        "count = 7\nmax_head_size = 1000\n"
    )
    told = served.run("config", "main:app", "--workers", "1", "--json")
    sources = {row["option"]: row["source"] for row in json.loads(told.stdout)}
    assert sources["count"] == "the command line"
    assert sources["max_head_size"] == "lineman.toml [worker]"
    program = served.start("--workers", "1", "--log-level", "info")
    assert served.get()["note"] == "kept"
    assert any(line.endswith("ready: 1 process") for line in program.output.splitlines())
    with RawClient(served.port) as client:
        client.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 2000 + b"\r\n\r\n")
        assert client.receive_bytes().startswith(b"HTTP/1.1 431 ")
