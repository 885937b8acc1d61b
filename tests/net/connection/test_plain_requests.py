"""Requests whose answers take their time, and clients that do not wait for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

from kit.site import Serve
from lineman import Request, ServerSentEvent


def test_a_request_is_told_of_its_client_that_left(serve: Serve, tls: bool) -> None:
    begun, left = threading.Event(), threading.Event()
    seen: list[Any] = []

    async def slow(request: Request) -> str:
        task = asyncio.current_task()
        assert task is not None
        request.on_disconnect(lambda: seen.append(request.is_disconnected))
        request.on_disconnect(task.cancel)
        begun.set()
        try:
            await asyncio.sleep(1000)
        finally:
            left.set()
        return "nobody"

    site = serve(tls, on_request=slow)
    client = site.connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert begun.wait(10)
    client.close()
    assert left.wait(10)
    assert seen == [True]
    site.wait_until_empty()


def test_a_request_that_nobody_waits_for_goes_on_unless_it_asks(serve: Serve) -> None:
    begun, go, done = threading.Event(), threading.Event(), threading.Event()

    async def saves(request: Request) -> str:
        begun.set()
        while not go.is_set():
            await asyncio.sleep(0.001)
        if request.is_disconnected:
            done.set()
        return "saved"

    site = serve(on_request=saves)
    client = site.connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert begun.wait(10)
    client.reset()
    site.wait_until_empty()
    go.set()
    assert done.wait(10)


def test_a_handler_may_take_its_time(serve: Serve) -> None:
    begun, go = threading.Event(), threading.Event()

    async def slow(request: Request) -> str:
        begun.set()
        while not go.is_set():
            await asyncio.sleep(0.001)
        return "late"

    site = serve(on_request=slow, handshake_timeout=2)
    client = site.connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert begun.wait(10)
    site.advance_clock(100)
    go.set()
    assert client.receive_reply().text == "late"


def test_a_stream_of_events_ends_with_the_service(serve: Serve) -> None:
    begun = threading.Event()

    async def events(request: Request) -> AsyncIterator[Any]:
        yield ServerSentEvent("x")
        begun.set()
        await asyncio.sleep(1000)

    site = serve(on_request=events)
    client = site.connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert begun.wait(10)
    stopping = threading.Thread(target=site.stop)
    stopping.start()
    assert client.receive_all().endswith(b"data: x\n\n\r\n0\r\n\r\n")
    stopping.join()
