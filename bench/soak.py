"""`make soak`: does memory come back?

    python bench/soak.py                                             some minutes
    python bench/soak.py --connects 2000 --messages 20000 --burst 100 --quiet 5

For ws and wss, against a server in a process of its own: a warm-up, then connects and disconnects,
then messages; resident memory must be where it was after the warm-up. Then connections that are
idle, one message of 64 KiB on each and back, and quiet; they must weigh no more than 2 KiB above
what they weighed before. Status 1 where it does not hold.
"""

from __future__ import annotations

import argparse
import json
import resource
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sidebyside import machine
from sidebyside.processes import HOST, Server, serving
from sidebyside.rows import KIB

from lineman.testing.client import Client
from lineman.tls import devca

SERVER = Path(__file__).parent / "servers" / "lineman_server.py"
SIZE = 64 * KIB
# What a process of Python may wander by without a leak: 100,000 connects of which each left a
# single object of 32 bytes would come to more.
TOLERANCE = 2048 * KIB
ABOVE_IDLE = 2 * KIB  # for each connection


@dataclass(frozen=True, slots=True)
class Soak:
    """How long the soak is.

    Attributes:
        connects: connections that open and close.
        messages: that are echoed.
        burst: connections with a large message each.
        quiet: seconds before memory is read.
    """

    connects: int
    messages: int
    burst: int
    quiet: float


def load(url: str, mode: str, count: int) -> int:
    """Has a service do something at least so many times; how many times it was.

    Raises:
        SystemExit: something failed.
    """
    done = 0
    while done < count:
        words = [sys.executable, "-m", "lineman", "bench", url, "--mode", mode, "--insecure"]
        words += ["--connections", "50", "--duration", "2", "--json"]
        run = subprocess.run(words, capture_output=True, check=False)
        if run.returncode:
            raise SystemExit(f"soak: {run.stdout.decode()} {run.stderr.decode()}")
        done += json.loads(run.stdout)["count"]
    return done


def above_idle(server: Server, tls: ssl.SSLContext | None, soak: Soak) -> float:
    """Bytes that a connection weighs more than before its large message went there and back."""
    message = bytes(SIZE)
    with ExitStack() as stack:
        clients = [
            stack.enter_context(Client(server.port, tls=tls, timeout=60)).open()
            for _ in range(soak.burst)
        ]
        time.sleep(1)
        idle = machine.memory_kib(server.pid)
        for client in clients:
            client.send(message)
        for client in clients:
            if client.receive_message() != message:
                raise SystemExit("soak: another message came back")
        time.sleep(soak.quiet)
        return (machine.memory_kib(server.pid) - idle) * KIB / soak.burst


def soak_one(is_tls: bool, soak: Soak, core: int) -> bool:
    """Soaks one server; whether memory came back."""
    scheme = "wss" if is_tls else "ws"
    is_good = True

    def tell(what: str, figure: float, limit: float, unit: str) -> None:
        nonlocal is_good
        is_good &= figure <= limit
        verdict = "" if figure <= limit else "   TOO MUCH"
        print(f"{scheme:<4} {what}: {figure:+.1f} {unit}, at most {limit:g}{verdict}", flush=True)

    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        pair = devca.ensure(Path(directory), ["localhost"])
        words = [sys.executable, str(SERVER), "{port}"]
        words += [str(pair.cert), str(pair.key)] if is_tls else []
        server = stack.enter_context(serving("lineman", words, core))
        url = f"{scheme}://{HOST}:{server.port}/"
        load(url, "connect", soak.connects // 20)
        load(url, "echo", soak.messages // 20)
        time.sleep(1)
        before = machine.memory_kib(server.pid)
        for mode, count in (("connect", soak.connects), ("echo", soak.messages)):
            done = load(url, mode, count)
            time.sleep(1)
            grown = machine.memory_kib(server.pid) - before
            what = "connects and disconnects" if mode == "connect" else "messages"
            tell(f"{done} {what}", grown, TOLERANCE / KIB, "KiB")
        tls = None
        if is_tls:
            tls = ssl.create_default_context(cafile=pair.ca)
        what = f"each of {soak.burst} connections, {soak.quiet:g} s after 64 KiB"
        tell(what, above_idle(server, tls, soak) / KIB, ABOVE_IDLE / KIB, "KiB")
    return is_good


def main() -> None:
    """Reads the command line and soaks ws, then wss."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--connects", type=int, default=100_000, metavar="N", help="(default: 100000)")
    add("--messages", type=int, default=1_000_000, metavar="N", help="(default: 1000000)")
    add("--burst", type=int, default=1000, metavar="N", help="connections (default: 1000)")
    add("--quiet", type=float, default=60.0, metavar="S", help="seconds (default: 60)")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    core, _ = machine.cores()
    soak = Soak(options.connects, options.messages, options.burst, options.quiet)
    results = [soak_one(is_tls, soak, core) for is_tls in (False, True)]
    raise SystemExit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
