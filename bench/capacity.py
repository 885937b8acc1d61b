"""`make capacity`: what a connection, a message and a user cost, for capacity planning.

    python bench/capacity.py             measures, and writes docs/howto/plan-capacity.md
    python bench/capacity.py --short     a few clients, and only prints: does it work

Each figure is CPU time of the named process (user and kernel), or the growth of its resident
memory. The load is moderate, so each message costs a turn of the event loop of its own; under full
load many share one, and each costs less. The rows with a broker need Debian's `redis-server`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from compare import allow_descriptors
from sidebyside import machine
from sidebyside.document import Marks, replace_figures
from sidebyside.processes import Server, free_port, serving, stop
from websockets.asyncio.client import ClientConnection, connect

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "howto" / "plan-capacity.md"
MARKS: Marks = (
    "<!-- capacity: begin; `make capacity` writes from here -->",
    "<!-- capacity: end; `make capacity` writes up to here -->",
)
PACKAGES = ["uvloop", "redis", "nats-py", "cryptography"]
PROGRAM = """
import sys
from lineman import Gateway, Worker

kind, port, broker = sys.argv[1:4]
Worker.log_level = "WARNING"
if kind == "gateway":
    gateway = Gateway(f"ws://127.0.0.1:{port}", broker=broker or None, compression=False)

    @gateway.on_connect
    def enter(client):
        name = client.request.query.get("name")
        if name:
            client.bind(name)
            client.join(f"room of {name}")

    @gateway.on_message
    def hear(client, message):
        if message[:3] == "to ":
            gateway.send_to_uid(message.split()[1], message)
        else:
            client.send(message)
else:
    tls = {"tls": "dev"} if kind == "wss" else {}
    worker = Worker(f"{kind}://127.0.0.1:{port}", compression=False, **tls)

    @worker.on_message
    def reply(connection, message):
        connection.send(message)

