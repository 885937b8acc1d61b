"""A layer's own channels: several event loops, cancelled receivers, capacity and expiry."""

from __future__ import annotations

import asyncio
import threading

from kit.waiting import until, wait_until
from lineman.channels import own_channels
from lineman.channels.own_channels import OwnChannels


def test_messages_are_received_in_order_also_by_who_waits() -> None:
    async def main() -> None:
        own = OwnChannels(lambda channel: 10)
        waiting = asyncio.create_task(own.get("a"))
        await until(lambda: own.is_awaited)
        for payload in (b"1", b"2", b"3"):
            assert own.put("a", payload, 60)
        assert [await waiting, await own.get("a"), own.take("a"), own.take("a")] == [
            b"1",
            b"2",
            b"3",
            None,
        ]
        assert not own.is_awaited
        assert own._queues == own._waiters == {}

    asyncio.run(main())


def test_a_full_channel_takes_no_more_until_its_messages_expire() -> None:
    own = OwnChannels(lambda channel: 2 if channel == "a" else 1)
    assert own.put("a", b"1", 60)
    assert own.put("a", b"2", -1)  # it has expired already
    assert own.put("a", b"3", 60)
    assert not own.put("a", b"4", 60)
    assert own.put("b", b"1", 60)
    assert not own.put("b", b"2", 60)
    assert [own.take("a"), own.take("a"), own.take("a")] == [b"1", b"3", None]


def test_a_cancelled_receiver_leaves_the_message_to_the_next_one() -> None:
    async def main() -> None:
        own = OwnChannels(lambda channel: 10)
        first, second = (asyncio.create_task(own.get("a")) for _ in range(2))
        await until(lambda: len(own._waiters.get("a", ())) == 2)
        own.put("a", b"1", 60)  # wakes the first one
        first.cancel()
        assert await second == b"1"
        third = asyncio.create_task(own.get("a"))
        await until(lambda: own.is_awaited)
        third.cancel()
        await asyncio.wait([third])
        assert not own.is_awaited

    asyncio.run(main())


def test_a_receiver_in_another_event_loop_is_woken() -> None:
    own = OwnChannels(lambda channel: 10)
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(asyncio.run(own.get("a"))))
    thread.start()
    wait_until(lambda: own.is_awaited, "the other loop waits")
    own.put("a", b"1", 60)
    thread.join()
    assert got == [b"1"]


def test_a_receiver_whose_event_loop_was_closed_is_passed_over() -> None:
    own = OwnChannels(lambda channel: 10)
    loop = asyncio.new_event_loop()
    task = loop.create_task(own.get("a"))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    async def main() -> None:
        waiting = asyncio.create_task(own.get("a"))
        await until(lambda: len(own._waiters["a"]) == 2)
        own.put("a", b"1", 60)
        assert await waiting == b"1"

    asyncio.run(main())
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_channels_that_nobody_receives_from_do_not_stay_for_ever(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(own_channels, "SWEEP", 0.0)
    own = OwnChannels(lambda channel: 10)
    for number in range(100):
        own.put(f"a.{number}", b"1", -1)
    own.put("b", b"1", 60)
    assert list(own._queues) == ["b"]
