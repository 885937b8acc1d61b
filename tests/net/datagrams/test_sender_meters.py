"""How much each sender of datagrams may send: past it is dropped and counted; the tables end."""

from __future__ import annotations

from typing import Any

import pytest

from kit.datagrams import ServeDatagrams
from kit.waiting import wait_until
from lineman.net.connection.limits import Limits
from lineman.net.datagrams.sender_meters import LatestOnly, SenderMeters


class Clock:
    """A clock that stands until the test moves it."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def meters(most: int = 1000, **limits: Any) -> tuple[SenderMeters, Clock]:
    clock = Clock()
    return SenderMeters(Limits(**limits), clock, most), clock


def passed(found: SenderMeters, ip: str, port: int, size: int = 1) -> str:
    """The limit that a datagram passes; empty for none."""
    limit = found.passed((ip, port), size)
    return "" if limit is None else limit[0]


def test_a_sender_has_a_rate_of_its_own() -> None:
    found, clock = meters(messages_per_second=2)
    assert [passed(found, "192.0.2.1", 1) for _ in range(5)].count("") == 4
    assert passed(found, "192.0.2.1", 1) == "messages_per_second"
    assert passed(found, "192.0.2.1", 2) == ""
    clock.now += 1
    assert [passed(found, "192.0.2.1", 1) for _ in range(3)] == ["", "", "messages_per_second"]


def test_bytes_are_limited_as_well() -> None:
    found, _ = meters(bytes_per_second=100)
    assert passed(found, "192.0.2.1", 1, 150) == ""
    assert passed(found, "192.0.2.1", 1, 60) == "bytes_per_second"
    assert passed(found, "192.0.2.1", 1, 50) == ""


def test_all_ports_of_an_address_share_its_rate() -> None:
    found, _ = meters(messages_per_second_per_ip=2)
    results = [passed(found, "192.0.2.1", port) for port in range(6)]
    assert results == [""] * 4 + ["messages_per_second_per_ip"] * 2
    assert passed(found, "192.0.2.2", 1) == ""
    assert [passed(found, f"2001:db8::{i}", 1) for i in range(6)] == results
    assert [passed(found, "127.0.0.1", port) for port in range(6)] == [""] * 6


def test_tables_of_forged_addresses_have_a_bound() -> None:
    found, _ = meters(most=100, messages_per_second=1, messages_per_second_per_ip=1)
    for number in range(10_000):
        found.passed((f"192.{number >> 16}.{number >> 8 & 255}.{number & 255}", number), 1)
    assert len(found) == 100


def test_the_one_that_was_not_asked_for_the_longest_is_forgotten() -> None:
    made = []
    table: LatestOnly[int, str] = LatestOnly(lambda key: made.append(key) or str(key), 3)
    for key in (1, 2, 3, 1, 4, 1, 2):
        assert table.get(key) == str(key)
    assert made == [1, 2, 3, 4, 2]


@pytest.mark.parametrize(("name", "size"), [("messages_per_second", 1), ("bytes_per_second", 3000)])
def test_past_a_rate_datagrams_are_dropped_and_counted(
    serve: ServeDatagrams, name: str, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(on_message=lambda peer, data: peer.send(data), **{name: 0.001 * size})
    client = site.client()
    assert client.ask(bytes(size)) == bytes(size)
    client.send(bytes(size))
    wait_until(lambda: site.hits == {name: 1}, "it is dropped")
    other = site.client()
    assert other.ask(bytes(size)) == bytes(size)
    assert f"127.0.0.1:{client.name[1]}: a datagram was dropped: more than" in caplog.text
