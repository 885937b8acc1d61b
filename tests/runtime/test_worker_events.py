"""Events of workers in this process: functions, the start, failures, and messages for all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.waiting import until
from lineman import ConfigError, UsageError, Worker
from lineman.runtime import worker_events
from lineman.sharing import in_use
from lineman.testing.client import RawClient


@pytest.fixture(autouse=True)
def unused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program before this test has used events."""
    monkeypatch.setattr(in_use, "is_used", False)


def run(workers: list[Worker], test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        for worker in workers:
            await worker.start()
        try:
            await test()
        finally:
            for worker in workers:
                await worker.stop(1.0)

    asyncio.run(main())


def test_events_reach_functions_of_every_worker_plain_or_async(no_traces: None) -> None:
    one, other = Worker(name="one"), Worker(name="other")
    seen: list[Any] = []

    @one.on_event("news")
    def plain(data: Any) -> None:
        seen.append(("plain", data))

    @other.on_event("news")
    async def coroutine(data: Any) -> None:
        await asyncio.sleep(0)
        seen.append(("async", data))

    @other.on_event("news")
    def without_data() -> None:
        seen.append(("none", None))

    async def test() -> None:
        assert one.publish("news", [1])
        await until(lambda: len(seen) == 3)
        assert sorted(seen, key=repr) == [("async", [1]), ("none", None), ("plain", [1])]

        @one.on_event("later")
        def later(data: Any) -> None:
            seen.append(("later", data))

        other.publish("later")
        await until(lambda: seen[-1] == ("later", None))

    run([one, other], test)


def test_an_event_of_the_start_waits_until_the_worker_has_started(no_traces: None) -> None:
    worker = Worker(name="one")
    seen: list[str] = []
    worker.on_event("news")(seen.append)

    @worker.on_worker_start
    async def start(worker: Worker) -> None:
        assert worker.publish("news", "early")
        for _ in range(5):
            await asyncio.sleep(0)
        seen.append("started")

    async def test() -> None:
        await until(lambda: seen == ["started", "early"])

    run([worker], test)


def test_a_function_that_raises_is_logged_by_name_and_counted(
    no_traces: None, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(name="one")

    @worker.on_event("news")
    def faulty(data: Any) -> None:
        raise ZeroDivisionError(data)

    async def test() -> None:
        assert worker.service is not None
        worker.publish("news", "x")
        await until(lambda: worker.service is not None and worker.service.exceptions == 1)

    run([worker], test)
    assert "on_event 'news': " in caplog.text
    assert "faulty raised" in caplog.text


def test_a_message_everywhere_reaches_the_clients_here_and_returns_their_number(
    no_traces: None,
) -> None:
    worker = Worker("ws://127.0.0.1:0", name="chat")
    worker.on_event("unused")(print)

    def client() -> str:
        with RawClient(worker.port) as raw:
            return str(raw.open().receive_message())

    async def test() -> None:
        reading = [asyncio.create_task(asyncio.to_thread(client)) for _ in range(2)]
        await until(lambda: len(worker.connections) == 2)
        assert worker.broadcast("hello", everywhere=True) == 2
        assert await asyncio.gather(*reading) == ["hello", "hello"]
        with pytest.raises(UsageError, match="leave it out with everywhere=True"):
            worker.broadcast("x", to=[], everywhere=True)
        with pytest.raises(UsageError, match="the message"):
            worker.broadcast("x" * 1_000_001, everywhere=True)

    run([worker], test)


def test_without_a_broker_the_error_says_how_to_get_one(no_traces: None) -> None:
    worker = Worker(name="one")
    with pytest.raises(UsageError, match="publish in on_worker_start or later"):
        worker.publish("news", 1)

    async def test() -> None:
        for call in (
            lambda: worker.publish("news", 1),
            lambda: worker.broadcast("x", everywhere=True),
            lambda: worker.on_event("news")(print),
        ):
            with pytest.raises(UsageError, match=r'set Worker\.broker = "embedded"'):
                call()

    run([worker], test)


@pytest.mark.parametrize("function", [None, 7, lambda one, two: None])
def test_what_is_no_function_of_the_data_is_an_error(function: Any) -> None:
    with pytest.raises(UsageError, match="on_event"):
        Worker(name="one").on_event("news")(function)


@pytest.mark.parametrize("event", [7, "", None])
def test_an_event_without_a_name_is_an_error(event: Any) -> None:
    with pytest.raises(UsageError, match="the name of an event"):
        Worker(name="one").on_event(event)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("broker", "redis:/x", "no broker's address"),
        ("broker", "mysql://x", "no broker's address"),
        ("service_name", "", "service_name is ''"),
        ("service_name", "a/b", "service_name is 'a/b'"),
        ("service_name", "a\nb", r"service_name is 'a\\nb'"),
        ("service_name", "a\udcff", "service_name is 'a"),
        ("service_name", "x" * 101, "1 to 100 bytes"),
        ("secret", "short", "the secret has 5 bytes"),
        ("secret", 7, "the secret is no text"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: Any, words: str
) -> None:
    monkeypatch.setattr(Worker, "broker", "embedded", raising=False)
    monkeypatch.setattr(Worker, name, value, raising=False)

    async def main() -> None:
        with pytest.raises(ConfigError, match=words):
            await Worker(name="one").start()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("broker", "store"),
    [
        ("nats://127.0.0.1:1", "NatsStore"),
        ("tls://127.0.0.1:1", "NatsStore"),
        ("nats://u:p@127.0.0.1:1,nats://u:p@127.0.0.1:2", "NatsStore"),
        ("redis://127.0.0.1:1", "RedisStore"),
        ("redis+cluster://127.0.0.1:1", "RedisStore"),
        ("redis+sentinel://127.0.0.1:1/m", "RedisStore"),
    ],
)
def test_every_broker_keeps_values(
    monkeypatch: pytest.MonkeyPatch, broker: str, store: str
) -> None:
    monkeypatch.setattr(Worker, "broker", broker, raising=False)

    async def main() -> None:
        made = worker_events.store_maker(Worker(name="one"))()
        assert type(made).__name__ == store
        await made.close()

    asyncio.run(main())


def test_sockets_lie_in_the_directory_of_the_program(tmp_path: Path) -> None:
    worker = Worker(name="one")
    assert worker_events.path_of(worker, "program.hub") is None
    worker.links_directory = str(tmp_path)
    assert worker_events.path_of(worker, "program.hub") == str(tmp_path / "program.hub")
