"""`make bench-gateway`: the gateway beside a plain worker, and beside others with Redis.

    python bench/compare_gateway.py --short     a few seconds, with Lineman alone, for correctness
    python bench/compare_gateway.py             all of it, and its section of docs/benchmarks.md

WSLOAD may name a load generator in C, see `compare.py`. The rooms need Debian's `redis-server`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from compare import DOCUMENT, SERVERS, allow_descriptors
from sidebyside import machine
from sidebyside.document import GATEWAY_MARKS, SKELETON, replace_figures
from sidebyside.environment import GATEWAY_PACKAGES, CannotSetUpError, set_up
from sidebyside.generators import LoadFailedError, choose
from sidebyside.processes import Server, serving
from sidebyside.rooms import ENGINE_IO, PLAIN, Dialect, Room
from sidebyside.rows import Kind, Row
from sidebyside.samples import Sample, Samples
from sidebyside.table import number, render

GROUP = 10_000
ROWS = [
    Row("b", "echo, 100 connections, 32 B", Kind.ECHO, spins=True),
    Row("c", "the same, 16 in flight on each", Kind.ECHO, depth=16, is_batched=True, spins=True),
    Row("g", f"128 B to {GROUP:,} members of a group", Kind.BROADCAST, connections=GROUP,
        size=128),
    Row("g2", "the same, 2 messages under way", Kind.BROADCAST, connections=GROUP, size=128,
        depth=2),
]  # fmt: skip
NODES = 2
ROOM = 200  # clients
DEPTH = 4  # messages under way in a room
SETTLE = 1.0  # seconds until every node knows every other

CHANNELS = {
    "channels": "core.RedisChannelLayer",
    "channels (pubsub)": "pubsub.RedisPubSubChannelLayer",
}
PACKAGES = ("uvloop", "python-socketio", "channels", "channels_redis", "uvicorn", "redis")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench-gateway", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=3, metavar="N", help="(default: 3)")
    add("--seconds", type=float, default=2.0, metavar="S", help="for each sample (default: 2)")
    add("--short", action="store_true", help="one quick round with Lineman alone")
    add("--keep", action="store_true", help="use .venv-bench as it is, without network")
    add("--output", type=Path, metavar="FILE", help="(default: docs/benchmarks.md, if all was run)")
    options = parser.parse_args(arguments)
    if options.short:
        options.rounds, options.seconds = 1, 0.5
    elif options.output is None:
        options.output = DOCUMENT
    return options


class Bench:
    """One run.

    Args:
        options: from `parse`.
        python: the interpreter of the servers.
        directory: for files of the servers.
    """

    def __init__(self, options: argparse.Namespace, python: str, directory: Path) -> None:
        self.options = options
        self.python = python
        self.directory = directory
        self.core, self.load_core = machine.cores()
        self.generator = choose(self.load_core, 0.05 if options.short else 0.3)

    # Servers.

    def gateway(self, stack: ExitStack, broker: str | None = None) -> Server:
        """A gateway with one process for clients and one for the program."""
        words = ["env", "BENCH_PORT={port}", f"BENCH_DIRECTORY={self.directory}"]
        words += [f"BENCH_BROKER={broker}"] if broker else []
        words += [self.python, str(SERVERS / "gateway_server.py"), "start"]
        return stack.enter_context(serving("gateway", words, self.core))

    def script(self, stack: ExitStack, name: str, *words: str) -> Server:
        """A server of one process."""
        command = [self.python, str(SERVERS / f"{name}_server.py"), "{port}", *words]
        return stack.enter_context(serving(name, command, self.core))

    def redis(self, stack: ExitStack) -> Server:
        """A Redis of our own, on the core of the load."""
        words = ["redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--save", ""]
        words += ["--dir", str(self.directory)]
        return stack.enter_context(serving("redis", words, self.load_core))

    # Beside a plain worker.

    def messages(self) -> Samples:
        """The gateway and a plain worker at the same rows, in turn."""
        samples = Samples("plain")
        rows = ROWS[:2] if self.options.short else ROWS
        with ExitStack() as stack:
            servers = {"gateway": self.gateway(stack), "plain": self.script(stack, "lineman")}
            for _ in range(self.options.rounds):
                found: dict[tuple[str, str], Sample] = {}
                samples.rounds.append(found)
                for row in rows:
                    for name, server in servers.items():
                        sample = self.generator.measure(row, server, self.options.seconds)
                        found[row.name, name] = sample
                        print(f"{row.name} {name:<8} {number(sample.cost):>6} µs", flush=True)
        return samples

    # In one process.

    def registry(self, what: str) -> dict[str, float]:
        """See servers/gateway_registry.py."""
        command = [self.python, str(SERVERS / "gateway_registry.py"), what]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        found: dict[str, float] = json.loads(done.stdout)
        print(what, {name: round(value) for name, value in found.items()}, flush=True)
        return found

    # Beside others with Redis.

    def rooms(self) -> dict[str, list[tuple[float, float]]]:
        """Deliveries for each second of the servers' CPU, and with that of Redis, by server."""
        found: dict[str, list[tuple[float, float]]] = {}
        with ExitStack() as stack:
            redis = self.redis(stack)
            url = f"redis://127.0.0.1:{redis.port}"
            contestants: dict[str, tuple[Dialect, Callable[[], Server]]] = {
                "lineman": (PLAIN, lambda: self.gateway(stack, f"{url}/0")),
            }
            if not self.options.short:
                contestants["python-socketio"] = (
                    ENGINE_IO, lambda: self.script(stack, "socketio", f"{url}/1"),
                )  # fmt: skip
                for name, layer in CHANNELS.items():
                    contestants[name] = (PLAIN, self._channels(stack, url, layer))
            rooms: dict[str, tuple[Room, list[Server]]] = {}
            for name, (dialect, start) in contestants.items():
                nodes = [start() for _ in range(NODES)]
                room = Room([node.port for node in nodes], dialect, ROOM, DEPTH)
                stack.callback(room.close)
                rooms[name] = room, nodes
            time.sleep(SETTLE)
            for _ in range(self.options.rounds):
                for name, (room, nodes) in rooms.items():
                    sample = self._room(room, nodes, redis)
                    mixed = sum(listener.disordered for listener in room.listeners)
                    found.setdefault(name, []).append(sample)
                    print(
                        f"room {name:<18} {sample[0]:>10,.0f} a CPU second, {mixed:,} out of order"
                    )
        return found

    def _channels(self, stack: ExitStack, url: str, layer: str) -> Callable[[], Server]:
        # Each layer has its own database. Pub/sub ignores databases, so its channel names differ.
        database = 2 + list(CHANNELS.values()).index(layer)
        return lambda: self.script(stack, "channels", f"{url}/{database}", layer)

    def _room(self, room: Room, nodes: list[Server], redis: Server) -> tuple[float, float]:
        pids = [pid for node in nodes for pid in node.pids]
        before, redis_before = machine.cpu_seconds(pids), machine.cpu_seconds([redis.pid])
        try:
            deliveries = room.run(self.options.seconds)
        except (LoadFailedError, OSError) as error:
            words = "; ".join(node.last_words() for node in nodes)
            raise LoadFailedError(f"{error}; the servers said: {words}") from None
        used = machine.cpu_seconds(pids) - before
        with_redis = used + machine.cpu_seconds([redis.pid]) - redis_before
        return deliveries / max(used, 0.01), deliveries / max(with_redis, 0.01)


