"""`docs/benchmarks.md`, pure: puts the figures of a run between the hand-written texts."""

from __future__ import annotations

from dataclasses import dataclass

from sidebyside.rows import STREAM_FLOOR, Row
from sidebyside.samples import TIE, Samples
from sidebyside.table import MISSING, bold_least, number, render

Marks = tuple[str, str]  # the program writes between these lines

BEGIN = "<!-- figures: begin; `make bench` writes from here -->"
END = "<!-- figures: end; `make bench` writes up to here -->"

GATEWAY_MARKS = (
    "<!-- gateway: begin; `make bench-gateway` writes from here -->",
    "<!-- gateway: end; `make bench-gateway` writes up to here -->",
)

SKELETON = f"""\
# Benchmarks

This page shows what a message and a connection cost a server: Lineman beside other servers for
Python, at the same work on the same machine. `make bench` measures, and writes the figures on
this page anew.

{BEGIN}
{END}

## The gateway

{GATEWAY_MARKS[0]}
{GATEWAY_MARKS[1]}
"""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How a run was made.

    Attributes:
        date: as `2026-01-31`.
        machine: phrases about it.
        versions: of everything that took part.
        command: what repeats it.
        generator: the load generator.
        rounds: how many.
        seconds: how long each sample took.
        is_on_one_core: server and load had to share a core.
        floor: the server that shows the least possible cost of the work, and is not compared.
        notes: further facts for the reader.
    """

    date: str
    machine: list[str]
    versions: list[str]
    command: str
    generator: str
    rounds: int
    seconds: float
    is_on_one_core: bool = False
    floor: str | None = None
    notes: tuple[str, ...] = ()


def replace_figures(text: str, figures: str, marks: Marks = (BEGIN, END)) -> str:
    """The page with new figures; the text around them is kept.

    Raises:
        ValueError: the page lacks the marks around the figures.
    """
    first, last = marks
    before, begin, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"the page lacks the line {last if begin else first!r}; put it back")
    return f"{before}{first}\n\n{figures.strip()}\n\n{last}{after}"


def figures(samples: Samples, rows: list[Row], servers: list[str], facts: Circumstances) -> str:
    """All results of a run, as Markdown."""
    streams = [row for row in rows if row.is_stream]
    rows = [row for row in rows if not row.is_stream]
    streaming = [server for server in (STREAM_FLOOR, "lineman") if server in servers]
    servers = [server for server in servers if server != STREAM_FLOOR]
    times = [row for row in rows if not row.is_memory]
    memory = [row for row in rows if row.is_memory]
    blocks = [_circumstances(facts)]
    if times:
        blocks += [_ratios(samples, times, servers, facts.floor)]
        blocks += [_costs(samples, times, servers)]
        blocks += [_latencies(samples, times, servers)]
    if memory:
        blocks.append(_memory(samples, memory, servers, facts.floor))
    if streams:
        blocks.append(_streams(samples, streams, streaming))
    competitors = [server for server in servers if server != facts.floor]
    blocks.append(_winners(samples, rows, competitors))
    if samples.failures:
        blocks.append(_failures(samples))
    return "\n".join(block for block in blocks if block)


def _circumstances(facts: Circumstances) -> str:
    core = "on the same core, the only one" if facts.is_on_one_core else "on another"
    lines = [
        f"Measured on {facts.date}: {', '.join(facts.machine)}.",
        f"Every server is one process on one core, the load ({facts.generator}) {core}.",
        f"Rounds: {facts.rounds}, interleaved, {facts.seconds:g} s for each server and row.",
        "",
        *(f"- {version}" for version in facts.versions),
        "",
        "To repeat it:",
        "",
        "```sh",
        facts.command,
        "```",
        *(f"\n{note}" for note in facts.notes),
    ]
    return "\n".join(lines) + "\n"


def _bold(found: dict[str, float | None], floor: str | None) -> list[str]:
    """The cells of a line, with the best competitor in bold."""
    competing = [server for server in found if server != floor]
    shown = dict(zip(competing, bold_least([found[one] for one in competing]), strict=True))
    return [shown.get(server, number(value)) for server, value in found.items()]


def _ratios(samples: Samples, rows: list[Row], servers: list[str], floor: str | None) -> str:
    lines = []
    for row in rows:
        found = {one: samples.ratio(row.name, one) for one in servers}
        lines.append([f"{row.name}: {row.title}", *_bold(found, floor)])
    return (
        f"## CPU time for each message, {samples.base} = 1.0\n\n"
        "User and system time of the server's process; for `h` and `hs`, for each connection.\n"
        f"Each sample is divided by that of {samples.base} in the same round; the table has the\n"
        "median of the rounds. Less is better.\n\n" + render(["work", *servers], lines)
    )


def _costs(samples: Samples, rows: list[Row], servers: list[str]) -> str:
    lines = [[row.name, *(number(samples.cost(row.name, one)) for one in servers)] for row in rows]
    return (
        "## The same in microseconds\n\n"
        "The median of the rounds. These move with the machine and its neighbours by a quarter;\n"
        "the ratios do less.\n\n" + render(["work", *servers], lines)
    )


def _latencies(samples: Samples, rows: list[Row], servers: list[str]) -> str:
    row = next((row for row in rows if row.name == "a"), None)
    if row is None:
        return ""
    lines = []
    for server in servers:
        found = samples.latency(row.name, server)
        lines.append([server, *(number(value) for value in (found or (None, None)))])
    return (
        "## Latency of one connection\n\n"
        "There and back in microseconds, row `a`; the load generator's own time is in it.\n\n"
        + render(["server", "p50", "p99"], lines)
    )


def _memory(samples: Samples, rows: list[Row], servers: list[str], floor: str | None) -> str:
    lines = []
    for row in rows:
        found = {one: samples.cost(row.name, one) for one in servers}
        title = f"{row.name}: {row.title}, {row.connections:,} of them"
        lines.append([title, *_bold(found, floor)])
    return (
        "## Memory for each connection, KiB\n\n"
        "What the server's resident memory grows by while so many connections are open and idle,\n"
        "divided by their number. Less is better.\n\n" + render(["", *servers], lines)
    )


def _streams(samples: Samples, rows: list[Row], servers: list[str]) -> str:
    base = servers[0]
    lines = []
    for row in rows:
        title = row.title + (f", {row.connections:,} of them" if row.is_memory else "")
        ratios = [] if row.is_memory else [samples.ratio(row.name, one, base) for one in servers]
        cells = [number(value) for value in ratios] or [MISSING] * len(servers)
        costs = [number(samples.cost(row.name, one)) for one in servers]
        lines.append([f"{row.name}: {title}", *cells, *costs])
    head = ["work", *servers, *(f"{one}, µs" for one in servers)]
    return (
        f"## Protocols without HTTP, {base} = 1.0\n\n"
        "CPU time for each message as above, in ratios and in microseconds; for `tcph`, for each\n"
        "connection; `mt` is memory for each connection in KiB. The load is `lineman bench`.\n\n"
        + render(head, lines)
    )


def _winners(samples: Samples, rows: list[Row], servers: list[str]) -> str:
    head = "## Where others are better\n\n"
    others = [server for server in servers if server != "lineman"]
    if "lineman" not in servers or not others:
        return ""
    lines = []
    for row in rows:
        found = samples.winners(row.name, "lineman", others)
        if found:
            words = ", ".join(f"{name} needs {share:.0%}" for name, share in found)
            lines.append(f"- {row.name}, {row.title}: {words} of what Lineman needs.\n")
    if not lines:
        return f"{head}In this run nowhere by more than {TIE:.0%}; closer ones are ties.\n"
    return f"{head}By more than {TIE:.0%}; closer ones are ties.\n\n{''.join(lines)}"


def _failures(samples: Samples) -> str:
    lines = [f"- {row}, {server}: {words}\n" for (row, server), words in samples.failures.items()]
    return "## What failed\n\n" + "".join(lines)
