"""`make bench`: servers of several projects at the same work, side by side.

    python bench/compare.py --short --only lineman     a few seconds, for correctness
    python bench/compare.py                            all of it, and docs/benchmarks.md
    python bench/compare.py --only floods              what one client feels while others flood

Each server is one process on one core, the load generator on another. Rounds are interleaved: in
each, every server does every row once, so that other load on the machine affects all of them.

The environment variables WSLOAD and RAWWS may name a load generator and a server in plain C. Then
these take part, and ratios are to that server. `sidebyside/generators.py` and `start` below show
their command lines. The rows without HTTP stand beside `servers/stream_echo.c`, which is compiled
into a temporary directory where a C compiler is at hand.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import floods
from sidebyside import machine
from sidebyside.document import SKELETON, Circumstances, figures, replace_figures
from sidebyside.environment import (
    PACKAGES,
    ROOT,
    CannotSetUpError,
    build_stream_floor,
    compiler,
    set_up,
)
from sidebyside.generators import LinemanBench, LoadFailedError, Wsload, choose, for_row, wait
from sidebyside.processes import Server, ServerFailedError, serving
from sidebyside.rows import ROWS, STREAM_FLOOR, Row
from sidebyside.rows import choose as choose_rows
from sidebyside.samples import Sample, Samples
from sidebyside.table import number

from lineman import development_certificate

FLOOR = "rawws"
SERVERS = Path(__file__).parent / "servers"
STREAM_NOTE = (
    f"`{STREAM_FLOOR}` is a server in plain C with nothing but epoll and the framing of a\n"
    "protocol without HTTP (`bench/servers/stream_echo.c`): it has no limits, no timeouts, no TLS\n"
    "and no log, and waits in place for a client that does not read."
)
ROUNDS = 3
SECONDS = 2.0
DOCUMENT = ROOT / "docs" / "benchmarks.md"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--only", metavar="A,B", help=f"of {', '.join(PACKAGES)}; or floods alone")
    add("--rows", metavar="A,B", help=f"of {', '.join(row.name for row in ROWS)}")
    add("--rounds", type=int, metavar="N", help="(default: 3)")
    add("--seconds", type=float, metavar="S", help="for each sample (default: 2)")
    add("--short", action="store_true", help="one quick round, for correctness only")
    add("--keep", action="store_true", help="use .venv-bench as it is, without network")
    add("--output", type=Path, metavar="FILE", help="write the page here (default: "
        "docs/benchmarks.md, if nothing was left out)")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="keep every sample in this file")
    options = parser.parse_args(arguments)
    try:
        options.rows_chosen = choose_rows(options.rows, options.short)
    except ValueError as error:
        parser.error(str(error))
    options.servers = options.only.split(",") if options.only else _all_servers()
    for name in options.servers:
        if name not in PACKAGES:
            parser.error(f"there is no server {name!r}; there are {', '.join(PACKAGES)}")
    options.rounds = options.rounds or (1 if options.short else ROUNDS)
    options.seconds = options.seconds or (0.5 if options.short else SECONDS)
    if options.output is None and not is_partial(options):
        options.output = DOCUMENT
    return options


def _all_servers() -> list[str]:
    return [name for name in PACKAGES if name != STREAM_FLOOR or compiler()]


class Comparison:
    """One run of everything.

    Args:
        options: from `parse`.
        python: the interpreter of the servers.
        directory: for certificates, and for the server in C.

    Raises:
        CannotSetUpError: that one cannot be compiled.
    """

    def __init__(self, options: argparse.Namespace, python: str, directory: Path) -> None:
        self.rows: list[Row] = options.rows_chosen
        self.rounds: int = options.rounds
        self.seconds: float = options.seconds
        self.is_short: bool = options.short
        self.python = python
        self.floor = os.environ.get("RAWWS")
        self.servers = [*([FLOOR] if self.floor else []), *options.servers]
        base = FLOOR if self.floor else "lineman"
        self.samples = Samples(base if base in self.servers else self.servers[0])
        self.core, self.load_core = machine.cores()
        warmup = 0.05 if self.is_short else 0.3
        self.generator: LinemanBench | Wsload = choose(self.load_core, warmup)
        self.certificate = development_certificate(directory, ["localhost"])
        self.stream_floor = ""
        if STREAM_FLOOR in self.servers:
            source = SERVERS / f"{STREAM_FLOOR}.c"
            self.stream_floor = str(build_stream_floor(source, directory))

    def start(self, name: str, row: Row, stack: ExitStack) -> Server:
        """A server for a row, running until the stack is closed."""
        script = SERVERS / f"{name}_{'stream_' if row.is_stream else ''}server.py"
        words = {FLOOR: [str(self.floor)], STREAM_FLOOR: [self.stream_floor]}.get(
            name, [self.python, str(script)]
        )
        words += [row.protocol, "{port}"] if row.is_stream else ["{port}"]
        if row.is_tls:
            words += [str(self.certificate.cert), str(self.certificate.key)]
        is_udp = row.protocol == "udp"
        return stack.enter_context(serving(name, words, self.core, is_udp))

    def run(self) -> None:
        """Measures all rows, round by round; memory once, with fresh processes."""
        times = [row for row in self.rows if not row.is_memory]
        running: dict[tuple[str, str], Server] = {}
        with ExitStack() as stack:
            for number_of_round in range(1, self.rounds + 1):
                found: dict[tuple[str, str], Sample] = {}
                self.samples.rounds.append(found)
                # Another server is first each time: the one after a heavy server may be slower.
                first = (number_of_round - 1) % len(self.servers)
                order = self.servers[first:] + self.servers[:first]
                for row in times:
                    for name in row.done_by(order):
                        self._sample(number_of_round, row, name, found, running, stack)
        for row in self.rows:
            if row.is_memory:
                for name in row.done_by(self.servers):
                    self._memory(row, name)

    def _sample(
        self, number_of_round: int, row: Row, name: str, found: dict[tuple[str, str], Sample],
        running: dict[tuple[str, str], Server], stack: ExitStack,
    ) -> None:  # fmt: skip
        try:
            server = running.get((name, row.scheme))
            if server is None or not server.is_alive:
                server = running[name, row.scheme] = self.start(name, row, stack)
            sample = for_row(self.generator, row).measure(row, server, self.seconds)
        except (LoadFailedError, ServerFailedError) as error:
            self._fail(row, name, error)
            return
        found[row.name, name] = sample
        shown = f"{number(sample.cost):>6} µs  {sample.per_second:>10,.0f} /s"
        print(f"round {number_of_round}  {row.name:<7} {name:<11} {shown}", flush=True)

    def _memory(self, row: Row, name: str) -> None:
        count = row.connections
        try:
            with ExitStack() as stack:
                server = self.start(name, row, stack)
                generator = for_row(self.generator, row)
                few = replace(row, connections=10)
                with generator.holding(few, server, 60):
                    pass  # only the first connection loads modules
                wait(0.2 if self.is_short else 1.0)
                before = machine.memory_kib(server.pid)
                with generator.holding(row, server, 600):
                    wait(0.2 if self.is_short else 3.0)
                    grown = machine.memory_kib(server.pid) - before
        except (LoadFailedError, ServerFailedError) as error:
            self._fail(row, name, error)
            return
        sample = Sample(max(0.0, grown / count))
        self.samples.rounds[0][row.name, name] = sample
        print(f"memory   {row.name:<7} {name:<11} {number(sample.cost):>6} KiB", flush=True)

    def _fail(self, row: Row, name: str, error: Exception) -> None:
        self.samples.failures[row.name, name] = str(error)
        print(f"FAILED   {row.name:<7} {name:<11} {error}", flush=True)

    def document(self, command: str) -> str:
        """The figures as Markdown.

        Args:
            command: what repeats the run.
        """
        ours = ("lineman", FLOOR, STREAM_FLOOR)
        packages = [name for name in (*self.servers, "uvloop") if name not in ours]
        floor = f"`{FLOOR}` is a server in plain C with nothing but epoll and OpenSSL: the floor."
        facts = Circumstances(
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            machine=machine.describe(),
            versions=machine.versions(self.python, packages),
            command=command,
            generator=self.generator.title,
            rounds=self.rounds,
            seconds=self.seconds,
            is_on_one_core=self.core == self.load_core,
            floor=FLOOR if self.floor else None,
            notes=(*([floor] if self.floor else []), *([STREAM_NOTE] if self.stream_floor else [])),
        )
        return figures(self.samples, self.rows, self.servers, facts)


def allow_descriptors() -> None:
    """Raises this process' limit on open files, which its children inherit, as far as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def repeating(options: argparse.Namespace) -> str:
    """The command that repeats a run."""
    programs = "".join(f"{name}=… " for name in ("WSLOAD", "RAWWS") if os.environ.get(name))
    given = ("only", "rows", "rounds", "seconds")
    usual = {"rounds": ROUNDS, "seconds": SECONDS}
    words = [
        f"--{name} {value:g}" if isinstance(value, float) else f"--{name} {value}"
        for name in given
        if (value := getattr(options, name)) not in (None, usual.get(name))
    ]
    return f"{programs}make bench" + (f" ARGS={shlex.quote(' '.join(words))}" if words else "")


