"""The short form of the counting runs: one service, one fault after the other."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from faults.counted_service import Balance, CountedService
from faults.counting_client import Member
from faults.kinds_of_faults import ALL, FAULTS


async def run(kind: str, directory: Path, *names: str) -> list[Balance]:
    service = CountedService(kind, directory, publishes=True)
    found = []
    try:
        await service.start()
        for name in names:
            fault = FAULTS[name]
            assert kind in fault.needs
            service.talk()
            await fault.act(service)
            found.append(await service.balance(name, fault.is_exact, fault.spares_workers))
    finally:
        await service.close()
    return found


@pytest.mark.e2e
def test_sent_is_delivered_and_told_whatever_fails(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("f")  # a unix socket's path is short
    names = ("business worker killed", "broker restarted", "machine cut off for 5 s")
    names = (*names, "gateway process stopped, then killed")
    balances = asyncio.run(run("redis", directory, *names))
    for balance in balances:
        assert balance.problems == []
        assert balance.delivered
        assert balance.published
    assert balances[1].missed
    assert balances[2].lost
    assert balances[3].told["gateway_unconfirmed_orders"]


def test_every_fault_is_known_to_some_broker() -> None:
    for fault in FAULTS.values():
        assert set(fault.needs) <= set(ALL)
        assert fault.needs


def page(epoch: str, offset: int, *, is_complete: bool) -> dict[str, Any]:
    return {"epoch": epoch, "offset": offset, "missed": [], "is_complete": is_complete}


def test_what_a_member_was_told_to_miss_is_not_out_of_order_when_it_comes_behind_the_page() -> None:
    member = Member()
    assert not member.take("one", 1, "a")
    member.take_page(page("two", 7, is_complete=False))
    assert not member.take("two", 6, "b")
    assert not member.take("two", 7, "c")
    assert (member.told, member.disorder) == (1, 0)


def test_a_message_behind_newer_ones_is_out_of_order_also_for_who_was_told_before() -> None:
    member = Member()
    member.take_page(page("two", 7, is_complete=False))
    assert not member.take("two", 8, "d")
    assert not member.take("two", 9, "e")
    member.had.pop("d")  # as if it had not come
    assert not member.take("two", 8, "d")
    assert member.disorder == 1
    member.take_page(page("two", 9, is_complete=True))
    assert not member.take("two", 9, "lost")
    assert member.disorder == 2
