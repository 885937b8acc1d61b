"""Clients of a load test over UDP."""

from __future__ import annotations

import pytest

from cli.benching import Bench, answered, assert_good, serving
from kit.program import free_ports
from lineman import DatagramPeer


@pytest.mark.parametrize(
    "words",
    [["--size", "0"], ["--size", "65507"], ["--depth", "8", "--batch"], ["--rate", "300"]],
    ids=" ".join,
)
def test_datagrams_are_answered(bench: Bench, words: list[str]) -> None:
    with serving("udp") as url:
        values = assert_good(bench(url, "--json", "--connections", "2", *words))
    assert answered(values) >= 2
    assert values["payload_bytes"] == values["count"] * values["size"]


def test_lost_datagrams_are_counted_and_the_clients_go_on(bench: Bench) -> None:
    seen = []

    def answer(peer: DatagramPeer, data: bytes) -> None:
        seen.append(data)
        if len(seen) % 3:
            peer.send(data)

    with serving("udp", on_message=answer) as url:
        words = ["--connections", "1", "--timeout", "0.05", "--depth", "3"]
        outcome = bench(url, *words, "--json", duration="0.5")
    assert outcome.status == 1
    values = outcome.json
    assert values["failures"] == {}
    assert values["unanswered"] > 0
    assert values["count"] > 2
    assert answered(values) + values["unanswered"] == len(seen)


def test_datagrams_to_a_port_where_nobody_listens_are_reported(bench: Bench) -> None:
    (port,) = free_ports(1)
    outcome = bench(f"udp://127.0.0.1:{port}", "--connections", "2", duration="30")
    assert outcome.status == 1
    assert f"2 × nothing listens on 127.0.0.1, port {port}: connection refused" in outcome.out
    assert f"ss -lun 'sport = :{port}'" in outcome.out
