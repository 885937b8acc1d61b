"""What a process takes from the broker if there is a secret: each message once, and of now."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.brokers import RedisClusterServer, nats_server, redis_server, running
from kit.waiting import until
from lineman.brokers.choice import broker_maker
from lineman.brokers.cluster_clock import ClusterClock
from lineman.brokers.signing import Secret, Signer
from lineman.links.framing import BadMessageError
from lineman.sharing.event_bus import EventBus
from lineman.sharing.event_channel import CLOCK_TOPIC, EventChannel
from lineman.sharing.event_messages import Event, ToAllClients
from lineman.sharing.event_queue import EventQueue

OLD, NEW = "the secret of before", "the secret of now!"


def inside(test: Callable[[], None]) -> None:
    async def main() -> None:
        test()

    asyncio.run(main())


def channel(
    secret: Secret = NEW, put: Any = lambda topic, data: None, clock: ClusterClock | None = None
) -> EventChannel:
    return EventChannel(Signer(secret), put, clock=clock)


def refused(there: EventChannel, topic: str, data: bytes, words: str) -> None:
    before = there.refused
    with pytest.raises(BadMessageError, match=words):
        there.open(topic, data)
    assert there.refused == before + 1


@pytest.mark.parametrize("message", [Event(b"", b"\x01"), ToAllClients(b"", b"\xa1x", b"\xc0")])
@pytest.mark.parametrize("secret", [NEW, None])
def test_a_message_comes_out_as_it_went_in_and_not_at_its_own_process(
    message: Any, secret: Secret
) -> None:
    def test() -> None:
        here, there = channel(secret), channel(secret)
        data = here.seal("t", message)
        assert there.open("t", data) == message
        assert here.open("t", data) is None

    inside(test)


def test_what_is_not_signed_changed_or_of_another_topic_is_refused() -> None:
    def test() -> None:
        here, there = channel(), channel()
        data = here.seal("t", Event(b"", b"\x01"))
        words = "not signed with this program's secret"
        assert there.trouble == ""
        for wrong in (b"", data[:-1], data[:-1] + b"\x02", data[16:]):
            refused(there, "t", wrong, words)
        refused(there, "other", data, words)
        refused(there, "t", channel(OLD).seal("t", Event(b"", b"\x01")), words)
        refused(there, "t", channel(None).seal("t", Event(b"", b"\x01")), words)
        assert "give Worker.secret the same value" in there.trouble
        assert there.open("t", data) is not None
        refused(channel(None), "t", data, "not a message of this version")

    inside(test)


def test_a_secret_is_changed_in_three_steps_without_a_loss() -> None:
    def test() -> None:
        steps: list[Secret] = [OLD, [OLD, NEW], [NEW, OLD], NEW]
        for before, after in itertools.pairwise(steps):
            for one, other in ((before, after), (after, before)):
                data = channel(one).seal("t", Event(b"", b"\x01"))
                assert channel(other).open("t", data) is not None

    inside(test)


def test_a_recorded_message_is_obeyed_once() -> None:
    def test() -> None:
        here, there = channel(), channel()
        recorded = [here.seal("t", Event(b"", b"\x01")) for _ in range(3)]
        for data in (recorded[0], recorded[2], recorded[1]):
            assert there.open("t", data) is not None
        for data in recorded:
            refused(there, "t", data, "it has come before")

    inside(test)


def test_a_recorded_session_is_refused_by_who_has_never_heard_it() -> None:
    def test() -> None:
        here, put = channel(clock=ClusterClock(lambda: 1000.0, lambda: 1000.0)), []  # long ago
        recorded = [here.seal("t", Event(b"", b"\x01")) for _ in range(3)]
        newcomer = channel(put=lambda topic, data: put.append((topic, data)))
        for data in recorded:
            refused(newcomer, "t", data, "nothing was heard of this process before")
        assert [topic for topic, _ in put] == [CLOCK_TOPIC]  # once in a second

    inside(test)


def test_a_process_whose_clock_is_behind_is_right_after_its_first_message() -> None:
    def test() -> None:
        answers: list[bytes] = []
        behind = ClusterClock(asyncio.get_running_loop().time, lambda: 1000.0)
        here, there = channel(clock=behind), channel(put=lambda topic, data: answers.append(data))
        refused(there, "t", here.seal("t", Event(b"", b"\x01")), "the clock of its machine")
        assert here.open(CLOCK_TOPIC, answers[0]) is None
        assert there.open("t", here.seal("t", Event(b"", b"\x01"))) is not None

    inside(test)


def test_many_messages_of_one_process_need_little_memory() -> None:
    def test() -> None:
        here, there = channel(), channel()
        first = here.seal("t", Event(b"", b"\x01"))
        there.open("t", first)
        for _ in range(5000):
            assert there.open("t", here.seal("t", Event(b"", b"\x01"))) is not None
        (heard,) = there._senders.by_sender.values()
        assert len(heard._received) <= 2000
        refused(there, "t", first, "it has come before")

    inside(test)


@pytest.mark.parametrize("kind", ["redis", "redis-cluster", "nats"])
def test_signed_events_pass_a_real_broker_and_repeated_ones_do_not(
    tmp_path: Path, kind: str
) -> None:
    async def main(url: str) -> None:
        seen: list[Any] = []
        tasks: list[Any] = []
        buses = [EventBus(broker_maker(url, "x"), secret=each) for each in (NEW, [NEW, OLD], OLD)]
        one, other, stranger = buses
        for bus in buses:
            await bus.start()
        queue = EventQueue(
            seen.append, "f", lambda run: tasks.append(asyncio.create_task(run)), lambda *_: None
        )
        queue.release()
        other.add_queue("news", queue)
        stranger.add_queue("news", queue)
        taken: list[bytes] = []
        broker: Any = one._broker
        publish = broker.publish
        broker.publish = lambda topic, data: (taken.append(data), publish(topic, data))

        async def heard(what: str) -> bool:
            one.publish("news", what)
            await asyncio.sleep(0.02)
            return what in seen

        async with asyncio.timeout(20):
            while not await heard("begin"):
                pass
        refused_before = other.refused
        publish("event:news", taken[-1])
        await until(lambda: other.refused > refused_before)
        stranger.publish("news", "of another secret")  # that of before is still accepted
        await until(lambda: "of another secret" in seen)
        other.publish("news", "to who has the new one")
        one.publish("news", "end")
        await until(lambda: "end" in seen and stranger.trouble)
        assert "not signed with this program's secret" in stranger.trouble
        assert seen.count("to who has the new one") == 1
        for bus in buses:
            await bus.close()

    if kind == "redis":
        with running(redis_server(tmp_path)) as server:
            asyncio.run(main(f"redis://127.0.0.1:{server.port}"))
    elif kind == "nats":
        with running(nats_server()) as server:
            asyncio.run(main(f"nats://127.0.0.1:{server.port}"))
    else:
        with running(RedisClusterServer(tmp_path)) as servers:
            asyncio.run(main(servers.url))
