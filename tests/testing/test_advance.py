"""Time that a test moves: pings, deadlines, timers and lines of cron of a whole service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from lineman import Connection, Gateway, Timer, UsageError, Worker
from lineman.protocols.websocket.frames import PONG
from lineman.testing.movable_clock import MovableClock
from lineman.testing.serving import Serving

Serve = Callable[[Worker | Gateway], Serving]


@pytest.fixture
def serve(no_traces: None) -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda service: stack.enter_context(Serving(service, clock=MovableClock()))


def test_a_client_that_answers_pings_stays_for_hours(serve: Serve) -> None:
    worker = Worker("ws://127.0.0.1:0", ping_interval=20, ping_timeout=20)
    worker.on_message = lambda connection, message: connection.send(message)
    serving = serve(worker)
    client = serving.connect()
    serving.advance(600)
    client.send("still there")
    client.expect("still there")


def test_a_ping_that_comes_meanwhile_is_answered_once(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker("ws://127.0.0.1:0", ping_interval=20)
    worker.on_message = lambda connection, message: connection.send(message)
    serving = serve(worker)
    client = serving.connect()
    sent: list[int] = []
    send_frame = client.send_frame

    def note(opcode: int, payload: bytes = b"") -> None:
        sent.append(opcode)
        send_frame(opcode, payload)

    monkeypatch.setattr(client, "send_frame", note)
    serving.advance(21)
    client.send("x")
    client.expect("x")
    assert sent == [PONG]


def test_a_close_that_comes_meanwhile_is_answered(serve: Serve) -> None:
    closed: list[int] = []
    worker = Worker("ws://127.0.0.1:0", close_timeout=1000)
    worker.on_message = lambda connection, message: connection.close(code=4001)
    worker.on_close = lambda connection, code: closed.append(code)
    serving = serve(worker)
    client = serving.connect()
    client.send("x")
    serving.run(asyncio.sleep(0.05))
    serving.advance(1)
    assert closed == [4001]
    client.expect_close(4001)


def test_a_slow_reader_is_closed_behind_what_was_under_way(serve: Serve) -> None:
    worker = Worker("ws://127.0.0.1:0", max_send_buffer_size=65_536)
    serving = serve(worker)
    client = serving.connect(receive_buffer=4096)
    (connection,) = serving.call(worker.connections.values)
    sent = 0
    while serving.call(connection.send, "x" * 10_000):
        sent += 1
    for _ in range(sent):
        assert client.receive_message() == "x" * 10_000
    client.expect_close(1013)


@pytest.mark.parametrize("seconds", [-5, float("nan"), float("inf"), "x", None])
def test_time_goes_forward_by_a_number_of_seconds(serve: Serve, seconds: Any) -> None:
    serving = serve(Worker("ws://127.0.0.1:0"))
    with pytest.raises(UsageError, match="give seconds, 0 or more"):
        serving.advance(seconds)


@pytest.mark.parametrize("wrong", [5, None, Worker, "ws://127.0.0.1:0"])
def test_only_a_worker_or_a_gateway_is_served(serve: Serve, wrong: Any) -> None:
    with pytest.raises(UsageError, match="serves a Worker or a Gateway, and got"):
        serve(wrong)


def test_one_that_answers_nothing_is_gone_after_its_time(serve: Serve) -> None:
    closed: list[int] = []
    worker = Worker("ws://127.0.0.1:0", ping_interval=20, ping_timeout=10)
    worker.on_close = lambda connection, code: closed.append(code)
    serving = serve(worker)
    client = serving.connect()
    serving._clients.clear()  # it is frozen
    serving.advance(29)
    assert not closed
    serving.advance(3)
    assert closed == [1006]
    client.close()


def test_a_client_answers_a_ping_when_it_reads(serve: Serve) -> None:
    worker = Worker("ws://127.0.0.1:0", ping_interval=20, ping_timeout=30)
    worker.on_message = lambda connection, message: connection.send(message)
    serving = serve(worker)
    client = serving.connect()
    serving._clients.clear()  # `advance` answers nothing
    serving.advance(21)
    client.send("one")
    client.expect("one")
    serving.advance(31)  # without the answer it would be closed at 50
    client.send("two")
    client.expect("two")
    client.close()


def test_timers_come_when_the_test_wants(serve: Serve) -> None:
    worker = Worker("ws://127.0.0.1:0")
    counts: list[str] = []

    @worker.on_worker_start
    def begin() -> None:
        worker.every(60)(lambda: counts.append("every"))
        Timer.delay(90, lambda: counts.append("after"))

    @worker.on_message
    async def reply(connection: Connection, message: str) -> None:
        await asyncio.sleep(30)
        connection.send(message)

    serving = serve(worker)
    client = serving.connect()
    client.send("late")
    client.expect_nothing()
    serving.advance(31)
    client.expect("late")
    serving.advance(60)
    assert counts == ["every", "after"]
    serving.advance(30)
    assert counts == ["every", "after", "every"]


def test_a_line_of_cron_comes_too(serve: Serve) -> None:
    worker = Worker("ws://127.0.0.1:0")
    runs: list[None] = []
    worker.cron("*/5 * * * *")(lambda: runs.append(None))
    serving = serve(worker)
    serving.advance(301)
    assert len(runs) == 1
    serving.advance(600)
    assert len(runs) == 3


def test_a_gateway_has_its_deadlines(serve: Serve) -> None:
    gateway = Gateway("ws://127.0.0.1:0", name="advance", authenticate_within=10)
    gateway.on_message = lambda client, message: client.bind(message)
    serving = serve(gateway)
    known, stranger = serving.connect(), serving.connect()
    known.send("ada")
    known.expect_nothing()
    serving.advance(9)
    stranger.expect_nothing()
    serving.advance(2)
    stranger.expect_close(4401)
    known.expect_nothing()


def test_a_service_without_such_a_clock_says_so(no_traces: None) -> None:
    says = r"give it one: Serving\(…, clock=MovableClock\(\)\)"
    with Serving(Worker("ws://127.0.0.1:0")) as serving, pytest.raises(UsageError, match=says):
        serving.advance(1)
