"""A node that stops hands its histories over: their places stay valid, and nothing is missing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.gateway import System, add_two_nodes
from lineman.gateway.cluster.presence import homes_of
from lineman.gateway.holder.group_histories import Histories
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.holder.history_handover import HistoryHandover, handed
from lineman.gateway.holder.node import Node
from lineman.gateway.wire.messages import PublishToGroup
from lineman.gateway.wire.node_messages import BETWEEN_NODES, HandOver
from lineman.links.framing import encode

OLD, HEIR, OTHER = "00000001", "00000002", "00000003"


def histories(messages: int = 100) -> Histories:
    return Histories(HistoryOptions(messages=messages), lambda: 50.0)


def heir(kept: Histories) -> HistoryHandover:
    return HistoryHandover(HEIR, kept, lambda node, message: None, lambda: True)


def given(kept: Histories, size: int = 200_000) -> list[HandOver]:
    """The messages to the only heir, as they arrive."""
    found = list(handed(OLD, kept.all(), [HEIR], size))
    assert {node for node, _ in found} <= {HEIR}
    return [BETWEEN_NODES.decode(encode(message)) for _, message in found]  # type: ignore[misc]


@pytest.mark.parametrize("size", [1, 50, 200_000])
def test_every_group_goes_on_with_its_epoch_its_offsets_and_its_messages(size: int) -> None:
    old, new = histories(), histories()
    for number in range(7):
        old.add("room", f"text {number}")
        old.add("files", bytes([number]) * 100)
    assert old.begin("quiet")
    taking = heir(new)
    for message in given(old, size):
        assert taking.take(message, [OLD, HEIR]) == []
    assert taking.unfinished() == []
    for group in ("room", "files"):
        assert new.since(group, "", 0) == old.since(group, "", 0)
        assert taking.goes_on(group, old.begin(group))
    assert new.epoch_of("quiet") == old.epoch_of("quiet")
    assert new.add("room", "next").offset == 8


def test_a_lost_part_breaks_its_group_and_no_other() -> None:
    for lost in range(3):
        old, new = histories(), histories()
        for number in range(3):
            old.add("room", f"text {number}")
        old.add("other", "whole")
        taking = heir(new)
        messages = given(old, 1)
        assert len(messages) == 4
        broken = [
            group
            for number, message in enumerate(messages)
            if number != lost
            for group in taking.take(message, [OLD, HEIR])
        ]
        broken += taking.unfinished()
        page = new.since("room", old.begin("room"), 0)
        if lost == 0:  # the oldest: only who has it already misses nothing
            assert not page.is_complete
            assert new.since("room", old.begin("room"), 1).is_complete
        elif lost == 1:
            assert not page.is_complete
            assert not new.since("room", old.begin("room"), 1).is_complete
        else:
            assert broken == ["room"]
        assert new.since("other", "", 0) == old.since("other", "", 0)


def test_a_history_that_has_begun_here_goes_on() -> None:
    old, new = histories(), histories()
    old.add("room", "there")
    mine = new.add("room", "here").epoch
    taking = heir(new)
    (message,) = given(old)
    assert taking.take(message, [OLD, HEIR]) == []
    assert new.epoch_of("room") == mine
    assert not taking.goes_on("room", old.begin("room"))


def test_what_another_node_should_get_is_not_taken() -> None:
    old, new = histories(), histories()
    group = next(f"g{n}" for n in range(99) if homes_of(f"g{n}", [HEIR, OTHER])[0] == OTHER)
    old.add(group, "x")
    (message,) = given(old)
    heir(new).take(message, [OLD, HEIR, OTHER])
    assert new.epoch_of(group) is None


def test_what_is_neither_text_nor_bytes_is_not_taken() -> None:
    new = histories()
    heir(new).take(HandOver(OLD, (("room", "e", 1, ((0.0, 1, 7),), True),)), [OLD, HEIR])
    assert new.epoch_of("room") is None


def test_each_group_goes_to_its_next_home() -> None:
    old = histories()
    for number in range(20):
        old.add(f"g{number}", "x")
    for node, message in handed(OLD, old.all(), [HEIR, OTHER]):
        for group, *_ in message.groups:
            assert homes_of(group, [HEIR, OTHER])[0] == node


def test_a_broker_without_room_is_waited_for_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lineman.gateway.holder.history_handover.PATIENCE", 0.05)
    old, told = histories(), []
    old.add("room", "x")
    giving = HistoryHandover(OLD, old, lambda *message: told.append(message), lambda: False)
    asyncio.run(giving.give([OLD, HEIR]))
    assert told == []
    assert "histories of 1 groups were not handed over" in caplog.text
    assert "room" in caplog.text
    caplog.clear()
    alone = HistoryHandover(OLD, old, lambda *message: told.append(message), lambda: True)
    asyncio.run(alone.give([OLD]))
    assert told == []
    asyncio.run(alone.give([OLD, HEIR]))
    assert len(told) == 1
    assert caplog.text == ""


def group_at(node: Node) -> str:
    return next(f"g{n}" for n in range(99) if node.routing._home_of(f"g{n}") == node.name)


def test_when_a_node_stops_its_groups_go_on_elsewhere_and_nobody_is_told_of_a_gap(
    system: System, hub: str
) -> None:
    gaps: list[Any] = []
    add_two_nodes(system, hub, history=HistoryOptions())
    business = system.add_business(on_history_gap=lambda *gap: gaps.append(gap))
    stopping, staying = system.nodes
    group = group_at(stopping)
    client = system.connect(node=1)
    system.wait_until(lambda: staying.orders.clients, "it is there")
    (client_id,) = staying.orders.clients
    system.call(business.join_group, client_id, group)
    heard = []
    for number in range(5):
        system.call(staying.routing.carry_out, PublishToGroup(f"text {number}", group))
        heard.append(client.receive())
    page = system.run(business.get_history(group))
    assert [one.data for one in page.missed] == [f"text {number}" for number in range(5)]
    system.run(stopping.routing.stop())
    system.wait_until(lambda: staying.routing._home_of(group) == staying.name, "it has moved")
    system.call(staying.routing.carry_out, PublishToGroup("text 5", group))
    heard.append(client.receive())
    assert staying.orders.histories is not None
    after = system.call(staying.orders.histories.since, group, page.epoch, page.offset)
    assert after.is_complete
    assert [one.data for one in after.missed] == ["text 5"]
    assert len(heard) == 6
    assert gaps == []
    assert staying.routing.history_gaps == 0
