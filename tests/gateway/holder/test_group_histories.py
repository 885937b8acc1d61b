"""The histories of the groups whose home a node is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.peers import echo
from kit.gateway import System
from lineman.gateway.holder.group_histories import SWEEP, Histories, frame_as_json
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.holder.routing_options import RoutingOptions


class Clock:
    """Seconds that go forward when the test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_kept_message_becomes_json_with_its_place() -> None:
    told = json.loads(frame_as_json("room", "e1", 7, "grüß"))
    assert told == {"group": "room", "epoch": "e1", "offset": 7, "data": "grüß"}
    assert json.loads(frame_as_json("room", "e1", 8, b"a\xff"))["data"] == "a\ufffd"


def test_each_group_has_its_own_offsets_and_epoch() -> None:
    histories = Histories(HistoryOptions(), Clock())
    first, second, other = (histories.add(group, "x") for group in ("a", "a", "b"))
    assert [each.offset for each in (first, second, other)] == [1, 2, 1]
    assert first.epoch == second.epoch != other.epoch
    page = histories.since("a", first.epoch, 1)
    assert [each.offset for each in page.missed] == [2]
    assert page.is_complete


def test_who_knows_of_a_history_that_is_gone_must_start_anew() -> None:
    histories = Histories(HistoryOptions(), Clock())
    assert histories.since("a", "", 0).is_complete  # nothing was ever said
    epoch = histories.add("a", "x").epoch
    histories.keep(lambda group: group != "a")
    assert not histories.since("a", epoch, 1).is_complete
    assert histories.add("a", "y").epoch != epoch


def test_a_group_in_which_nothing_was_said_for_long_is_forgotten_at_a_sweep() -> None:
    clock = Clock()
    histories = Histories(HistoryOptions(seconds=10), clock)
    epoch = histories.add("a", "x").epoch
    clock.now += SWEEP - 1
    histories.add("b", "y")
    histories.sweep()
    assert histories.since("a", epoch, 0).epoch == epoch, "it looks only now and then"
    clock.now += 1
    histories.sweep()
    assert list(histories._groups) == ["b"]


def test_a_history_frame_that_raises_is_logged_and_the_link_stays(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    def frame(*given: Any) -> str:
        raise ZeroDivisionError

    routing = RoutingOptions(history=HistoryOptions(), frame=frame)
    system.add_node("on_message", routing=routing)
    api = system.add_business(on_message=echo)
    system.call(api.publish_to_group, "room", "x")
    client = system.connect()
    client.send("y")
    assert client.receive() == "y"
    assert "ZeroDivisionError" in caplog.text


def test_a_renewed_history_keeps_its_messages_and_no_place_of_before_is_complete() -> None:
    histories = Histories(HistoryOptions(), lambda: 0.0)
    before = histories.add("a", "x")
    histories.renew()
    assert not histories.since("a", before.epoch, 1).is_complete
    page = histories.since("a", "", 0)
    assert [kept.data for kept in page.missed] == ["x"]
    after = histories.add("a", "y")
    assert (after.epoch, after.offset) == (page.epoch, 2)
    assert after.epoch != before.epoch


def test_a_quiet_group_keeps_its_place_so_that_nobody_must_start_anew() -> None:
    clock = Clock()
    histories = Histories(HistoryOptions(seconds=10), clock, quiet=2)
    places = [histories.add(group, "x") for group in ("a", "b", "c")]
    clock.now += 2 * SWEEP
    histories.sweep()
    assert list(histories._groups) == []
    assert not histories.since("a", places[0].epoch, 1).is_complete, "only two are remembered"
    assert histories.since("b", places[1].epoch, 1).is_complete
    after = histories.add("c", "y")
    assert (after.epoch, after.offset) == (places[2].epoch, 2)
    assert histories.since("c", places[2].epoch, 1).is_complete
    assert not histories.since("c", places[2].epoch, 0).is_complete


def test_a_renewal_says_the_epochs_before_and_after_also_of_quiet_groups() -> None:
    clock = Clock()
    histories = Histories(HistoryOptions(seconds=10), clock)
    quiet = histories.add("quiet", "x").epoch
    clock.now += 2 * SWEEP
    histories.sweep()
    loud = histories.add("loud", "x").epoch
    renewed = histories.renew()
    assert {(each.group, each.old) for each in renewed} == {("quiet", quiet), ("loud", loud)}
    assert all(histories.epoch_of(each.group) == each.new != each.old for each in renewed)
    assert histories.keep(lambda group: group == "loud") == [("quiet", renewed[1].new)]
    assert histories.renew(["quiet"]) == []


def test_the_groups_of_the_last_seconds_are_those_with_a_message_in_them() -> None:
    clock = Clock()
    histories = Histories(HistoryOptions(), clock)
    histories.add("old", "x")
    clock.now += 20
    epoch = histories.add("new", "x").epoch
    assert histories.recent(10.0) == [("new", epoch)]
