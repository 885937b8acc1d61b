"""Brokers that are separate servers: what waits for them is bounded, and a session opens soon."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from brokers.support import KINDS, Heard, open_ends, reaches, server_of, url_of
from kit.brokers import RedisClusterServer, Server, redis_server, running
from kit.waiting import until
from lineman.brokers.choice import broker_maker
from lineman.brokers.redis import Redis
from lineman.brokers.remote import RemoteLimits, end_tasks, parts_of
from lineman.errors import ConfigError


def test_a_sequence_in_parts_has_all_of_it_in_order() -> None:
    assert list(parts_of("abcde", 2)) == [("a", "b"), ("c", "d"), ("e",)]
    assert list(parts_of((), 2)) == []


def test_tasks_that_ignore_a_first_cancellation_are_cancelled_until_they_end() -> None:
    seen = 0

    async def stubborn() -> None:
        nonlocal seen
        while seen < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen += 1

    async def run() -> None:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        await end_tasks([task])
        assert task.done()

    asyncio.run(run())
    assert seen == 2


@pytest.mark.parametrize("limit", ["max_waiting", "max_messages"])
def test_what_waits_for_a_broker_is_bounded_by_bytes_and_by_number(
    limit: str, tmp_path: Path
) -> None:
    limits = RemoteLimits(**{limit: 1000})

    async def test(server: Server) -> None:
        one, other = await open_ends(url_of("redis", server), ("a",), (), limits=limits)
        try:
            await reaches(other, one, "a")
            one.messages.clear()
            for _ in range(1500):  # in one turn of the event loop: nothing has left
                other.broker.publish("a", b"x")
            assert other.broker.dropped == 500
            assert not other.broker.has_room
            await until(lambda: len(one.messages) == 1000 and other.broker.has_room)
        finally:
            for heard in (one, other):
                await heard.broker.close()

    with running(redis_server(tmp_path)) as server:
        asyncio.run(test(server))


@pytest.mark.parametrize("kind", KINDS)
def test_more_changes_of_subscriptions_than_may_wait_begin_a_new_session(
    kind: str, tmp_path: Path
) -> None:
    limits = RemoteLimits(max_changes=1000, topics_at_once=200, last_retry=0.2)
    topics = [f"uid:{number}" for number in range(4000)]

    async def test(server: Server | RedisClusterServer) -> None:
        one, other = await open_ends(url_of(kind, server), (), (), limits=limits)
        try:
            one.topics.update(topics)
            one.broker.subscribe(topics)
            assert one.broker._changes <= 1200
            await until(lambda: False in one.states)
            await until(lambda: one.broker.is_connected)
            for topic in topics[::999]:
                await reaches(other, one, topic)
        finally:
            for heard in (one, other):
                await heard.broker.close()

    with running(server_of(kind, tmp_path)) as server:
        asyncio.run(test(server))


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_is_open_before_very_many_topics_are_told_and_follows_what_changes_meanwhile(
    kind: str, tmp_path: Path
) -> None:
    limits = RemoteLimits(first_topics=10, topics_at_once=100)
    topics = [f"t{number}" for number in range(5000)]

    async def test(server: Server | RedisClusterServer) -> None:
        (other,) = await open_ends(url_of(kind, server), (), limits=limits)
        one = Heard()
        read: list[str] = []
        read_first: list[int] = []

        def each() -> Iterator[str]:
            for topic in topics:
                read.append(topic)
                yield topic

        def on_state(is_connected: bool) -> None:
            read_first.append(len(read))  # as soon as it is open
            broker.unsubscribe(["t20", "t21"])
            broker.subscribe(["t21", "new"])

        make = broker_maker(url_of(kind, server), "test", limits)
        broker: Any = make(replace(one.subscriber, on_state=on_state, topics=each))
        one.broker = broker
        await broker.start()
        try:
            await until(lambda: read_first)
            assert read_first == [10]
            await until(lambda: broker._later is None)
            for topic in ("t0", "t10", "t21", "t22", "t4999", "new"):
                await reaches(other, one, topic)
            other.broker.publish("t20", b"not any more")
            await reaches(other, one, "t22")
            assert ("t20", b"not any more") not in one.messages
        finally:
            for heard in (one, other):
                await heard.broker.close()

    with running(server_of(kind, tmp_path)) as server:
        asyncio.run(test(server))


class CancelledOnce(Redis):
    """A broker whose library once cancels what is awaited."""

    reads = 0

    async def _read(self) -> None:
        self.reads += 1
        if self.reads == 1:
            raise asyncio.CancelledError
        await super()._read()


def test_a_session_that_the_library_has_cancelled_is_followed_by_another(tmp_path: Path) -> None:
    async def test(server: Server) -> None:
        heard = Heard()
        broker = CancelledOnce(url_of("redis", server), "test", heard.subscriber)
        await broker.start()
        try:
            await until(lambda: broker.reads == 2 and broker.is_connected)
            assert heard.states == [True, False, True]
        finally:
            await broker.close()

    with running(redis_server(tmp_path)) as server:
        asyncio.run(test(server))


class Unwilling(Redis):
    """A broker whose library fails in every way, one after the other."""

    failures: list[BaseException]
    shut = 0

    async def _open(self, topics: tuple[str, ...]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        await super()._open(topics)

    async def _shut(self) -> None:
        self.shut += 1
        await super()._shut()
        if self.shut == 1:
            raise asyncio.CancelledError


def test_whatever_a_library_raises_the_next_session_begins(tmp_path: Path) -> None:
    limits = RemoteLimits(last_retry=0.01)

    async def test(server: Server) -> None:
        heard = Heard()
        broker = Unwilling(url_of("redis", server), "test", heard.subscriber, limits)
        broker.failures = [
            asyncio.CancelledError(), ConfigError("seen", "fix"), ExceptionGroup("g", [OSError()])
        ]  # fmt: skip
        await broker.start()
        try:
            await until(lambda: broker.is_connected)
            assert broker.shut == 3
        finally:
            await broker.close()

    with running(redis_server(tmp_path)) as server:
        asyncio.run(test(server))


def test_a_listener_that_fails_does_not_end_the_sessions(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(server: Server) -> None:
        heard = Heard()
        states: list[bool] = []

        def on_state(is_connected: bool) -> None:
            states.append(is_connected)
            if len(states) < 3:
                raise RuntimeError("a fault of the one who is told")

        subscriber = replace(heard.subscriber, on_state=on_state)
        broker: Any = Redis(url_of("redis", server), "test", subscriber)
        await broker.start()
        try:
            await until(lambda: states == [True, False, True])
            assert broker.is_connected
        finally:
            await broker.close()

    with running(redis_server(tmp_path)) as server:
        asyncio.run(test(server))
    assert "a fault of the one who is told" in caplog.text
