"""`make bench-apps`: a Starlette application, served beside uvicorn and granian.

    python bench/compare_apps.py --short     a few seconds, with Lineman alone, for correctness
    python bench/compare_apps.py             all of it

Requests need Debian's `ab` (apache2-utils). Each server has one process.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from compare import SERVERS, allow_descriptors
from compare_http import cpu, measured, parse, requests
from sidebyside import machine
from sidebyside.environment import CannotSetUpError, set_up
from sidebyside.processes import HOST, Server
from sidebyside.table import render

PAGE = os.sysconf("SC_PAGE_SIZE")


def load(server: Server, *words: str) -> dict[str, object]:
    """What `lineman bench` tells about the websockets of a server."""
    url = f"ws://{HOST}:{server.port}/ws"
    command = [sys.executable, "-m", "lineman", "bench", "--json", "--text", *words, url]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode != 0:
        raise SystemExit(f"bench: {server.name}: {told.stdout}{told.stderr}")
    found: dict[str, object] = json.loads(told.stdout)
    return found


def echo(server: Server, depth: int, seconds: int) -> float:
    """Microseconds of CPU for each message on 20 websockets."""
    before = cpu(server)
    told = load(server, "--connections", "20", "--depth", str(depth), "--duration", str(seconds))
    return (cpu(server) - before) / messages(told) * 1e6


def messages(told: dict[str, object]) -> int:
    """The number of messages that were answered."""
    count = told.get("count")
    if not isinstance(count, int) or count < 1:
        raise SystemExit(f"bench: no message was answered: {told}")
    return count


def memory(server: Server) -> int:
    """Bytes of memory that the processes of a server have for themselves."""
    total = 0
    for pid in server.pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def idle(server: Server, count: int) -> float:
    """KiB of memory for each websocket that says nothing."""
    load(server, "--connections", "20", "--duration", "1")  # what is made once is there
    before = memory(server)
    url = f"ws://{HOST}:{server.port}/ws"
    words = ["--mode", "idle", "--connections", str(count), "--duration", "3600"]
    command = [sys.executable, "-m", "lineman", "bench", *words, url]
    clients = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_sockets(server, count)
        return (memory(server) - before) / count / 1024
    finally:
        clients.kill()
        clients.wait()


def wait_for_sockets(server: Server, count: int) -> None:
    """Returns when the server has so many connections, and does nothing more."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        open_ones = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in server.pids)
        used = cpu(server)
        time.sleep(0.5)
        if open_ones >= count and cpu(server) == used:
            return
    raise SystemExit(f"bench: {server.name} has not accepted {count} connections")


def main(arguments: list[str]) -> int:
    """Runs all of it; 0 when everything was answered."""
    options = parse(arguments)
    if shutil.which("ab") is None:
        print("bench: there is no ab; fix: apt install apache2-utils", file=sys.stderr)
        return 1
    allow_descriptors()
    others = [] if options.short else ["uvicorn", "granian", "starlette"]
    try:
        python = set_up(["lineman", *others], options.keep)
    except CannotSetUpError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as directory:
        pid_file = str(Path(directory) / "app.pid")
        servers = {
            "lineman": [
                python, "-m", "lineman", "serve", "starlette_app:app", "--app-dir", str(SERVERS),
                "--port", "{port}", "--pid-file", pid_file, "--log-level", "error", "-q",
            ]
        }  # fmt: skip
        if others:
            asgi = ["starlette_app:app", "--port", "{port}", "--log-level", "error"]
            servers["uvicorn"] = [
                python, "-m", "uvicorn", "--app-dir", str(SERVERS), *asgi, "--http", "httptools",
                "--loop", "uvloop", "--no-access-log",
            ]  # fmt: skip
            servers["granian"] = [
                python, "-m", "granian", "--working-dir", str(SERVERS), *asgi, "--interface",
                "asgi", "--loop", "uvloop",
            ]  # fmt: skip
        scale, seconds = (1, 1) if options.short else (10, 4)
        rows: list[tuple[str, Callable[[Server], float]]] = [
            ("a request, µs", lambda server: requests(server, 2000 * scale)),
            ("a message, 1 in flight, µs", lambda server: echo(server, 1, seconds)),
            ("a message, 16 in flight, µs", lambda server: echo(server, 16, seconds)),
            ("an idle websocket, KiB", lambda server: idle(server, 100 * scale)),
        ]
        lines = [
            line
            for title, measure in rows
            for line in measured(title, servers, measure, options.rounds)
        ]
    print(f"{', '.join(machine.describe())}; {options.rounds} rounds, interleaved; medians.\n")
    print(
        render(["of the server for", "", "median", "ratio"], [line.split("|") for line in lines], 2)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
