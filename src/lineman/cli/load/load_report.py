"""The result of a load test as text for a terminal and as values for JSON, pure."""

from __future__ import annotations

from typing import Any

from lineman.cli.load.histogram import Histogram
from lineman.cli.load.load_counts import Result
from lineman.cli.load.load_plan import Mode, Plan
from lineman.cli.websocket_client.failures import close_words

PERCENTILES = (50.0, 90.0, 99.0, 99.9)
ROWS = 12  # of the histogram
BAR = 40  # characters of its longest bar
_EIGHTHS = " ▏▎▍▌▋▊▉"
_LABEL = 16

_COUNTED = {
    Mode.ECHO: "messages",
    Mode.BROADCAST: "copies",
    Mode.CONNECT: "connections",
    Mode.IDLE: "messages",
}


def duration(nanoseconds: float) -> str:
    """A duration in the unit that suits it: `812 µs`, `1.24 ms`, `2.10 s`."""
    for unit, size in (("s", 1e9), ("ms", 1e6)):
        if nanoseconds >= size * 0.9995:
            return f"{three_digits(nanoseconds / size)} {unit}"
    return f"{three_digits(nanoseconds / 1e3)} µs"


def three_digits(value: float) -> str:
    """A number with three significant digits: `1.24`, `12.4`, `124`, `1,240`."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def bar(share: float, width: int = BAR) -> str:
    """A bar of this share of the width, in eighths of a character; never empty above 0.

    Args:
        share: 0 to 1.
        width: characters of a whole bar.
    """
    eighths = round(share * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def render(result: Result) -> str:
    """The whole report, with a line break at its end."""
    blocks = [_head(result), _figures(result)]
    if result.latency.count:
        blocks.append(_percentiles(result.latency))
        blocks.append(_bars(result.latency))
    blocks.append(_troubles(result))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(result: Result) -> list[str]:
    plan = result.plan
    lines = [f"{plan.opening.target}  {_what(plan)}"]
    spoken = [word for word in (result.tls, result.subprotocol) if word]
    if spoken:
        lines.append("  " + ", ".join(spoken))
    return lines


def _what(plan: Plan) -> str:
    words = [plan.mode.value, f"{plan.connections:,} connections"]
    if plan.mode in (Mode.ECHO, Mode.BROADCAST):
        kind = {"ws": "text" if plan.is_text else "binary"}.get(plan.protocol, "")
        words.append(f"{plan.size:,} B {kind}".rstrip())
        if plan.depth > 1:
            words.append(f"{plan.depth} in flight")
    if plan.rate is not None:
        words.append(f"{plan.rate:,g} a second")
    return ", ".join([*words, f"{plan.duration:g} s"])


def _figures(result: Result) -> list[str]:
    lines = []
    early = f", ended after {result.seconds:.1f} s" if result.is_interrupted else ""
    if result.plan.mode is not Mode.IDLE:
        what = _COUNTED[result.plan.mode]
        lines.append(_line(what, f"{result.count:,}   {three_digits(result.per_second)} /s{early}"))
    if result.payload:
        rate = result.payload / result.seconds / 1e6
        total = result.payload / 1e6
        lines.append(_line("payload", f"{three_digits(total)} MB   {three_digits(rate)} MB/s"))
    if result.plan.mode is not Mode.CONNECT:
        opened = f"{result.opened:,} opened in {duration(result.opening_seconds * 1e9)}"
        held = f", held {result.seconds:.1f} s" if result.plan.mode is Mode.IDLE else ""
        lines.append(_line("connections", opened + held))
    if result.cpu_per_count is not None and result.server is not None:
        share = result.server.user_share
        user = "" if share is None else f"   {share:.0%} user"
        each = duration(result.cpu_per_count * 1e9)
        one = {"copies": "copy"}.get(what, what.rstrip("s"))
        lines.append(_line("server CPU", f"{each} per {one}{user}"))
    return lines


def _line(label: str, text: str) -> str:
    return f"  {label:<{_LABEL}}{text}"


def _percentiles(latency: Histogram) -> list[str]:
    words = [f"p{percent:g} {duration(latency.percentile(percent))}" for percent in PERCENTILES]
    return [_line("latency", "   ".join([*words, f"max {duration(latency.max)}"]))]


def _bars(latency: Histogram) -> list[str]:
    spans = latency.spans(ROWS)
    most = max(count for _, _, count in spans)
    return [
        f"  ≤ {duration(stop):>8} {bar(count / most):<{BAR}} {count / latency.count:>6.1%}"
        for _, stop, count in spans
    ]


def _troubles(result: Result) -> list[str]:
    lines = []
    for kind, count in sorted(result.failures.items(), key=lambda item: -item[1]):
        example = result.examples.get(kind)
        words = kind if example is None else f"{example.seen}; fix: {example.fix}"
        lines.append(_line("failures", f"{count:,} × {words}"))
    if not result.failures:
        lines.append(_line("failures", "none"))
    if result.unanswered:
        when = "lost or late" if result.plan.protocol == "udp" else "at the end"
        lines.append(_line("unanswered", f"{result.unanswered:,} {when}"))
    if result.others:
        lines.append(_line("other messages", f"{result.others:,}, which were no answers"))
    if result.close_codes:
        codes = sorted(result.close_codes.items())
        shown = [f"{close_words(code)} × {count:,}" for code, count in codes]
        lines.append(_line("close codes", ", ".join(shown)))
    return lines


def as_json(result: Result) -> dict[str, Any]:
    """The result as values for JSON; names say the unit, microseconds where it is `_us`."""
    plan, latency = result.plan, result.latency
    return {
        "url": str(plan.opening.target),
        "mode": plan.mode.value,
        "connections": plan.connections,
        "size": plan.size,
        "depth": plan.depth,
        "rate": plan.rate,
        "text": plan.is_text,
        "tls": result.tls,
        "subprotocol": result.subprotocol,
        "seconds": round(result.seconds, 6),
        "interrupted": result.is_interrupted,
        "count": result.count,
        "per_second": round(result.per_second, 3),
        "payload_bytes": result.payload,
        "opened": result.opened,
        "opening_seconds": round(result.opening_seconds, 6),
        "latency_us": _latency_json(latency),
        "histogram_us": [
            [round(start / 1e3, 3), round(stop / 1e3, 3), count]
            for start, stop, count in latency.spans(ROWS)
        ],
        "failures": result.failures,
        "unanswered": result.unanswered,
        "other_messages": result.others,
        "close_codes": {str(code): count for code, count in sorted(result.close_codes.items())},
        "server_cpu_seconds": None if result.server is None else round(result.server.seconds, 9),
        "server_cpu_us_each": _micro(result.cpu_per_count),
        "server_user_share": None if result.server is None else result.server.user_share,
    }


def _latency_json(latency: Histogram) -> dict[str, float] | None:
    if not latency.count:
        return None
    found = {f"p{percent:g}": latency.percentile(percent) / 1e3 for percent in PERCENTILES}
    return {**found, "max": latency.max / 1e3, "mean": round(latency.mean / 1e3, 3)}


def _micro(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e6, 4)