Worker.run_all(["start", "--pid-file", f"{sys.argv[0]}.{port}.pid"])
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Attributes:
        seconds: of each load.
        rate: messages a second.
        idle: connections whose memory is measured.
    """

    seconds: float
    rate: int
    idle: int


class Program:
    """The program under test, with its processes by the name of their worker."""

    def __init__(self, server: Server, script: Path) -> None:
        self.port = server.port
        command = [sys.executable, "-m", "lineman", "status", str(script), "--json"]
        command += ["--pid-file", f"{script}.{server.port}.pid"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        children = json.loads(done.stdout)["children"]
        self.pids = {child["worker"]: child["pid"] for child in children}

    @property
    def holder(self) -> int:
        """The process that holds the clients."""
        return next(pid for name, pid in self.pids.items() if "business" not in name)

    @property
    def business(self) -> int:
        """The process that runs the callbacks of a Gateway."""
        return self.pids["gateway business"]


@contextmanager
def program(kind: str, script: Path, broker: str = "") -> Iterator[Program]:
    """The program, as long as the block lasts."""
    core, _ = machine.cores()
    command = [sys.executable, str(script), kind, "{port}", broker]
    with serving(kind, command, core) as server:
        deadline = time.monotonic() + 20
        while True:  # until its business worker is ready too
            try:
                found = Program(server, script)
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                yield found
                return


def load(url: str, *words: str) -> dict[str, float]:
    """The report of `lineman bench`."""
    command = [sys.executable, "-m", "lineman", "bench", url, "--insecure", "--json", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    report: dict[str, float] = json.loads(done.stdout)
    return report


def spent(pids: list[int], work: Callable[[], int]) -> list[float]:
    """Microseconds of CPU of each process for each of the things that `work` says it has done."""
    before = [machine.cpu_seconds([pid]) for pid in pids]
    count = work()
    after = [machine.cpu_seconds([pid]) for pid in pids]
    return [(late - early) * 1e6 / count for early, late in zip(before, after, strict=True)]


def grown(pids: list[int], work: Callable[[], Awaitable[list[ClientConnection]]]) -> list[float]:
    """Bytes by which each process grows for each connection that `work` opens."""

    async def measure() -> list[float]:
        before = [machine.memory_kib(pid) for pid in pids]
        lines = await work()
        await asyncio.sleep(1.0)  # the last events are handled
        after = [machine.memory_kib(pid) for pid in pids]
        for line in lines:
            line.transport.abort()
        return [
            (late - early) * 1024 / len(lines) for early, late in zip(before, after, strict=True)
        ]

    return asyncio.run(measure())


async def open_all(url: str, count: int, name: str = "") -> list[ClientConnection]:
    """That many connections, each as another user where there is a name."""

    async def one(number: int) -> ClientConnection:
        target = f"{url}/?name={name}{number}" if name else url
        return await connect(target, ssl=_trusting(url), ping_interval=None, compression=None)

    lines: list[ClientConnection] = []
    for start in range(0, count, 50):
        some = range(start, min(start + 50, count))
        lines += await asyncio.gather(*(one(number) for number in some))
    return lines


def _trusting(url: str) -> object:
    import ssl

    if not url.startswith("wss"):
        return None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def speak(first: str, second: str, sizes: Sizes) -> int:
    """Clients at one node send to users at another, at the rate; returns how many have arrived."""
    count = 50
    here, there = await open_all(first, count, "a"), await open_all(second, count, "b")
    await asyncio.sleep(1.0)
    total = round(sizes.rate * sizes.seconds)

    async def send() -> None:
        began = time.monotonic()
        for number in range(total):
            await here[number % count].send(f"to b{number % count} {'x' * 100}")
            late = began + number / sizes.rate - time.monotonic()
            if late > 0.002:
                await asyncio.sleep(late)

    async def receive(line: ClientConnection, expected: int) -> None:
        for _ in range(expected):
            await line.recv()

    shares = [total // count + (number < total % count) for number in range(count)]
    receiving = [receive(line, share) for line, share in zip(there, shares, strict=True)]
    await asyncio.gather(send(), *receiving)
    for line in (*here, *there):
        line.transport.abort()
    return total


Table = list[tuple[str, str, str]]


def measure_worker(script: Path, sizes: Sizes) -> Table:
    """What a plain worker costs, without and with TLS."""
    found: Table = []
    for kind in ("ws", "wss"):
        with program(kind, script) as running:
            url, pids = f"{kind}://localhost:{running.port}", [running.holder]
            (size,) = grown(pids, lambda url=url: open_all(url, sizes.idle))  # type: ignore[misc]
            echo, opened = measured_loads(url, pids, sizes)
        found += [
            (f"`Worker`, `{kind}`: an idle connection", "worker", f"{size / 1024:.1f} KiB"),
            ("a connect to it, until it is open, and its end", "worker", f"{opened[0]:.0f} µs"),
            ("a message of 100 bytes and the answer", "worker", f"{echo[0]:.0f} µs"),
        ]
    return found


def measured_loads(url: str, pids: list[int], sizes: Sizes) -> tuple[list[float], list[float]]:
    """CPU of each process for a message and its answer, and for a connect."""
    seconds = f"{sizes.seconds:g}"
    words = ("--size", "100", "--text", "--duration", seconds, "--rate", str(sizes.rate))

    def echo() -> int:
        return round(load(url, *words)["count"])

    def opened() -> int:
        report = load(url, "--mode", "connect", "--connections", "8", "--duration", seconds)
        return round(report["count"])

    return spent(pids, echo), spent(pids, opened)


def measure_gateway(script: Path, sizes: Sizes) -> Table:
    """What a gateway costs on one machine."""
    with program("gateway", script) as running:
        url, pids = f"ws://localhost:{running.port}", [running.holder, running.business]
        idle = grown(pids, lambda: open_all(url, sizes.idle))
        echo, opened = measured_loads(url, pids, sizes)
    with program("gateway", script) as running:  # anew: memory that was used is used again
        url, pids = f"ws://localhost:{running.port}", [running.holder, running.business]
        users = grown(pids, lambda: open_all(url, sizes.idle, "user"))
    kib = [f"{size / 1024:.1f} KiB" for size in (*idle, *users)]
    return [
        ("`Gateway`, `ws`: an idle connection", "gateway process", kib[0]),
        ("", "business worker", kib[1]),
        ("the same, bound to a user and in one group", "gateway process", kib[2]),
        ("", "business worker", kib[3]),
        ("a connect and its end", "gateway process", f"{opened[0]:.0f} µs"),
        ("", "business worker", f"{opened[1]:.0f} µs"),
        ("a message of 100 bytes and the answer", "gateway process", f"{echo[0]:.0f} µs"),
        ("", "business worker", f"{echo[1]:.0f} µs"),
    ]


def measure_nodes(script: Path, sizes: Sizes) -> Table:
    """What a message to a user at another node costs, with Redis between them."""
    redis = shutil.which("redis-server")
    if redis is None:
        return []
    port = free_port()
    words = [redis, "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    broker = f"redis://127.0.0.1:{port}"
    server = subprocess.Popen([*words, "--dir", str(script.parent)], stdout=subprocess.DEVNULL)
    with ExitStack() as stack:
        stack.callback(stop, server)
        here = stack.enter_context(program("gateway", script, broker))
        there = stack.enter_context(program("gateway", script, broker))
        time.sleep(1.0)  # until they know each other
        quiet = [here.holder, there.holder, server.pid]
        began = [machine.cpu_seconds([pid]) for pid in quiet]
        time.sleep(sizes.seconds)
        idle = [machine.cpu_seconds([pid]) for pid in quiet]
        beats = [(late - early) / sizes.seconds for early, late in zip(began, idle, strict=True)]
        urls = [f"ws://localhost:{each.port}" for each in (here, there)]
        pids = [here.holder, here.business, there.holder, server.pid]
        costs = spent(pids, lambda: asyncio.run(speak(urls[0], urls[1], sizes)))
    names = ("gateway process of the sender", "business worker", "gateway process of the user")
    text = "a message of 100 bytes to a user at another node"
    rows = [
        (text if not number else "", name, f"{cost:.0f} µs")
        for number, (name, cost) in enumerate(zip((*names, "Redis"), costs, strict=True))
    ]
    share = max(beats[:2]) * 100
    return [*rows, ("two nodes without clients", "gateway process", f"{share:.1f} % of a core")]


def render(table: Table, sizes: Sizes) -> str:
    """The section of the page."""
    facts = machine.versions(sys.executable, PACKAGES)
    redis = shutil.which("redis-server")
    if redis is not None:
        done = subprocess.run([redis, "--version"], capture_output=True, text=True, check=True)
        facts.append(" ".join(done.stdout.split()[:3]))
    where, _ = machine.cores()
    busy = os.getloadavg()[0]
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {', '.join(machine.describe())}; the programs "
        f"on core {where}, the load and Redis on any. {sizes.rate} messages a second for "
        f"{sizes.seconds:g} s; memory with {sizes.idle:,} connections. Load average at the end: "
        f"{busy:.1f}.",
        "",
        *(f"- {fact}" for fact in facts),
        "",
        "To repeat it: `make capacity`",
        "",
        "| what | process | cost |",
        "|---|---|---:|",
        *(f"| {what} | {process} | {cost} |" for what, process, cost in table),
    ]
    return "\n".join(lines)


def main() -> int:
    """Measures, and writes the page; with `--short` it prints."""
    parser = argparse.ArgumentParser(prog="make capacity", description=__doc__)
    parser.add_argument("--short", action="store_true", help="little of everything, only printed")
    options = parser.parse_args()
    allow_descriptors()
    sizes = Sizes(0.5, 200, 50) if options.short else Sizes(5.0, 2000, 3000)
    with tempfile.TemporaryDirectory(prefix="capacity-") as name:
        script = Path(name, "app.py")
        script.write_text(PROGRAM)
        table = measure_worker(script, sizes)
        table += measure_gateway(script, sizes)
        table += measure_nodes(script, sizes)
    section = render(table, sizes)
    print(section)
    if not options.short:
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(replace_figures(text, section, MARKS), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
