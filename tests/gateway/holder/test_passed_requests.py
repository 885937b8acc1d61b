"""Requests wait for a worker, and fail with the one that has them."""

from __future__ import annotations

import pytest

from kit.gateway import System
from kit.kept_apps import hold, serve
from lineman.gateway.holder import passed_requests
from lineman.testing.client import RawClient

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def answers(scope: object, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 200})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b"here"})  # type: ignore[operator]


async def never(scope: object, receive: object, send: object) -> None:
    for _ in range(2):
        await receive()  # type: ignore[operator]


def client_of(system: System) -> RawClient:
    system.workers[0].callbacks.app = system.nodes[0].requests
    client = RawClient(system.workers[0].port)
    system.clients.append(client)
    client.send_bytes(REQUEST)
    return client


def test_a_request_waits_until_a_worker_is_ready(system: System) -> None:
    node = hold(system)
    client = client_of(system)
    system.wait_until(lambda: node.requests._waiting, "it waits")
    serve(system, answers)
    assert client.receive_all().endswith(b"here")


def test_a_request_that_no_worker_takes_is_503(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passed_requests, "PATIENCE", 0.05)
    hold(system)
    assert client_of(system).receive_all().startswith(b"HTTP/1.1 503 ")


def test_a_request_whose_worker_dies_is_500(system: System) -> None:
    node = hold(system)
    dying = serve(system, never)
    client = client_of(system)
    system.wait_until(lambda: node.requests._open, "it is passed on")

    def die() -> None:
        dying._dialler.stop()
        for link in list(dying._receivers):
            link.fail("killed")

    system.call(die)
    assert client.receive_all().startswith(b"HTTP/1.1 500 ")
