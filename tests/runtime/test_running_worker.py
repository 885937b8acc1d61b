"""A `Worker` from before its start to after its stop."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from lineman import UsageError, Worker
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving

WSS = "wss://127.0.0.1:0"

WS = "ws://127.0.0.1:0"

# Its life.


def test_before_the_start_there_is_no_port_and_there_are_no_connections() -> None:
    worker = Worker("ws://127.0.0.1:0")
    assert worker.connections == {}
    for name in ("port", "url"):
        with pytest.raises(UsageError, match="does not run yet"):
            getattr(worker, name)


def test_after_the_start_the_url_has_the_port(authority: TestCA, certificate: IssuedPair) -> None:
    worker = Worker("websocket://127.0.0.1:0", transport="ssl", cert=certificate.cert)
    worker.key = certificate.key
    with Serving(worker) as serving:
        assert worker.port > 0
        assert worker.url == f"wss://127.0.0.1:{serving.port}"


def test_starting_twice_is_refused() -> None:
    worker = Worker(WS)
    with Serving(worker) as serving, pytest.raises(UsageError, match="runs already"):
        serving.run(worker.start())


def test_stopping_what_does_not_run_is_fine() -> None:
    asyncio.run(Worker(WS).stop())


@pytest.mark.parametrize("is_async", [False, True])
def test_on_worker_start_and_on_worker_stop_are_told_once(is_async: bool) -> None:
    told: list[Any] = []

    async def note_async(worker: Worker) -> None:
        await asyncio.sleep(0)
        told.append((worker, worker.port))

    def note(worker: Worker) -> None:
        told.append((worker, worker.port))

    worker = Worker(WS)
    worker.on_worker_start = worker.on_worker_stop = note_async if is_async else note
    with Serving(worker):
        assert told == [(worker, worker.port)]
    assert len(told) == 2


def test_nobody_is_accepted_before_on_worker_start_is_done() -> None:
    order: list[str] = []

    async def get_ready() -> None:
        await asyncio.sleep(0.05)
        order.append("ready")

    worker = Worker(WS)
    worker.on_worker_start = get_ready
    worker.on_connect = lambda connection: order.append("client")

    async def run() -> None:
        starting = asyncio.create_task(worker.start())
        await asyncio.sleep(0.01)
        client = await asyncio.to_thread(RawClient, worker.port)
        await asyncio.to_thread(client.open)
        client.close()
        await starting
        await worker.stop()

    asyncio.run(run())
    assert order == ["ready", "client"]


def test_a_failing_on_worker_start_stops_the_start_and_frees_the_port() -> None:
    worker = Worker(WS)

    def fail() -> None:
        raise RuntimeError("no database")

    worker.on_worker_start = fail
    with pytest.raises(RuntimeError, match="no database"):
        asyncio.run(worker.start())
    assert worker.service is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", worker.port))


def test_a_failing_on_worker_stop_is_logged_and_the_worker_stops(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise RuntimeError("broken callback")

    worker = Worker(WS)
    worker.on_worker_stop = fail
    with Serving(worker):
        pass
    assert worker.service is None
    assert "broken callback" in caplog.text


def test_starting_is_told_in_the_log_with_the_address_for_clients(
    caplog: pytest.LogCaptureFixture, certificate: IssuedPair
) -> None:
    caplog.set_level("INFO", "lineman")
    worker = Worker(WSS, cert=certificate.cert, key=certificate.key)
    with Serving(worker) as serving:
        assert f"listening on wss://127.0.0.1:{serving.port}" in caplog.text
