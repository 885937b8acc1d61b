"""The bus of a process: its own functions, other processes over the hub, and a broker that ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.waiting import until
from lineman.brokers.choice import broker_maker
from lineman.brokers.embedded import Hub
from lineman.errors import UsageError
from lineman.sharing import event_bus
from lineman.sharing.event_bus import EventBus
from lineman.sharing.event_queue import EventQueue
from lineman.sharing.store import LocalStore


class Listening:
    """A function for events, and what it has got."""

    def __init__(self, bus: EventBus, event: str = "news") -> None:
        self.seen: list[Any] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.queue = EventQueue(self.seen.append, "f", self.spawn, lambda name, error: None)
        self.queue.release()
        bus.add_queue(event, self.queue)

    def spawn(self, coroutine: Any) -> None:
        self.tasks.append(asyncio.create_task(coroutine))


def alone(test: Callable[[EventBus], Awaitable[None]]) -> None:
    """Runs a test with the bus of a program that is one process."""

    async def main() -> None:
        bus = EventBus(None)
        await bus.start()
        await test(bus)
        await bus.close()

    asyncio.run(main())


def two(directory: Path, test: Callable[[Hub, EventBus, EventBus], Awaitable[None]]) -> None:
    """Runs a test with the buses of two processes and their hub."""

    async def main() -> None:
        hub, path = Hub(), str(directory / "hub")
        await hub.start(path)
        buses = [EventBus(broker_maker(f"hub://{path}", "x")) for _ in range(2)]
        for bus in buses:
            await bus.start()
        await test(hub, *buses)
        for bus in buses:
            await bus.close()
        await hub.stop()

    asyncio.run(main())


def test_every_function_of_an_event_gets_it_and_no_other() -> None:
    async def test(bus: EventBus) -> None:
        one, two, other = Listening(bus), Listening(bus), Listening(bus, "sport")
        assert bus.publish("news", {"a": [1]})
        await until(lambda: one.seen and two.seen)
        assert one.seen == two.seen == [{"a": [1]}]
        assert one.seen[0] is not two.seen[0]
        assert other.seen == []
        bus.remove_queue("news", two.queue)
        bus.publish("news", 2)
        await until(lambda: len(one.seen) == 2)
        assert len(two.seen) == 1

    alone(test)


def test_an_event_reaches_the_other_process_once_and_in_order(tmp_path: Path) -> None:
    async def test(hub: Hub, one: EventBus, other: EventBus) -> None:
        here, there = Listening(one), Listening(other)
        await until(lambda: len(hub._subscribers.get("event:news", ())) == 2)
        for number in range(300):
            assert one.publish("news", number)
        await until(lambda: len(here.seen) == len(there.seen) == 300)
        assert here.seen == there.seen == list(range(300))
        assert (one.published, one.lost) == (300, 0)

    two(tmp_path, test)


def test_a_message_for_all_clients_reaches_the_others_and_not_its_own(tmp_path: Path) -> None:
    async def test(hub: Hub, one: EventBus, other: EventBus) -> None:
        of_one: list[Any] = []
        of_other: list[Any] = []
        one.add_receiver("chat", lambda message, key: of_one.append((message, key)))
        other.add_receiver("chat", lambda message, key: of_other.append((message, key)))
        await until(lambda: len(hub._subscribers.get("clients:chat", ())) == 2)
        one.send_to_all_clients("chat", memoryview(b"hello"), None)
        one.send_to_all_clients("chat", "text", 7)
        await until(lambda: len(of_other) == 2)
        assert of_other == [(b"hello", None), ("text", 7)]
        assert of_one == []

    two(tmp_path, test)


def test_while_the_hub_is_away_events_are_lost_counted_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lineman")

    async def test(hub: Hub, one: EventBus, other: EventBus) -> None:
        here, there = Listening(one), Listening(other)
        await until(lambda: len(hub._subscribers.get("event:news", ())) == 2)
        hub._listeners.close()
        for link in list(hub._topics):
            link.close()
        await until(lambda: not one.is_connected and not other.is_connected)
        assert one.trouble
        assert not one.publish("news", "lost")
        assert one.lost == 1
        await until(lambda: here.seen == ["lost"])
        again = Hub()
        await again.start(str(tmp_path / "hub"))
        await until(lambda: one.is_connected and other.is_connected)
        await until(lambda: len(again._subscribers.get("event:news", ())) == 2)
        assert one.publish("news", "back")
        await until(lambda: there.seen == ["back"])
        await again.stop()

    two(tmp_path, test)
    assert "events do not reach the other processes" in caplog.text
    assert "events reach the other processes again; 1 were lost" in caplog.text


def test_a_broker_that_does_not_answer_holds_the_start_up_for_a_moment_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_bus, "START_PATIENCE", 0.05)

    async def main() -> None:
        bus = EventBus(broker_maker(f"hub://{tmp_path / 'nobody'}", "x"))
        await bus.start()
        assert not bus.publish("news", 1)
        await bus.close()

    asyncio.run(main())
    assert "events reach only this process until the broker answers" in caplog.text


def test_what_a_stranger_publishes_is_told_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(hub: Hub, one: EventBus, other: EventBus) -> None:
        there = Listening(other)
        await until(lambda: "event:news" in hub._subscribers)
        broker: Any = one._broker
        for payload in (b"", b"junk", b"\x93\x01\xc4\x01x\xc4\x01\xc1"):
            broker.publish("event:news", payload)
        one.publish("news", "good")
        await until(lambda: there.seen == ["good"])

    two(tmp_path, test)
    assert caplog.text.count("a message is refused") == 3


@pytest.mark.parametrize("data", [object(), {1: 2}, "x" * 1_000_001])
def test_data_that_cannot_be_sent_reaches_nobody(data: Any) -> None:
    async def test(bus: EventBus) -> None:
        here = Listening(bus)
        with pytest.raises(UsageError, match="the data of the event"):
            bus.publish("news", data)
        bus.publish("news", "good")
        await until(lambda: here.seen == ["good"])

    alone(test)


def test_a_key_for_the_clients_of_others_is_one_that_can_be_sent() -> None:
    async def test(bus: EventBus) -> None:
        with pytest.raises(UsageError, match="key is a tuple"):
            bus.send_to_all_clients("chat", "x", (1, 2))

    alone(test)


def test_another_thread_is_refused_with_the_remedy() -> None:
    async def test(bus: EventBus) -> None:
        errors: list[str] = []

        def publish() -> None:
            try:
                bus.publish("news", 1)
            except UsageError as error:
                errors.append(str(error))

        thread = threading.Thread(target=publish)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert "call_soon_threadsafe" in errors[0]

    alone(test)


def test_the_workers_of_a_process_share_one_bus_which_ends_with_the_last() -> None:
    async def main() -> None:
        assert event_bus.here() is None
        one = await event_bus.join(None)
        assert await event_bus.join(None) is one
        assert event_bus.here() is one
        assert isinstance(one.store, LocalStore)
        assert one.store is one.store
        await event_bus.leave(one)
        assert event_bus.here() is one
        await event_bus.leave(one)
        assert event_bus.here() is None

    asyncio.run(main())
    assert event_bus.here() is None