def report_messages(samples: Samples) -> str:
    """The gateway beside a plain worker."""
    lines = []
    for row in ROWS:
        costs = [samples.cost(row.name, name) for name in ("gateway", "plain")]
        ratio = samples.ratio(row.name, "gateway")
        if ratio is not None:
            lines.append([row.title, *map(number, costs), number(ratio)])
    head = ["µs of CPU for each message or delivery", "gateway", "plain", "ratio"]
    return (
        "A `Gateway` with one process that holds the clients and one that runs the program, beside"
        " a `Worker` in one process without a master; CPU of all processes of each.\n\n"
        + render(head, lines)
    )


def report_registry(speed: dict[str, float], held: list[dict[str, float]]) -> str:
    """Speed and memory of one gateway process' registry."""
    lines = [[f"{name}, a second of CPU", f"{value:,.0f}"] for name, value in speed.items()]
    for title, found in zip(("", ", with presence"), held, strict=True):
        lines.append([f"bytes for each of 1,000,000 uids{title}", f"{found['uid']:.0f}"])
    lines.append(["bytes for each client's own record", f"{held[0]['record']:.0f}"])
    return (
        "One gateway process; the orders come as frames of a link, a hundred in each, which are"
        " decoded. A uid's bytes are beyond the connection and the record of its client.\n\n"
        + render(["what", "gateway"], lines)
    )


