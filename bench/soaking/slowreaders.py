"""Measures a broadcast while many of its receivers read nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sidebyside import machine
from sidebyside.processes import Server
from sidebyside.rows import KIB

from soaking import Place, bench, open_clients

POLICIES = ("close", "drop_oldest", "latest")
READERS = 20
SIZE = 16 * KIB
RATE = 200  # messages a second: as much as is allowed to wait for a reader comes in a third of one
SECONDS = 4
GIVEN_BACK = 12.0  # seconds; a process looks every ten for memory to give back
# The memory that a reader may use: `max_send_buffer_size`, the bytes in the transport, a message,
# and an idle connection with its TLS.
BOUND = 1024 * KIB + 64 * KIB + SIZE + 20 * KIB


@dataclass(frozen=True, slots=True)
class Found:
    """The results with one policy.

    Attributes:
        alone: latency and count of clients that read, without slow readers.
        filling: the same while the slow readers' kernel buffers and send buffers fill.
        full: the same from then on.
        lost: failures of clients that read, and messages that they did not get.
        peak: the most memory above that before the slow readers came, in KiB.
        left: KiB above it after they, and as many others after them, had left.
    """

    alone: str
    filling: str
    full: str
    lost: int
    peak: int
    left: int


def measure(place: Place, policy: str, count: int) -> Found:
    """Broadcasts to readers alone, then twice beside `count` clients that read nothing."""
    with place.broadcasting(policy) as server:
        url = place.url(server)
        alone = _load(url)
        before = machine.memory_kib(server.pid)
        machine.forget_peak(server.pid)
        filling, full = _beside(place, server, count)
        peak = machine.peak_memory_kib(server.pid)
        _beside(place, server, count)
        left = machine.memory_kib(server.pid)
    lost = sum(_lost(each) for each in (filling, full))
    return Found(
        _words(alone), _words(filling), _words(full), lost,
        peak - before, left - before,
    )  # fmt: skip


def _beside(place: Place, server: Server, count: int) -> tuple[dict[str, Any], dict[str, Any]]:
    url = place.url(server)
    with open_clients(server, place.tls, count, receive_buffer=4096):
        found = _load(url), _load(url)
    time.sleep(GIVEN_BACK)
    return found


def _lost(found: dict[str, Any]) -> int:
    return int(found["unanswered"]) + sum(found["failures"].values())


def _load(url: str) -> dict[str, Any]:
    return bench(
        url, "--mode", "broadcast", "--connections", str(READERS), "--size", str(SIZE),
        "--rate", str(RATE), "--depth", "16", "--duration", str(SECONDS),
    )  # fmt: skip


def _words(found: dict[str, Any]) -> str:
    latency = found["latency_us"]
    return (
        f"{found['count']} copies, p50 {latency['p50'] / 1000:.2f} ms, "
        f"p99 {latency['p99'] / 1000:.2f} ms"
    )
