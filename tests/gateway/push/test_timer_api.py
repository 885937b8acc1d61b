"""What programs may say about named timers, and which mistakes they are told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.gateway import System, add_two_nodes
from kit.waiting import wait_until
from lineman import AsyncGatewayClient, GatewayClient, RefusedError, UsageError
from lineman.gateway.holder.timer_table import TimerTable
from lineman.gateway.push import pushing
from lineman.gateway.push.timer_api import TimerApi
from lineman.gateway.wire import versions
from lineman.gateway.wire.timer_messages import CancelTimer, SetTimer, TimerOrder


class Api(TimerApi):
    def __init__(self) -> None:
        self.given: list[TimerOrder] = []

    def _give_timer(self, order: TimerOrder) -> None:
        self.given.append(order)


def test_each_call_is_one_order() -> None:
    api = Api()
    assert api.after(30, "countdown", "a", 1, key="room:7") == "room:7"
    assert api.every(60, "tick", key=7) == "7"
    api.cancel_timer(7)
    own = api.after(0, "once")
    assert api.given == [
        SetTimer("room:7", "countdown", b"\x92\xa1a\x01", 30.0),
        SetTimer("7", "tick", b"\x90", 60.0, True),
        CancelTimer("7"),
        SetTimer(own, "once", b"\x90", 0.0),
    ]
    assert own != api.after(0, "once")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda api: api.after(-1, "f"), "the seconds are -1"),
        (lambda api: api.after("1", "f"), "the seconds are '1'"),
        (lambda api: api.after(float("nan"), "f"), "the seconds are nan"),
        (lambda api: api.after(1, print), "takes the name of a function as text"),
        (lambda api: api.after(1, None), "takes the name of a function, got None"),
        (lambda api: api.after(1, ""), "is empty"),
        (lambda api: api.after(1, "f", object()), "the arguments cannot be kept"),
        (lambda api: api.after(1, "f", key=""), "the key is empty"),
        (lambda api: api.after(1, "f", key=1.5), "a key is text or a whole number"),
        (lambda api: api.after(1, "f", key="k" * 300), "has 300 bytes; give 1 to 256"),
        (lambda api: api.every(0.01, "f", key="k"), "give a number from 0.1"),
        (lambda api: api.every(1, "f", key=None), 'needs key=, such as key="room:7"'),
        (lambda api: api.cancel_timer(None), "a key is text or a whole number"),
    ],
)
def test_a_mistake_is_told_at_once(call: Any, words: str) -> None:
    api = Api()
    with pytest.raises(UsageError, match=words.replace(".", r"\.")):
        call(api)
    assert not api.given


@pytest.fixture(params=["asyncio", "blocking"])
def push(request: pytest.FixtureRequest) -> Any:
    """Runs a function with a program's client of a gateway."""

    def by_asyncio(address: str, function: Any) -> Any:
        async def story() -> Any:
            async with AsyncGatewayClient(address) as gateway:
                return function(gateway)

        return asyncio.run(story())

    def blocking(address: str, function: Any) -> Any:
        with GatewayClient(address) as gateway:
            return function(gateway)

    return by_asyncio if request.param == "asyncio" else blocking


def test_any_program_sets_and_cancels_timers_by_a_link(system: System, push: Any) -> None:
    node = system.add_node("on_message")
    called: list[int] = []
    system.add_business({"timers": {"note": called.append}})
    address = f"unix://{system.paths[0]}"
    push(address, lambda gateway: gateway.after(0, "note", 1))
    wait_until(lambda: called == [1], "it is called")
    push(address, lambda gateway: gateway.every(1000, "note", 2, key="k"))
    system.wait_until(lambda: len(node.timers) == 1, "it is kept")
    push(address, lambda gateway: gateway.cancel_timer("k"))
    system.wait_until(lambda: not len(node.timers), "it is cancelled")


def test_a_program_is_told_where_there_is_no_room(system: System) -> None:
    node = system.add_node("on_message")
    node.timers._table = TimerTable(max_timers=1)

    async def story() -> None:
        async with AsyncGatewayClient(f"unix://{system.paths[0]}") as gateway:
            gateway.after(1000, "note", key="a")
            while gateway._route._takes_timers:  # type: ignore[union-attr]
                await asyncio.sleep(0.01)
            with pytest.raises(RefusedError, match="keeps as many timers as it can"):
                gateway.after(1000, "note", key="b")
            gateway.cancel_timer("a")

    asyncio.run(asyncio.wait_for(story(), 30))
    system.wait_until(lambda: not len(node.timers), "it is cancelled all the same")


def test_a_gateway_of_the_version_before_keeps_none_and_hears_of_none(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.add_node("on_message")
    business = system.add_business({"timers": {"note": print}})
    for link in business._timers.versions:
        business._timers.versions[link] = 4
    with pytest.raises(RefusedError, match="runs an older version of Lineman, which keeps none"):
        system.call(business.after, 1, "note")
    monkeypatch.setattr(pushing.versions, "agreed_with", lambda peer: 4)
    assert versions.own.newest > 4

    async def story() -> None:
        async with AsyncGatewayClient(f"unix://{system.paths[0]}") as gateway:
            with pytest.raises(RefusedError, match="which keeps none"):
                gateway.after(1, "note")

    asyncio.run(asyncio.wait_for(story(), 30))


def test_two_nodes_have_a_business_worker_each_and_one_call_is_made(
    system: System, hub: str
) -> None:
    add_two_nodes(system, hub)
    called: list[int] = []
    for _ in range(2):
        system.add_business({"timers": {"note": called.append}})
    with GatewayClient(f"unix://{system.paths[1]}") as gateway:
        for number in range(10):
            gateway.after(0.02, "note", number)
    wait_until(lambda: len(called) >= 10, "each is called")
    assert sorted(called) == list(range(10))
