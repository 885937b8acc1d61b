"""A peer cannot fill the log: every line that a peer can cause goes through a limit."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "lineman"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}

# The rooms that peers reach; lines of other rooms come from files, the master and the program.
ROOMS = ("net", "gateway", "brokers", "protocols", "metrics")

# Lines that no peer can cause as often as it likes, and why.
KNOWN = {
    "net/listening/proxy_lists.py": "a file with lists was written anew",
    "brokers/nats.py": "once for each connection to the broker",
    "brokers/redis.py": "once for each connection to the broker",
    "brokers/remote.py": "the broker's connection, which is dialled with growing pauses",
    "gateway/cluster/cluster.py": "gateway processes that come and go, and the broker",
    "gateway/business/running_callbacks.py": "once, at the end of a process",
    "gateway/wire/dialling.py": "a gateway process on this machine went away",
    "links/rendezvous.py": "somebody with the rights of the service removed a socket",
    "gateway/holder/history_handover.py": "once, at the end of a process",
    "gateway/holder/routing.py": "once, at the start or the end",
    "metrics/exporter.py": "once, at the start",
    "net/datagrams/receive_buffer.py": "once, at the start",
    "net/listening/bind.py": "once, at the start",
}


def modules() -> list[Path]:
    found: list[Path] = []
    for room in ROOMS:
        path = PACKAGE / room
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [path.relative_to(PACKAGE) for path in found]


def direct_calls(path: Path) -> Iterator[int]:
    """Lines that write to a logger without a limit."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        target = node.func.value
        is_logger = (isinstance(target, ast.Name) and target.id in ("logger", "logging")) or (
            isinstance(target, ast.Call) and "getLogger" in ast.unparse(target)
        )
        if is_logger and node.func.attr in LEVELS:
            yield node.lineno


def test_there_are_modules_to_look_at() -> None:
    assert Path("net/connection/lifecycle.py") in modules()


@pytest.mark.parametrize("path", modules(), ids=str)
def test_what_a_peer_can_cause_goes_through_a_limit(path: Path) -> None:
    if str(path) in KNOWN or str(path) == "base/loglimit.py":
        return
    lines = list(direct_calls(path))
    assert not lines, f"{path}: lines {lines} log without a LogLimit; a peer may cause them"


@pytest.mark.parametrize("name", KNOWN)
def test_an_exception_that_is_no_longer_needed_is_taken_back(name: str) -> None:
    assert list(direct_calls(Path(name))), f"take {name} out of KNOWN"
