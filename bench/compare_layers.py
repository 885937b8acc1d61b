"""`make bench-layers`: the channel layer beside channels_redis, on one machine.

    python bench/compare_layers.py --short     a second, with Lineman alone, for correctness
    python bench/compare_layers.py             all of it

It needs Debian's `redis-server`, and the packages of the group `dev`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sidebyside import machine
from sidebyside.processes import free_port
from sidebyside.table import number, render

TICKS = os.sysconf("SC_CLK_TCK")
MESSAGE = {"type": "chat.message", "text": "x" * 64}
AT_ONCE = 50  # messages between two answers: fewer than a channel's capacity


def cpu(pids: list[int]) -> float:
    """Seconds of CPU that some processes have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def make(kind: str, place: str) -> Any:
    """A layer: of Lineman by its name, or of channels_redis by the port of its server."""
    if kind == "lineman":
        from lineman.channels import Layer

        return Layer(place)
    from channels_redis.core import RedisChannelLayer

    return RedisChannelLayer(hosts=[f"redis://127.0.0.1:{place}"])


async def receive(kind: str, place: str) -> None:
    """The other process: it says after so many messages that it has them."""
    layer = make(kind, place)
    channel = await layer.new_channel()
    await layer.group_add("all", channel)
    await layer.send("ready", {"type": "ready", "channel": channel})
    while True:
        for _ in range(AT_ONCE):
            await layer.receive(channel)
        await layer.send("ready", {"type": "ready"})


async def drive(kind: str, place: str, count: int, way: str, others: list[int]) -> float:
    """Microseconds of CPU, of all processes, for each message."""
    layer = make(kind, place)
    if way == "itself":
        channel = await layer.new_channel()
        await layer.group_add("own", channel)
    else:
        channel = (await layer.receive("ready"))["channel"]
    if kind == "lineman":
        from lineman.base.unixpeer import peer_pid

        others = [*others, peer_pid(layer._line._socket)]
    begun = cpu([os.getpid(), *others])
    for _ in range(count // AT_ONCE):
        for _ in range(AT_ONCE):
            if way == "group":
                await layer.group_send("all", MESSAGE)
            elif way == "itself":
                await layer.group_send("own", MESSAGE)
            else:
                await layer.send(channel, MESSAGE)
        if way == "itself":
            for _ in range(AT_ONCE):
                await layer.receive(channel)
        else:
            await layer.receive("ready")
    return (cpu([os.getpid(), *others]) - begun) / (count // AT_ONCE * AT_ONCE) * 1e6


@contextmanager
def redis() -> Iterator[tuple[str, list[int]]]:
    """A server of its own: its port, and its process."""
    port = str(free_port())
    with tempfile.TemporaryDirectory() as directory:
        command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", ""]
        server = subprocess.Popen([*command, "--dir", directory], stdout=subprocess.DEVNULL)
        try:
            time.sleep(1)
            yield port, [server.pid]
        finally:
            server.terminate()
            server.wait()


def once(kind: str, way: str, count: int) -> float:
    """One measurement, in processes of its own."""
    with redis() if kind != "lineman" else no_server() as (place, others):
        here = [sys.executable, __file__, "--kind", kind, "--place", place, "--way", way]
        other = None
        if way != "itself":
            other = subprocess.Popen([*here, "--receive"])
            others = [*others, other.pid]
        try:
            words = [*here, "--count", str(count), "--pids", ",".join(map(str, others))]
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        finally:
            if other is not None:
                other.kill()
                other.wait()
    return float(done.stdout)


@contextmanager
def no_server() -> Iterator[tuple[str, list[int]]]:
    """Lineman's layer starts its hub itself."""
    yield f"bench {os.getpid()} {time.monotonic()}", []


def main(arguments: list[str]) -> int:
    """Runs all of it; 0 when every message arrived."""
    parser = argparse.ArgumentParser(prog="make bench-layers", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=3, metavar="N", help="(default: 3)")
    add("--short", action="store_true", help="one quick round with Lineman alone")
    for name in ("--kind", "--place", "--way", "--pids"):
        add(name, default="", help=argparse.SUPPRESS)
    add("--count", type=int, default=0, help=argparse.SUPPRESS)
    add("--receive", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.receive:
        asyncio.run(receive(options.kind, options.place))
    elif options.kind:
        pids = [int(each) for each in options.pids.split(",") if each]
        driving = drive(options.kind, options.place, options.count, options.way, pids)
        print(asyncio.run(driving))
    else:
        compare(1 if options.short else options.rounds, options.short)
    return 0


def compare(rounds: int, is_short: bool) -> None:
    """Measures all kinds in all ways, one after the other, and prints the table."""
    kinds = ["lineman"] if is_short else ["lineman", "channels_redis"]
    if not is_short and shutil.which("redis-server") is None:
        raise SystemExit("bench: there is no redis-server; fix: apt install redis-server")
    rows = []
    for way, title in (
        ("itself", "group_send, to its own process"),
        ("group", "group_send, to another process"),
        ("send", "send, to a channel of another process"),
    ):
        found: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind in kinds:
                scale = 500 if is_short else 5000 if kind != "lineman" else 50_000
                found[kind].append(once(kind, way, scale))
                print(f"{title}: {kind} {number(found[kind][-1])}", file=sys.stderr)
        first = statistics.median(found["lineman"])
        rows += [
            [
                title,
                kind,
                number(statistics.median(each)),
                number(statistics.median(each) / first if first else None),
            ]
            for kind, each in found.items()
        ]
    print(f"{', '.join(machine.describe())}; {rounds} rounds, interleaved; medians.\n")
    print(render(["CPU of all processes for a message, µs", "", "median", "ratio"], rows, 2))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
