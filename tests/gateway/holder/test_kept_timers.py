"""Named timers in gateway processes: who calls them, how often, and what outlives whom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from gateway.peers import Peer, worker
from kit.gateway import System, add_two_nodes, cut_off_and_back, routing_by
from kit.waiting import wait_until
from lineman import RefusedError
from lineman.gateway.business.business_worker import Business
from lineman.gateway.cluster.timer_homes import timer_homes
from lineman.gateway.holder.kept_timers import MAX_DEATHS, MAX_UNKNOWN
from lineman.gateway.holder.node import Node
from lineman.gateway.holder.timer_table import TimerTable
from lineman.gateway.wire.messages import Hello, Retire
from lineman.gateway.wire.node_messages import DropTimer, KeepTimer
from lineman.gateway.wire.timer_messages import CancelTimer, SetTimer, TimerDone, TimerDue

NO_ARGS = b"\x90"


def add_worker(system: System, **functions: Callable[..., Any]) -> Business:
    """A business worker whose program has these functions for timers."""
    return system.add_business({"timers": functions})


def test_a_timer_is_called_once_with_its_arguments(system: System) -> None:
    node = system.add_node("on_message")
    called: list[Any] = []
    business = add_worker(system, note=lambda *args: called.append(args))
    given = ("room", 7, 1.5, True, None, b"\x00", ["a", {"b": [1]}])
    key = system.call(business.after, 0.01, "note", *given)
    wait_until(lambda: called, "it is called")
    assert called == [("room", 7, 1.5, True, None, b"\x00", ["a", {"b": [1]}])]
    system.wait_until(lambda: not len(node.timers), "it is forgotten")
    assert key.startswith("timer-")
    assert called == called[:1]


def test_timers_that_end_with_the_only_gateway_process_are_counted_and_named(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    node = system.add_node("on_message")
    business = add_worker(system, note=int, remind=int)
    for number in range(3):
        system.call(business.after, 1000, "remind" if number else "note", key=number)
    system.wait_until(lambda: len(node.timers) == 3, "they are kept")
    system.call(node.timers.stop)
    assert "3 named timers end with this process" in caplog.text
    assert "remind" in caplog.text


def test_timers_that_another_gateway_process_keeps_are_not_lost_with_one(
    system: System, hub: str, caplog: pytest.LogCaptureFixture
) -> None:
    add_two_nodes(system, hub)
    business = add_worker(system, note=int)
    system.call(business.after, 1000, "note", key="room")
    for node in system.nodes:
        system.wait_until(lambda node=node: len(node.timers) == 1, "both keep it")
    system.call(system.nodes[0].timers.stop)
    assert "named timers end" not in caplog.text


def test_a_key_replaces_its_predecessor_and_cancels_it(system: System) -> None:
    node = system.add_node("on_message")
    called: list[str] = []
    one = add_worker(system, note=called.append)
    other = add_worker(system, note=called.append)
    assert system.call(one.after, 1000, "note", "never", key="room:7") == "room:7"
    system.wait_until(lambda: len(node.timers) == 1, "it is kept")
    system.call(other.after, 0.01, "note", "instead", key="room:7")
    wait_until(lambda: called, "the second one is called")
    system.call(one.after, 1000, "note", "never", key=8)
    system.wait_until(lambda: len(node.timers) == 1, "it is kept")
    system.call(other.cancel_timer, "8")
    system.call(other.cancel_timer, "there is none")
    system.wait_until(lambda: not len(node.timers), "it is cancelled")
    assert called == ["instead"]


def test_a_repeated_one_goes_on_until_it_is_cancelled_and_never_beside_itself(
    system: System,
) -> None:
    node = system.add_node("on_message")
    running = most = calls = 0

    async def tick() -> None:
        nonlocal running, most, calls
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.15)
        running -= 1
        calls += 1

    business = add_worker(system, tick=tick)
    add_worker(system, tick=tick)
    system.call(business.every, 0.1, "tick", key="room:7")
    wait_until(lambda: calls == 3, "it is repeated")
    system.call(business.cancel_timer, "room:7")
    system.wait_until(lambda: not len(node.timers) and not node.timers.running, "it has ended")
    assert most == 1


def test_what_raises_is_logged_and_called_no_more(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    node = system.add_node("on_message")

    def plain() -> None:
        raise ZeroDivisionError("plain")

    async def later() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError("async")

    failures: list[bool] = []
    business = system.add_business(
        {"timers": {"plain": plain, "later": later}, "on_failure": lambda: failures.append(True)}
    )
    for name in ("plain", "later"):
        system.call(business.after, 0, name)
    system.wait_until(lambda: len(failures) == 2, "both have raised")
    system.wait_until(lambda: not len(node.timers), "both are done")
    assert "ZeroDivisionError: plain" in caplog.text
    assert "ZeroDivisionError: async" in caplog.text


def test_the_calls_of_a_worker_that_dies_go_to_another(system: System) -> None:
    node = system.add_node("on_message")
    dying = worker(system)
    dying.say(SetTimer("room:7", "note", NO_ARGS, 0))
    dying.wait_for(TimerDue)
    assert node.timers.running == 1
    dying.close()
    system.wait_until(lambda: not node.timers.running, "it is noticed")
    called: list[str] = []
    add_worker(system, note=lambda: called.append("now"))
    wait_until(lambda: called == ["now"], "the next worker is given it")
    system.wait_until(lambda: not len(node.timers), "it is done")


def test_a_call_with_which_workers_die_is_given_up(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    node = system.add_node("on_message")
    setter = Peer(system)
    setter.say(Hello(4, newest=5))
    setter.say(SetTimer("room:7", "deadly", NO_ARGS, 0))
    for _ in range(MAX_DEATHS):
        dying = worker(system)
        dying.wait_for(TimerDue)
        dying.close()
    system.wait_until(lambda: not len(node.timers), "it is given up")
    assert node.timers.dropped == 1
    assert "the call of the timer deadly (key room:7) is given up: 3 workers" in caplog.text


def test_a_call_that_reloads_cut_off_again_and_again_is_not_given_up(system: System) -> None:
    node = system.add_node("on_message")
    setter = Peer(system)
    setter.say(Hello(4, newest=5))
    setter.say(SetTimer("room:7", "long", NO_ARGS, 0))
    for _ in range(2 * MAX_DEATHS):
        retiring = worker(system)
        retiring.wait_for(TimerDue)
        retiring.say(Retire())
        retiring.close()
    last = worker(system)
    last.say(TimerDone(last.wait_for(TimerDue).id))
    system.wait_until(lambda: not len(node.timers), "it is done")
    assert not node.timers.dropped


def test_a_retiring_worker_finishes_its_calls_and_gets_no_new_ones(system: System) -> None:
    system.add_node("on_message")
    begun: list[int] = []
    ended: list[int] = []
    may_end = asyncio.Event()

    async def call(number: int) -> None:
        begun.append(number)
        await may_end.wait()
        ended.append(number)

    old = add_worker(system, call=call)
    system.call(old.after, 0, "call", 1)
    wait_until(lambda: begun == [1], "it has begun")
    new = add_worker(system, call=lambda number: ended.append(10 * number))
    retiring = asyncio.run_coroutine_threadsafe(old.retire(20), system._loop)
    system.wait_until(lambda: old._retirement.unretired == set(), "it takes no more")
    system.call(new.after, 0, "call", 2)
    wait_until(lambda: ended == [20], "the new one is called")
    system.call(may_end.set)
    retiring.result(20)
    assert ended == [20, 1]
    assert begun == [1]


def test_a_name_that_no_worker_knows_is_tried_later_and_then_given_up(
    system: System, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineman.gateway.holder.kept_timers.UNKNOWN_PAUSE", 0.01)
    node = system.add_node("on_message")
    add_worker(system, count=print)
    peer = Peer(system)
    peer.say(Hello(4, newest=5))
    peer.say(SetTimer("room:7", "cuont", NO_ARGS, 0))
    system.wait_until(lambda: node.timers.dropped == 1, "it is given up")
    assert not len(node.timers)
    text = "a timer wants the function 'cuont', and this program has count"
    assert 1 <= caplog.text.count(text) <= MAX_UNKNOWN


def test_when_there_is_no_room_the_program_is_told_and_old_keys_may_be_replaced(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    node = system.add_node("on_message")
    node.timers._table = TimerTable(max_timers=3)
    business = add_worker(system, note=print)
    for key in range(3):
        system.call(business.after, 1000, "note", key=key)
    system.wait_until(lambda: business._timers.full, "the worker knows it")
    late = add_worker(system, note=print)
    system.wait_until(lambda: late._timers.full, "so does one that comes later")
    with pytest.raises(RefusedError, match=r"as many timers as it can; fix: give them keys"):
        system.call(business.after, 1000, "note")
    peer = Peer(system)  # one that does not know it yet
    peer.say(Hello(4, newest=5))
    peer.say(SetTimer("4", "note", NO_ARGS, 1000), SetTimer("1", "note", NO_ARGS, 1000))
    system.wait_until(lambda: node.timers.refused == 1, "it is refused")
    assert "3 timers are kept in this process, and no more: note was refused" in caplog.text
    system.call(business.cancel_timer, 2)
    system.wait_until(lambda: not business._timers.full, "there is room again")
    system.call(business.after, 1000, "note")


@pytest.mark.parametrize(
    "order",
    [
        SetTimer("", "note", NO_ARGS, 1),
        SetTimer("k" * 300, "note", NO_ARGS, 1),
        SetTimer("key", "", NO_ARGS, 1),
        SetTimer("key", "note", NO_ARGS, float("nan")),
        SetTimer("key", "note", NO_ARGS, float("inf")),
        SetTimer("key", "note", NO_ARGS, 1e12),
        SetTimer("key", "note", NO_ARGS, 1e-9, is_repeated=True),
        SetTimer("key", "note", b"x" * 9000, 1),
    ],
)
def test_garbage_from_a_link_is_refused_and_harms_nobody(
    system: System, order: SetTimer, caplog: pytest.LogCaptureFixture
) -> None:
    node = system.add_node("on_message")
    peer = worker(system)
    peer.say(order, TimerDone("unknown"), CancelTimer("unknown"))
    peer.say(SetTimer("good", "note", b"no MessagePack", 0))
    assert peer.wait_for(TimerDue).name == "note"
    assert len(node.timers) == 1
    assert "was refused" in caplog.text


# Several nodes.


@pytest.fixture
def two(system: System, hub: str) -> tuple[Node, Node]:
    add_two_nodes(system, hub)
    return system.nodes[0], system.nodes[1]


def test_both_homes_keep_a_timer_and_one_has_it_called(
    system: System, two: tuple[Node, Node]
) -> None:
    called: list[int] = []
    business = add_worker(system, note=called.append)
    for number in range(20):
        system.call(business.after, 0.3, "note", number)
    system.wait_until(lambda: [len(node.timers) for node in two] == [20, 20], "both keep them")
    wait_until(lambda: sorted(called) == list(range(20)), "each is called")
    system.wait_until(lambda: not any(len(node.timers) for node in two), "both forget them")
    assert len(called) == 20


def test_a_timer_is_replaced_and_cancelled_from_any_node(
    system: System, two: tuple[Node, Node]
) -> None:
    called: list[int] = []
    business = add_worker(system, note=called.append)
    for number in range(10):
        system.call(business.after, 1000, "note", number, key=number)
    for number in range(10):
        system.call(business.after, 0.05, "note", 100 + number, key=number)
    wait_until(lambda: len(called) == 10, "the new ones are called")
    assert sorted(called) == list(range(100, 110))
    for number in range(10):
        system.call(business.every, 1000, "note", number, key=number)
    system.wait_until(lambda: [len(node.timers) for node in two] == [10, 10], "both keep them")
    for number in range(10):
        system.call(business.cancel_timer, number)
    system.wait_until(lambda: not any(len(node.timers) for node in two), "both forget them")


def test_when_a_node_ends_the_other_one_goes_on_with_its_timers(
    system: System, two: tuple[Node, Node]
) -> None:
    called: list[int] = []
    business = add_worker(system, note=called.append)
    for number in range(20):
        system.call(business.after, 0.5, "note", number, key=number)
    system.wait_until(lambda: [len(node.timers) for node in two] == [20, 20], "both keep them")
    system.run(two[1].stop())
    wait_until(lambda: set(called) == set(range(20)), "each is called")
    system.wait_until(lambda: not len(two[0].timers), "and forgotten")


def test_a_node_that_comes_gets_the_timers_whose_home_it_is(
    system: System, hub: str, two: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineman.gateway.holder.kept_timers.LEAVING_TIME", 0.2)
    business = add_worker(system, note=print)
    for number in range(30):
        system.call(business.after, 1000, "note", number, key=number)
    system.wait_until(lambda: [len(each.timers) for each in two] == [30, 30], "both keep them")
    third = system.add_node("on_message", routing=routing_by(hub, tells_users=False))

    def keeps_its_own(node: Node) -> bool:
        cluster = node.routing.cluster
        assert cluster is not None
        keys = [str(number) for number in range(30)]
        own = {key for key in keys if node.name in timer_homes(cluster, key, node.name)}
        kept = {timer.key for timer in node.timers._table}
        return len(cluster.nodes) == 3 and kept == own

    system.wait_until(lambda: all(map(keeps_its_own, system.nodes)), "each has its own")
    assert sum(len(each.timers) for each in system.nodes) == 60
    assert len(third.timers) > 0


def test_timers_that_are_set_without_the_broker_go_to_their_homes_when_it_is_back(
    system: System, hub: str, two: tuple[Node, Node]
) -> None:
    called: list[int] = []
    business = add_worker(system, note=called.append)

    def meanwhile() -> None:
        for number in range(10):
            system.call(business.after, 1000, "note", number, key=number)
            system.call(business.after, 0.01, "note", number)
        wait_until(lambda: sorted(called) == list(range(10)), "each is called")
        system.wait_until(lambda: sum(len(node.timers) for node in two) == 10, "one keeps each")

    cut_off_and_back(system, hub, meanwhile)
    system.wait_until(lambda: [len(node.timers) for node in two] == [10, 10], "both keep them")


def test_a_copy_whose_call_was_made_is_dropped_also_if_nobody_says_so(
    system: System, two: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineman.gateway.holder.kept_timers.COPY_TIME", 0.1)
    told = KeepTimer("f" * 8, "k", "1", "note", NO_ARGS, 0.01, 0.0, 1, True)
    first, second = timer_homes(two[0].routing.cluster, "k", two[0].name)  # type: ignore[arg-type]
    copy = next(node for node in two if node.name == second)
    system.call(copy.timers._on_keep, told)
    assert first != second
    system.wait_until(lambda: not len(copy.timers), "it is dropped")
    assert not copy.timers.dropped


def test_of_two_settings_the_later_one_counts_whichever_comes_last(
    system: System, two: tuple[Node, Node]
) -> None:
    timers = two[0].timers
    new = KeepTimer("f" * 8, "k", "2", "new", NO_ARGS, 1000, 0.0, 2, True)
    old = KeepTimer("f" * 8, "k", "1", "old", NO_ARGS, 1000, 0.0, 1, False)
    for told in (new, old, new):
        system.call(timers._on_keep, told)
        kept = timers._table.get("k")
        assert kept is not None
        assert kept.name == "new"
    system.call(timers._on_drop, DropTimer("f" * 8, "k", "1"))  # the end of the old one
    assert len(timers) == 1
    system.call(timers._on_drop, DropTimer("f" * 8, "k"))
    assert not len(timers)


def test_timers_that_were_lost_on_their_way_are_asked_for(
    system: System, two: tuple[Node, Node]
) -> None:
    business = add_worker(system, note=print)
    for number in range(10):
        system.call(business.after, 1000, "note", number, key=number)
    system.wait_until(lambda: [len(node.timers) for node in two] == [10, 10], "both keep them")
    timers = two[0].timers
    for timer in timers._table:
        system.call(timers._table.drop, timer.key)
    assert not len(timers)
    system.call(timers.ask)
    system.call(timers.ask)  # at once is one question
    system.wait_until(lambda: len(timers) == 10, "it has them again")


def test_a_repeated_one_whose_name_no_worker_knows_yet_is_not_given_up_sooner(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineman.gateway.holder.kept_timers.UNKNOWN_PAUSE", 0.5)
    monkeypatch.setattr("lineman.gateway.holder.kept_timers.MAX_UNKNOWN", 3)
    node = system.add_node("on_message")
    add_worker(system, count=print)
    peer = Peer(system)
    peer.say(Hello(4, newest=5))
    begun = time.monotonic()
    peer.say(SetTimer("room:7", "later", NO_ARGS, 0.1, True))
    system.wait_until(lambda: node.timers.dropped == 1, "it is given up")
    assert time.monotonic() - begun > 0.9  # two pauses
    assert not len(node.timers)
