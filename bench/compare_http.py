"""`make bench-http`: plain requests beside uvicorn and granian, files beside nginx, events.

    python bench/compare_http.py --short     a few seconds, with Lineman alone, for correctness
    python bench/compare_http.py             all of it

Requests need Debian's `ab` (apache2-utils) and `curl`, files `nginx-light` as well.
"""

from __future__ import annotations

import argparse
import os
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from compare import SERVERS, allow_descriptors
from sidebyside import machine
from sidebyside.environment import CannotSetUpError, set_up
from sidebyside.processes import HOST, Server, serving
from sidebyside.table import number, render

TICKS = os.sysconf("SC_CLK_TCK")
FILE_SIZE = 100 * 1024 * 1024
MESSAGE = 128
WEBSOCKET = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
EVENTS = b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n"
# A frame has 4 bytes before its payload; a chunk has 4, `data: ` and an empty line, and 2 behind.
WIRE = {"websockets": MESSAGE + 4, "events": MESSAGE + 4 + 8 + 2}
NGINX = """
daemon off; master_process off; pid nginx.pid; error_log stderr error;
events {{}}
http {{
    access_log off; sendfile on;
    server {{ listen 127.0.0.1:{{port}}; location / {{ root {folder}; }} }}
}}
"""


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench-http", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=3, metavar="N", help="(default: 3)")
    add("--short", action="store_true", help="one quick round with Lineman alone")
    add("--keep", action="store_true", help="use .venv-bench as it is, without network")
    options = parser.parse_args(arguments)
    if options.short:
        options.rounds = 1
    return options


def cpu(server: Server) -> float:
    """Seconds of CPU that a server and its processes have used."""
    ticks = 0
    for pid in server.pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def requests(server: Server, count: int) -> float:
    """Microseconds of CPU for each request on 32 connections that are kept."""
    command = ["ab", "-q", "-k", "-c", "32", "-n", str(count), f"http://{HOST}:{server.port}/"]
    before = cpu(server)
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Failed requests:        0" not in told:
        raise SystemExit(f"bench: {server.name} did not answer every request:\n{told}")
    return (cpu(server) - before) / count * 1e6


def files(server: Server, count: int) -> float:
    """Milliseconds of CPU for each file of 100 MiB."""
    command = ["curl", "-sf", "-o", "/dev/null", f"http://{HOST}:{server.port}/file.bin"]
    before = cpu(server)
    for _ in range(count):
        subprocess.run(command, check=True)
    return (cpu(server) - before) / count * 1e3


def broadcast(server: Server, clients: int, times: int) -> float:
    """Microseconds of CPU for each delivery to clients that ask as the server's name says."""
    with ExitStack() as exits:
        poll = select.epoll()
        exits.callback(poll.close)
        sockets = {}
        for _ in range(clients):
            one = exits.enter_context(socket.create_connection((HOST, server.port)))
            one.sendall(EVENTS if server.name == "events" else WEBSOCKET)
            head = b""
            while b"\r\n\r\n" not in head:
                head += one.recv(4096)
            sockets[one.fileno()] = one
            poll.register(one, select.EPOLLIN)
        before = cpu(server)
        asking = exits.enter_context(socket.create_connection((HOST, server.port)))
        asking.sendall(b"GET /tell?times=%d HTTP/1.1\r\nHost: a\r\n\r\n" % times)
        left = clients * times * WIRE[server.name]
        while left > 0:
            ready = poll.poll(20)
            if not ready:
                raise SystemExit(f"bench: {left} bytes of {server.name} did not come")
            left -= sum(len(sockets[fd].recv(65536)) for fd, _ in ready)
        return (cpu(server) - before) / (clients * times) * 1e6


def measured(
    title: str,
    servers: dict[str, list[str]],
    measure: Callable[[Server], float],
    rounds: int,
) -> list[str]:
    """One line for each server: the median, and the ratio to the first one."""
    found: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, command in servers.items():
            with serving(name, command, core=0) as server:
                found[name].append(measure(server))
            print(f"{title}: {name} {number(found[name][-1])}", file=sys.stderr)
    first = statistics.median(next(iter(found.values())))
    return [
        f"{title}|{name}|{number(statistics.median(costs))}|"
        f"{number(statistics.median(costs) / first if first else None)}"
        for name, costs in found.items()
    ]


def main(arguments: list[str]) -> int:
    """Runs all of it; 0 when every byte arrived."""
    options = parse(arguments)
    needed = ["ab", "curl"] if options.short else ["ab", "curl", "nginx"]
    for program in needed:
        if shutil.which(program) is None:
            print(f"bench: there is no {program}; fix: apt install apache2-utils curl nginx-light",
                  file=sys.stderr)  # fmt: skip
            return 1
    allow_descriptors()
    others = [] if options.short else ["uvicorn", "granian"]
    try:
        python = set_up(["lineman", *others], options.keep)
    except CannotSetUpError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    scale = 1 if options.short else 20
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        with (folder / "file.bin").open("wb") as file:
            file.truncate(FILE_SIZE)
        ours = [python, str(SERVERS / "lineman_http_server.py"), "{port}", directory]
        texts = {"lineman": ours}
        if others:
            asgi = ["asgi_text:app", "--port", "{port}", "--log-level", "error"]
            texts["uvicorn"] = [
                python, "-m", "uvicorn", "--app-dir", str(SERVERS), *asgi, "--http", "httptools",
                "--loop", "uvloop", "--no-access-log", "--lifespan", "off",
            ]  # fmt: skip
            texts["granian"] = [
                python, "-m", "granian", "--working-dir", str(SERVERS), *asgi, "--interface",
                "asginl", "--no-ws", "--loop", "uvloop",
            ]  # fmt: skip
        sent = {"lineman": ours}
        if not options.short:
            script = folder / "nginx.sh"
            script.write_text(
                f"sed s/{{port}}/$1/ {folder}/template > {folder}/nginx.conf\n"
                f"exec {shutil.which('nginx')} -p {folder} -c {folder}/nginx.conf\n"
            )
            (folder / "template").write_text(NGINX.format(folder=folder))
            sent["nginx"] = ["sh", str(script), "{port}"]
        lines = measured(
            "a request, µs", texts, lambda server: requests(server, 2000 * scale), options.rounds
        )
        lines += measured(
            "a file of 100 MiB, ms", sent, lambda server: files(server, scale), options.rounds
        )
        clients, times = (100, 10) if options.short else (1000, 100)
        lines += measured(
            f"{MESSAGE} B to {clients} clients, µs", {"websockets": ours, "events": ours},
            lambda server: broadcast(server, clients, times), options.rounds,
        )  # fmt: skip
    print(f"{', '.join(machine.describe())}; {options.rounds} rounds, interleaved; medians.\n")
    rows = [line.split("|") for line in lines]
    print(render(["CPU of the server for", "", "median", "ratio"], rows, 2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