def is_partial(options: argparse.Namespace) -> bool:
    """Whether something was left out, so that the page must not be written."""
    return bool(options.short or options.only or options.rows)


def keep(samples: Samples, path: Path) -> None:
    """Writes every sample to a file."""
    rounds = [
        [{"row": row, "server": server, **asdict(sample)} for (row, server), sample in one.items()]
        for one in samples.rounds
    ]
    path.write_text(json.dumps({"base": samples.base, "rounds": rounds}, indent=1) + "\n")


def main(arguments: list[str]) -> int:
    """Runs the comparison; 0 when every server did every row, 1 when something failed."""
    if arguments[:2] == ["--only", "floods"]:
        return floods.main(arguments[2:])
    options = parse(arguments)
    allow_descriptors()
    try:
        python = set_up(options.servers, options.keep)
    except CannotSetUpError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as directory:
        try:
            comparison = Comparison(options, python, Path(directory))
        except CannotSetUpError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
        comparison.run()
    if options.json is not None:
        keep(comparison.samples, options.json)
    if options.output is None:
        if not options.short:  # such a run shows that everything works, not how fast
            print(f"\n{comparison.document(repeating(options))}")
    else:
        text = comparison.document(repeating(options))
        path: Path = options.output
        page = path.read_text(encoding="utf-8") if path.exists() else SKELETON
        path.write_text(replace_figures(page, text), encoding="utf-8")
        print(f"\nwrote {path}")
    return 1 if comparison.samples.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