def report_rooms(found: dict[str, list[tuple[float, float]]]) -> str:
    """The gateway beside others."""
    lines = []
    for name, samples in found.items():
        ratios = [
            ours[0] / theirs[0] for ours, theirs in zip(found["lineman"], samples, strict=True)
        ]
        alone, all_in = (statistics.median(part) for part in zip(*samples, strict=True))
        lines.append([name, f"{alone:,.0f}", f"{all_in:,.0f}", number(statistics.median(ratios))])
    head = ["deliveries for each CPU second", "servers", "with Redis", "lineman delivers × as many"]
    return (
        f"One room of {ROOM} clients on {NODES} nodes with one Redis, {DEPTH} messages of 128 B"
        " under way; every delivery is checked. The last column is without the CPU of Redis.\n\n"
        + render(head, lines)
    )


def circumstances(bench: Bench) -> str:
    """The date, the machine and the versions."""
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True)
    versions = [*machine.versions(bench.python, list(PACKAGES)), redis.stdout.split(" sha")[0]]
    rounds, seconds = bench.options.rounds, bench.options.seconds
    wsload = "WSLOAD=… " if os.environ.get("WSLOAD") else ""
    return (
        f"Measured on {date}: {', '.join(machine.describe())}. All servers are on one core, the"
        f" load ({bench.generator.title}; the rooms in plain Python) and Redis on another."
        f" Rounds: {rounds}, interleaved, {seconds:g} s for each sample; medians.\n\n"
        + "".join(f"- {version}\n" for version in versions)
        + f"\nTo repeat it: `{wsload}make bench-gateway`\n"
    )


def main(arguments: list[str]) -> int:
    """Runs all of it; 0 when every message arrived."""
    options = parse(arguments)
    if shutil.which("redis-server") is None:
        print("bench: there is no redis-server; fix: apt install redis-server", file=sys.stderr)
        return 1
    allow_descriptors()
    try:
        # A quick run needs nothing but the environment that this program has.
        servers = ["lineman"] if options.short else ["lineman", *GATEWAY_PACKAGES]
        python = set_up(servers, options.keep)
    except CannotSetUpError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(options, python, Path(directory))
        samples = bench.messages()
        parts = [circumstances(bench), report_messages(samples)]
        if not options.short:
            held = [bench.registry("memory"), bench.registry("presence")]
            parts.append(report_registry(bench.registry("speed"), held))
        parts.append(report_rooms(bench.rooms()))
    text = "\n".join(parts)
    if options.output is None:
        print(f"\n{text}")
    else:
        path: Path = options.output
        page = path.read_text(encoding="utf-8") if path.exists() else SKELETON
        path.write_text(replace_figures(page, text, GATEWAY_MARKS), encoding="utf-8")
        print(f"\nwrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
