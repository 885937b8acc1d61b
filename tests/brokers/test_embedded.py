"""The hub of one machine: it passes on, keeps nothing, and waits for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from brokers.support import Heard, reaches
from kit.waiting import until
from lineman.brokers import embedded
from lineman.brokers.embedded import (
    TOPICS_AT_ONCE,
    Embedded,
    Hub,
    HubLeaving,
    Publish,
    Subscribe,
    Unsubscribe,
)
from lineman.links.framing import Message, WireFormat, encode
from lineman.links.link import Link
from lineman.links.rendezvous import Listeners
from lineman.sharing.event_messages import FROM_OTHERS, Event, ToAllClients
from lineman.sharing.store_messages import StoreReply, StoreRequest


def with_hub(directory: Path, test: Callable[[Hub, Heard, Heard], Awaitable[None]]) -> None:
    """Runs a test with a hub, and two ends of which one hears a topic."""

    async def run() -> None:
        hub, ends = Hub(), (Heard("a"), Heard())
        path = str(directory / "hub.sock")
        await hub.start(path)
        for heard in ends:
            heard.broker = Embedded(path, heard.subscriber)
            await heard.broker.start()
        await until(lambda: all(heard.broker and heard.broker.is_connected for heard in ends))
        await reaches(ends[1], ends[0], "a")
        await test(hub, *ends)
        for heard in ends:
            assert heard.broker is not None
            await heard.broker.close()
        await hub.stop()
        await until(lambda: not hub._topics)

    asyncio.run(run())


def test_a_subscriber_that_reads_too_slowly_misses_messages_and_delays_nobody(
    tmp_path: Path,
) -> None:
    async def test(hub: Hub, slow: Heard, other: Heard) -> None:
        (link,) = hub._subscribers["a"]
        link.is_clogged = True
        broker: Any = other.broker
        broker.subscribe(["a"])
        await until(lambda: len(hub._subscribers["a"]) == 2)
        dropped = hub.dropped
        broker.publish("a", b"x")
        await until(lambda: ("a", b"x") in other.messages)
        assert hub.dropped == dropped + 1
        assert ("a", b"x") not in slow.messages
        link.is_clogged = False

    with_hub(tmp_path, test)


def test_a_subscriber_that_leaves_leaves_nothing_behind(tmp_path: Path) -> None:
    async def test(hub: Hub, one: Heard, other: Heard) -> None:
        assert one.broker is not None
        await one.broker.close()
        await until(lambda: not hub._subscribers)

    with_hub(tmp_path, test)


def test_more_topics_than_one_frame_has_go_in_several(tmp_path: Path) -> None:
    async def test(hub: Hub, one: Heard, other: Heard) -> None:
        assert one.broker is not None
        topics = [str(number) for number in range(TOPICS_AT_ONCE + 1)]
        one.broker.subscribe(topics)
        await until(lambda: len(hub._subscribers) == len(topics) + 1)
        one.broker.unsubscribe(topics)
        await until(lambda: list(hub._subscribers) == ["a"])

    with_hub(tmp_path, test)


def test_a_hub_that_ends_in_order_says_so_first(tmp_path: Path) -> None:
    async def test(hub: Hub, one: Heard, other: Heard) -> None:
        assert one.broker is not None
        await hub.stop()
        await until(lambda: one.states[-1:] == [False])
        assert one.broker.is_leaving, "and so nobody is warned of it"

    with_hub(tmp_path, test)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Publish("t", b"x"), "9301a174c40178"),
        (Subscribe(("a", "b")), "920292a161a162"),
        (Unsubscribe(("a",)), "920391a161"),
        (HubLeaving(), "9104"),
        (
            StoreRequest(7, "set", "k", b"v", None, 1.5, 0),
            "980107a3736574a16bc40176c0cb3ff800000000000000",
        ),
        (StoreReply(7, "done", b"v"), "940107a4646f6e65c40176"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_processes_and_their_hub_say_stays_as_it_is(message: Message, said: str) -> None:
    assert encode(message).hex() == said, (
        "a process that starts after an upgrade dials the hub of before, which only a restart ends"
    )


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Event(b"o", b"d"), "9301c4016fc40164"),
        (ToAllClients(b"o", b"m", b"k"), "9402c4016fc4016dc4016b"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_processes_say_to_each_other_grows_behind_its_first_fields_only(
    message: Message, said: str
) -> None:
    before = bytes.fromhex(said)
    assert FROM_OTHERS.decode(before) == message, "a process of an older version sends this"
    assert encode(message)[1:].startswith(before[1:]), "and reads this"


def test_a_hub_that_understands_nothing_is_dialled_with_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "RETRY", 0.05)

    async def test() -> None:
        listeners, heard = Listeners(), Heard("a")
        dialled: list[float] = []
        now = asyncio.get_running_loop().time
        path = str(tmp_path / "hub.sock")
        strange = WireFormat(HubLeaving)  # a hub of another version

        def take() -> Link:
            dialled.append(now())
            return Link(strange, lambda link, batch: None, lambda link, reason: None)

        await listeners.add(take, path)
        heard.broker = Embedded(path, heard.subscriber)
        await heard.broker.start()
        await until(lambda: len(dialled) >= 4)
        assert all(later - one >= 0.04 for one, later in pairwise(dialled))
        await heard.broker.close()
        listeners.close()

    asyncio.run(test())
