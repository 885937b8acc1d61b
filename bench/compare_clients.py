"""`make bench-clients`: clients beside each other, at the same server that echoes.

    python bench/compare_clients.py --short     a second, with Lineman alone, for correctness
    python bench/compare_clients.py             all of it

A client is one process on one core; the server, `servers/lineman_server.py`, runs on another. What
counts is the CPU time of the client's process from the moment when all its connections are open.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from compare import SERVERS
from compare_http import parse
from sidebyside import machine
from sidebyside.environment import CannotSetUpError, set_up
from sidebyside.processes import HOST, Server, serving
from sidebyside.table import number, render

CLIENTS = Path(__file__).parent / "clients"
OURS = {"connect": "`connect()`", "dialer": "`Dialer`"}
OTHERS = {"websockets": "websockets", "picows": "picows"}
SIZE = 32
# Connections, messages in flight on each, and how many messages are sent in all.
ROWS = ((1, 1, 40_000), (1, 16, 200_000), (20, 1, 100_000), (20, 16, 400_000))
LIMIT = 300.0


def echo(python: str, name: str, server: Server, row: tuple[int, int, int], core: int) -> float:
    """Microseconds of a client's CPU time for each message there and back.

    Args:
        python: the interpreter of the client.
        name: the client's, as its file begins.
        server: the one that echoes.
        row: one of `ROWS`.
        core: the core that the client runs on.
    """
    connections, depth, messages = row
    words = [f"ws://{HOST}:{server.port}/", str(connections), str(depth), str(SIZE), str(messages)]
    done = subprocess.run(
        [python, str(CLIENTS / f"{name}_client.py"), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    if done.returncode:
        raise SystemExit(f"bench: the client {name} failed: {done.stderr[-600:]}")
    return float(done.stdout)


def measured(
    names: list[str], rows: list[tuple[int, int, int]], rounds: int,
    measure: Callable[[str, tuple[int, int, int]], float],
) -> list[list[str]]:  # fmt: skip
    """A line for each row and client: its median, and what share of it the first client needs."""
    found: dict[tuple[tuple[int, int, int], str], list[float]] = {}
    for _ in range(rounds):
        for row in rows:
            for name in names:
                cost = measure(name, row)
                found.setdefault((row, name), []).append(cost)
                print(f"{row[0]} × {row[1]}: {name} {number(cost)}", file=sys.stderr)
    lines = []
    for (row, name), costs in found.items():
        first = found[row, names[0]]
        ratios = [one / other for one, other in zip(first, costs, strict=True)]
        title = f"{row[0]} connection{'s' * (row[0] > 1)}, {row[1]} in flight"
        shown = (OURS | OTHERS)[name]
        costs_shown = number(statistics.median(costs))
        lines.append([title, shown, costs_shown, f"{statistics.median(ratios):.2f}"])
    return lines


def main(arguments: list[str]) -> int:
    """Runs all of it; 0 when every message came back."""
    options = parse(arguments)
    others = [] if options.short else list(OTHERS)
    try:
        python = set_up(["lineman", *others], options.keep)
    except CannotSetUpError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    server_core, client_core = machine.cores()
    scale = 100 if options.short else 1
    rows = [(connections, depth, count // scale) for connections, depth, count in ROWS]
    command = [python, str(SERVERS / "lineman_server.py"), "{port}"]
    with serving("echo", command, server_core) as server:
        lines = measured(
            [*OURS, *others], rows, options.rounds,
            lambda name, row: echo(python, name, server, row, client_core),
        )  # fmt: skip
    versions = ", ".join(machine.versions(python, [*others, "uvloop"]))
    print(f"{', '.join(machine.describe())}; {versions}; {options.rounds} rounds, interleaved.\n")
    head = ["CPU of the client", "", "µs for each message", "`connect()` needs of that"]
    print(render(head, lines, 2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
