"""Durable histories: what is kept, what is delivered, and what is told when the store fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from gateway.memory_history import Kept, run
from kit.brokers import nats_server, redis_server, running
from kit.gateway import DURABLE_SECRET as SECRET
from kit.gateway import System, add_durable_nodes
from kit.waiting import until
from lineman import Client, NotReachedError
from lineman.gateway.holder import durable_histories
from lineman.gateway.push.pushing import AsyncGatewayClient
from lineman.gateway.wire.history_page import KeptMessage
from lineman.gateway.wire.messages import Deliver, PublishToGroup
from lineman.gateway.wire.node_messages import GapKind, GapSeen


def test_a_message_is_delivered_when_it_has_its_place_in_the_order_of_its_group() -> None:
    async def test(kept: Kept) -> None:
        kept.store.may_go_on.clear()
        for number in range(5):
            kept.histories.publish("a", f"{number}")
            kept.histories.publish("b", b"%d" % number)
        await asyncio.sleep(0)
        assert kept.delivered == []
        kept.store.may_go_on.set()
        await until(lambda: len(kept.delivered) == 10)
        assert kept.store.calls == 2, "the messages of a group that wait are kept together"
        of_a = [each for each in kept.delivered if each.group == "a"]
        assert [(each.data, each.epoch, each.offset) for each in of_a] == [
            (f"{number}", "e1", number + 1) for number in range(5)
        ]
        page = await kept.histories.page("b", "e1", 3)
        assert page.missed == [KeptMessage(4, b"3"), KeptMessage(5, b"4")]
        assert page.is_complete

    run(test)


def test_what_the_store_does_not_take_is_not_sent_either_and_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(kept: Kept) -> None:
        kept.histories.publish("a", "1")
        await until(lambda: kept.delivered)
        kept.store.error = OSError("connection refused")
        kept.histories.publish("a", "2")
        kept.histories.publish("a", "3")
        await until(lambda: kept.histories.lost == 2)
        assert "nothing listens there" in kept.histories.trouble
        with pytest.raises(NotReachedError, match="nothing listens there"):
            await kept.histories.page("a", "e1", 1)
        kept.store.error = None
        kept.histories.publish("a", "4")
        await until(lambda: len(kept.delivered) == 2)
        assert (kept.delivered[1].data, kept.delivered[1].offset) == ("4", 2)
        assert kept.histories.trouble == ""
        page = await kept.histories.page("a", "e1", 1)
        assert page.is_complete
        assert [each.data for each in page.missed] == ["4"], "what nobody got is not missing"

    run(test)
    assert "neither kept nor sent" in caplog.text


def test_who_waits_for_a_message_to_be_kept_learns_whether_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(kept: Kept) -> None:
        await kept.histories.keep("a", "1")
        assert [each.data for each in kept.delivered] == ["1"]
        kept.store.error = OSError("connection refused")
        with pytest.raises(NotReachedError, match=r"neither kept nor sent.*nothing listens there"):
            await kept.histories.keep("a", "2")
        kept.store.error = None
        monkeypatch.setattr(durable_histories, "MAX_WAITING", 0)
        with pytest.raises(NotReachedError, match="too many wait"):
            await kept.histories.keep("a", "3")
        monkeypatch.undo()
        await kept.histories.keep("a", b"4")
        assert [each.data for each in kept.delivered] == ["1", b"4"]
        kept.store.may_go_on.clear()
        monkeypatch.setattr(durable_histories, "LAST", 0.01)
        calls = kept.store.calls
        taken = asyncio.ensure_future(kept.histories.keep("a", "5"))
        await until(lambda: kept.store.calls > calls)
        waits = asyncio.ensure_future(kept.histories.keep("a", "6"))
        await asyncio.sleep(0)
        await kept.histories.stop()
        for late in (taken, waits):
            with pytest.raises(NotReachedError, match="the process has ended before"):
                await late
        kept.store.may_go_on.set()

    run(test)


def test_a_store_that_works_again_is_noticed_without_a_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(durable_histories, "RETRY", 0.01)

    async def test(kept: Kept) -> None:
        await until(lambda: not kept.histories.trouble)
        kept.store.error = OSError("connection refused")
        kept.histories.publish("a", "1")
        await until(lambda: kept.histories.trouble)
        kept.store.error = None
        await until(lambda: not kept.histories.trouble)

    run(test)


def test_a_store_that_is_too_slow_lets_a_bounded_number_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(durable_histories, "MAX_WAITING", 3)

    async def test(kept: Kept) -> None:
        kept.store.may_go_on.clear()
        kept.histories.publish("a", "first")
        await until(lambda: kept.store.calls)
        for number in range(5):
            kept.histories.publish("a", f"{number}")
        assert kept.histories.lost == 2
        kept.store.may_go_on.set()
        await until(lambda: len(kept.delivered) == 4)
        monkeypatch.setattr(durable_histories, "MAX_WAITING_BYTES", 10)
        kept.histories.publish("a", "x" * 11)
        assert kept.histories.lost == 3

    run(test)


def test_what_waits_at_the_end_is_kept_or_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(kept: Kept) -> None:
        for number in range(500):
            kept.histories.publish(f"g{number % 7}", "x")
        await kept.histories.stop()
        assert len(kept.delivered) == 500

    run(test)
    monkeypatch.setattr(durable_histories, "LAST", 0.01)

    async def hanging(kept: Kept) -> None:
        kept.store.may_go_on.clear()
        kept.histories.publish("a", "taken")
        await until(lambda: kept.store.calls)
        kept.histories.publish("a", "waits")
        await kept.histories.stop()
        assert kept.histories.lost == 2  # also the one that the store has not answered for
        kept.store.may_go_on.set()

    run(hanging)


def test_what_the_library_of_a_store_has_cancelled_is_lost_and_nothing_after_it() -> None:
    async def test(kept: Kept) -> None:
        kept.store.error = asyncio.CancelledError()
        kept.histories.publish("a", "cancelled")
        await until(lambda: kept.histories.lost == 1)
        kept.store.error = None
        kept.histories.publish("a", "next")
        await until(lambda: kept.delivered)

    run(test)


def test_a_program_learns_that_the_store_has_begun_a_new_epoch_once() -> None:
    async def test(kept: Kept) -> None:
        for kept.store.epoch in ("e1", "e2", "e2"):
            count = len(kept.delivered)
            kept.histories.publish("a", "x")
            await until(lambda count=count: len(kept.delivered) > count)
        assert kept.told == [("a", "e1", "e2")]
        for kind in GapKind:
            kept.histories.gaps.on_report(GapSeen("00000001", "a", "e1", kind))
        assert kept.told[1:] == [("a", "e1", "e2")], "that of members who were cut off"

    run(test)


def test_an_entry_that_was_not_signed_is_left_out_and_the_page_is_not_complete(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(kept: Kept) -> None:
        kept.histories.publish("a", "true")
        kept.histories.publish("b", "of another group")
        await until(lambda: len(kept.delivered) == 2)
        kept.store.kept["a"] += [b"t" + b"forged", kept.store.kept["b"][0]]
        page = await kept.histories.page("a", "", 0)
        assert [each.data for each in page.missed] == ["true"]
        assert not page.is_complete
        page = await kept.histories.page("a", "e1", 1)
        assert (page.missed, page.is_complete) == ([], False)

    run(test, secret=SECRET)
    assert "not signed with the secret" in caplog.text

    async def without_secret(kept: Kept) -> None:
        kept.store.kept["a"] = [b"t\xff", b""]
        page = await kept.histories.page("a", "e1", 0)
        assert not page.is_complete

    run(without_secret)


def test_a_history_frame_that_raises_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def test(kept: Kept) -> None:
        def fail(deliver: Deliver) -> None:
            raise ZeroDivisionError

        deliver = kept.histories._calls.deliver
        object.__setattr__(kept.histories._calls, "deliver", fail)
        kept.histories.publish("a", "1")
        await until(lambda: "ZeroDivisionError" in caplog.text)
        object.__setattr__(kept.histories._calls, "deliver", deliver)
        kept.histories.publish("a", "2")
        await until(lambda: kept.delivered)

    run(test)


def test_homes_that_move_are_no_gap_and_lost_homes_may_be() -> None:
    async def test(kept: Kept) -> None:
        gaps = kept.histories.gaps
        gaps.accept("a", "e1", 1)
        kept.histories.on_nodes(["00000001", "00000002"])
        for node in ("00000001", "00000002"):
            kept.histories.on_nodes([node])
        assert kept.told == []
        for node in ("00000001", "00000002"):
            kept.histories.on_gap()
            kept.histories.on_nodes([node])
        assert kept.told, "what the lost one has kept may not have been delivered"
        assert set(kept.told) == {("a", "e1", "e1")}
        kept.told.clear()
        kept.histories.on_foreign("a")
        assert kept.told == []
        kept.histories.on_missed(True)
        assert kept.told == [("a", "e1", "e1")]

    run(test)


# With real brokers.


@pytest.fixture(scope="module", params=["redis", "nats"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("d")
    kind: str = request.param
    server = redis_server(directory)
    if kind == "nats":
        server = nats_server("-js", "-sd", str(directory))
    with running(server):
        yield f"{kind}://127.0.0.1:{server.port}"


def join(client: Client, message: str) -> None:
    client.join(message)
    client.send("in")


def test_members_everywhere_get_one_numbering_and_any_node_and_program_the_page(
    system: System, url: str
) -> None:
    name = "everywhere"
    add_durable_nodes(system, url, name)
    api = system.add_business(on_message=join)
    members = [system.connect(node=node) for node in range(2)]
    for member in members:
        member.send("room")
        assert member.receive() == "in"
    while system.ask(api.get_client_id_count_by_group("room")) < 2:
        pass
    for number in range(10):  # both take themselves for the home, as after a pause
        node = system.nodes[number % 2]
        order = PublishToGroup(f"m{number}", "room")
        system.call(node.routing._keeper.publish, order.group, order.data)  # type: ignore[union-attr]

    async def push() -> Any:
        async with AsyncGatewayClient(url, name, SECRET) as gateway:
            await gateway.get_history("room")  # it has heard of the nodes then
            gateway.publish_to_group("room", "from outside")
            while (page := await gateway.get_history("room")).offset < 11:
                await asyncio.sleep(0.01)
            return page

    page = system.run(push())
    assert page.is_complete
    assert [each.offset for each in page.missed] == list(range(1, 12))
    data = [each.data for each in page.missed]
    assert data[-1] == "from outside"
    assert sorted(data[:-1]) == sorted(f"m{number}" for number in range(10))
    for member in members:
        seen = [json.loads(member.receive())]
        while seen[-1]["offset"] < 11:
            seen.append(json.loads(member.receive()))
        offsets = [each["offset"] for each in seen]
        assert offsets == sorted(set(offsets)), "none twice, none behind a later one"
        for each in seen:
            assert each["data"] == data[each["offset"] - 1]
    after = system.ask(api.get_history("room", page.epoch, 9))
    assert [each.data for each in after.missed] == data[9:]


def test_nodes_that_are_all_replaced_find_the_same_epoch(url: str, tmp_path: Path) -> None:
    epoch = ""
    for number in range(3):
        directory = tmp_path / str(number)
        directory.mkdir()
        with System(directory) as system:
            add_durable_nodes(system, url, "replaced")
            api = system.add_business()
            system.call(api.publish_to_group, "room", f"m{number}")
            while (page := system.ask(api.get_history("room", epoch, number))).offset <= number:
                pass
        epoch = epoch or page.epoch
        assert page.epoch == epoch
        assert page.is_complete
        assert page.missed == [KeptMessage(number + 1, f"m{number}")]


def test_without_the_broker_no_page_is_given_and_a_status_says_why(
    system: System, tmp_path: Path
) -> None:
    server = redis_server(tmp_path)
    with running(server):
        add_durable_nodes(system, f"redis://127.0.0.1:{server.port}", "away")
        api = system.add_business()
        system.call(api.publish_to_group, "room", "kept")
        while system.ask(api.get_history("room")).offset < 1:
            pass
        server.stop()
        with pytest.raises(NotReachedError, match="room"):
            system.ask(api.get_history("room"))
        system.call(api.publish_to_group, "room", "nobody gets it")
        nodes = system.nodes
        system.wait_until(
            lambda: sum(node.facts()["gateway_lost_publications"] for node in nodes) == 1,
            "it is counted",
        )
        troubles = [text for node in nodes for text in node.troubles()]
        assert any("durable histories are not kept" in text for text in troubles)


def test_a_page_that_cannot_be_read_says_so_and_not_that_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(durable_histories, "RETRY", 0.01)

    async def test(kept: Kept) -> None:
        kept.histories.publish("a", "1")
        await until(lambda: kept.delivered)
        read = kept.store.read
        for error in (TimeoutError("this group is too large"), asyncio.CancelledError()):
            failing = AsyncMock(side_effect=error)
            monkeypatch.setattr(kept.store, "read", failing)
            with pytest.raises(NotReachedError, match="does not give it"):
                await kept.histories.page("a", "", 0)
        assert kept.histories.trouble == ""
        kept.histories.publish("a", "2")
        await until(lambda: len(kept.delivered) == 2)
        monkeypatch.setattr(kept.store, "read", read)
        assert len((await kept.histories.page("a", "", 0)).missed) == 2

    run(test)
    assert "could not be read" in caplog.text
    assert "not kept" not in caplog.text


def test_a_store_that_is_away_is_noticed_by_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable_histories, "RETRY", 0.01)

    async def test(kept: Kept) -> None:
        await kept.histories._store.check()
        kept.store.error = OSError("connection refused")
        with pytest.raises(NotReachedError):
            await kept.histories.page("a", "", 0)
        await until(lambda: kept.histories.trouble)
        kept.store.error = None
        await until(lambda: not kept.histories.trouble)

    run(test)


def test_a_store_that_cannot_be_closed_does_not_keep_its_node_from_ending(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(kept: Kept) -> None:
        failing = AsyncMock(side_effect=OSError("broken pipe"))
        monkeypatch.setattr(kept.store, "close", failing)

    run(test)
    assert "broken pipe" in caplog.text
