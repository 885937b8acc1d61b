"""Connections that are paused, and go on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve
from lineman import Connection
from lineman.testing.client import encode

# Paused.


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
def test_pausing_and_resuming_keeps_the_order_and_loses_nothing(
    serve: Serve, tls: bool, is_async: bool
) -> None:
    def pause_often(connection: Connection, message: str) -> None:
        connection.send(message)
        if int(message) % 3 == 0:
            connection.pause_recv()
            asyncio.get_running_loop().call_soon(connection.resume_recv)

    async def pause_often_async(connection: Connection, message: str) -> None:
        await asyncio.sleep(0)
        pause_often(connection, message)

    client = serve(tls, on_message=pause_often_async if is_async else pause_often).open()
    wire = b"".join(encode(str(number)) for number in range(300))
    for start in range(0, len(wire), 700):
        client.send_bytes(wire[start : start + 700])
    assert [client.receive() for _ in range(300)] == [str(number) for number in range(300)]


def test_a_paused_connection_delivers_nothing_and_slows_the_client_down(
    serve: Serve, tls: bool
) -> None:
    messages = Recorder()
    site = serve(
        tls,
        on_connect=lambda connection: connection.pause_recv(),
        on_message=lambda connection, message: messages(len(message)),
    )
    client = site.open()
    client.plain.settimeout(0.3)
    flood = encode(b"x" * 1_000_000)
    with pytest.raises(TimeoutError):
        client.send_bytes(flood * 100)
    assert messages.calls == []
    assert site.connection.bytes_read < 1_000_000


def test_messages_that_came_in_one_read_with_the_one_that_pauses_wait(serve: Serve) -> None:
    messages = Recorder()

    def handler(connection: Connection, message: str) -> None:
        messages(message)
        connection.pause_recv()

    site = serve(on_message=handler)
    client = site.open()
    client.send_bytes(encode("one") + encode("two") + encode("three"))
    messages.wait()
    assert site.call(lambda: messages.calls) == ["one"]
    site.call(site.connection.resume_recv)
    messages.wait(2)
    assert site.call(lambda: messages.calls) == ["one", "two"]
    site.call(site.connection.resume_recv)
    messages.wait(3)


def test_pausing_and_resuming_twice_is_fine(serve: Serve) -> None:
    def handler(connection: Connection, message: str) -> None:
        connection.pause_recv()
        connection.pause_recv()
        connection.resume_recv()
        connection.resume_recv()
        connection.send(message)

    client = serve(on_message=handler).open()
    client.send_bytes(encode("one") + encode("two"))
    assert [client.receive(), client.receive()] == ["one", "two"]


def test_async_for_waits_while_the_connection_is_paused(serve: Serve, tls: bool) -> None:
    messages = Recorder()

    async def handler(connection: Connection) -> None:
        async for message in connection:
            messages(message)
            if message == "pause":
                connection.pause_recv()

    site = serve(tls, on_connect=handler)
    client = site.open()
    client.send_bytes(encode("pause") + encode("one") + encode("two"))
    messages.wait()
    assert site.call(lambda: messages.calls) == ["pause"]
    site.call(site.connection.resume_recv)
    assert messages.wait(3) == ["pause", "one", "two"]


@pytest.mark.parametrize("is_stream", [False, True], ids=["on_message", "async for"])
def test_what_waited_in_a_paused_connection_is_delivered_when_the_client_is_gone(
    serve: Serve, tls: bool, is_stream: bool
) -> None:
    told = Recorder()

    async def read(connection: Connection) -> None:
        async for message in connection:
            handle(connection, message)
        told("over")

    def handle(connection: Connection, message: Any) -> None:
        told(message)
        if message == "one":
            connection.pause_recv()

    callbacks: dict[str, Any] = {"on_connect": read} if is_stream else {"on_message": handle}
    site = serve(tls, on_close=lambda connection, code: told(code), **callbacks)
    client = site.open()
    client.send_bytes(encode("one") + encode("two"))
    told.wait()
    client.reset()
    if is_stream:
        assert set(told.wait(4)) == {"one", "two", "over", 1006}
    else:
        assert told.wait(3) == ["one", "two", 1006]
