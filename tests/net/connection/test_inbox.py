"""Messages that wait their turn: `async for`, slow handlers, paused connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, echo
from kit.waiting import wait_until
from lineman import Connection, UsageError
from lineman.protocols.websocket.decoder import Close
from lineman.testing.client import RawClient, encode


async def echo_all(connection: Connection) -> None:
    async for message in connection:
        connection.send(message)


# async for.


def test_async_for_gives_the_messages_in_order(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_connect=echo_all).open()
    client.send_bytes(b"".join(encode(str(number)) for number in range(1000)))
    assert [client.receive() for _ in range(1000)] == [str(number) for number in range(1000)]


def test_async_for_gives_text_and_binary_each_as_it_is(serve: Serve) -> None:
    client = serve(on_connect=echo_all).open()
    for message in ("text", b"binary", "", b""):
        client.send(message)
        assert client.receive() == message


def test_messages_right_behind_the_handshake_are_given_too(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_connect=echo_all).connect()
    client.send_bytes(client.handshake_bytes() + encode("early"))
    assert client.receive_reply().status == 101
    assert client.receive() == "early"


@pytest.mark.parametrize("end", ["close", "leave", "reset"])
def test_async_for_ends_when_the_client_does_and_what_follows_it_runs(
    serve: Serve, tls: bool, end: str
) -> None:
    told = Recorder()

    async def handler(connection: Connection) -> None:
        async for message in connection:
            told(message)
        told("over", connection.close_code)

    site = serve(tls, on_connect=handler, on_close=lambda connection, code: told("closed", code))
    client = site.open()
    client.send("one")
    told.wait()
    code = {"close": 4000}.get(end, 1006)
    if end == "close":
        client.send_close(4000)
        assert client.receive() == Close(4000, "")
    elif end == "leave":
        client.close()
    else:
        client.reset()
    calls = told.wait(3)
    assert calls[0] == "one"
    assert sorted(calls[1:]) == [("closed", code), ("over", code)]


def test_what_came_before_the_clients_close_frame_is_given_first(serve: Serve, tls: bool) -> None:
    messages = Recorder()
    begin = asyncio.Event()

    async def handler(connection: Connection) -> None:
        await begin.wait()
        async for message in connection:
            messages(message)
            connection.send(message)

    site = serve(tls, on_connect=handler)
    client = site.open()
    read = site.connection.bytes_read
    client.send_bytes(encode("one") + encode("two"))
    client.send_close(1000)
    wait_until(lambda: site.connection.bytes_read - read == 9 + 9 + 8, "all is read")
    site.call(begin.set)
    assert [client.receive() for _ in range(3)] == ["one", "two", Close(1000, "")]
    assert messages.calls == ["one", "two"]


def test_a_conversation_that_returns_closes_with_1000(serve: Serve, tls: bool) -> None:
    closed = Recorder()

    async def handler(connection: Connection) -> None:
        async for message in connection:
            connection.send(f"you said {message}")
            break

    site = serve(tls, on_connect=handler, on_close=lambda connection, code: closed(code))
    client = site.open()
    client.send("x")
    assert [client.receive(), client.receive()] == ["you said x", Close(1000, "")]
    client.send_close()
    client.assert_ended()
    assert closed.wait() == [1000]


def test_a_conversation_that_returns_while_the_clients_close_frame_waits_ends_at_once(
    serve: Serve, tls: bool
) -> None:
    closed = Recorder()
    begin = asyncio.Event()

    async def handler(connection: Connection) -> None:
        await begin.wait()
        async for _ in connection:
            return  # and the close frame behind the message stays unread

    # With this patience only a close that takes no notice of the client's would last.
    site = serve(
        tls,
        on_connect=handler,
        on_close=lambda connection, code, reason: closed(code, reason),
        close_timeout=1000,
    )
    client = site.open()
    read = site.connection.bytes_read
    client.send("bye")
    client.send_close(4000, "gone")
    wait_until(lambda: site.connection.bytes_read - read == 9 + 12, "both are read")
    site.call(begin.set)
    assert client.receive() == Close(4000, "")
    client.assert_ended()
    assert closed.wait() == [(4000, "gone")]


def test_reading_can_go_on_after_a_break(serve: Serve) -> None:
    async def handler(connection: Connection) -> None:
        async for message in connection:
            if message == "break":
                break
        async for message in connection:
            connection.send(f"second {message}")

    client = serve(on_connect=handler).open()
    client.send_bytes(encode("a") + encode("break") + encode("b"))
    assert client.receive() == "second b"


def test_one_message_can_be_awaited(serve: Serve) -> None:
    async def handler(connection: Connection) -> None:
        messages = aiter(connection)
        name = await anext(messages)
        connection.send(f"hello {name}")

    client = serve(on_connect=handler).open()
    client.send("tom")
    assert [client.receive(), client.receive()] == ["hello tom", Close(1000, "")]


def test_waiting_with_a_deadline_loses_nothing(serve: Serve) -> None:
    async def handler(connection: Connection) -> None:
        try:
            async with asyncio.timeout(0.01):
                async for _ in connection:
                    pass
        except TimeoutError:
            connection.send("too slow")
        async for message in connection:
            connection.send(message)

    client = serve(on_connect=handler).open()
    assert client.receive() == "too slow"
    client.send("x")
    assert client.receive() == "x"


def test_two_coroutines_that_read_at_once_are_told(serve: Serve) -> None:
    told = Recorder()

    async def handler(connection: Connection) -> None:
        first = asyncio.create_task(read(connection))
        await asyncio.sleep(0)
        with pytest.raises(UsageError, match="two coroutines read this connection at once"):
            await read(connection)
        told("told")
        await first

    async def read(connection: Connection) -> None:
        async for message in connection:
            connection.send(message)

    client = serve(on_connect=handler).open()
    told.wait()
    client.send("the first one reads on")
    assert client.receive() == "the first one reads on"


def test_a_task_of_the_programs_own_may_read(serve: Serve, tls: bool) -> None:
    tasks: list[asyncio.Task[None]] = []
    over = Recorder()

    async def read(connection: Connection) -> None:
        async for message in connection:
            connection.send(message)
        over("over")

    def on_connect(connection: Connection) -> None:
        tasks.append(asyncio.get_running_loop().create_task(read(connection)))

    site = serve(tls, on_connect=on_connect)
    client = site.open()
    client.ping()  # the task has begun when this is answered
    client.receive_pong()
    client.send("x")
    assert client.receive() == "x"
    client.close()
    over.wait()


def test_a_service_that_stops_says_goodbye_to_a_task_of_the_programs_own(serve: Serve) -> None:
    tasks: list[asyncio.Task[None]] = []

    def on_connect(connection: Connection) -> None:
        tasks.append(asyncio.get_running_loop().create_task(echo_all(connection)))

    site = serve(on_connect=on_connect)
    client = site.open()
    client.send("x")
    assert client.receive() == "x"
    stopping = threading.Thread(target=site.stop)
    stopping.start()
    assert client.receive() == Close(1001, "the service is stopping")
    client.send_close(1001)
    stopping.join()


def test_async_for_with_an_on_message_beside_it_ends_with_the_client(serve: Serve) -> None:
    """One of the two is a mistake, but none that may keep the coroutine for ever."""
    over, closed = Recorder(), Recorder()

    async def handler(connection: Connection) -> None:
        async for _ in connection:
            pass
        over("over")

    site = serve(
        on_connect=handler, on_message=echo, on_close=lambda connection, code: closed(code)
    )
    site.open().close()
    assert over.wait() == ["over"]
    assert closed.wait() == [1006]


def test_a_flood_to_a_slow_reader_waits_in_the_sender_and_not_in_memory(
    serve: Serve, tls: bool
) -> None:
    begin = asyncio.Event()
    counted = Recorder()

    async def handler(connection: Connection) -> None:
        await begin.wait()
        count = 0
        async for _ in connection:
            count += 1
            if count == 100_000:
                counted(count)

    site = serve(tls, on_connect=handler)
    client = site.open()
    flood = threading.Thread(target=client.send_bytes, args=(encode("x" * 60) * 100_000,))
    flood.start()
    connection = site.connection
    wait_until(lambda: site.call(lambda: connection.is_paused), "reading pauses")
    assert site.call(lambda: connection.bytes_read) < 2_000_000
    site.call(begin.set)
    flood.join()
    assert counted.wait() == [100_000]


# Coroutines that read nothing.


def test_a_ticker_that_never_reads_is_cancelled_after_the_client_left(
    serve: Serve, tls: bool
) -> None:
    told = Recorder()

    async def tick(connection: Connection) -> None:
        try:
            while True:
                connection.send("tick")
                await asyncio.sleep(0.01)
        finally:
            told("cancelled")

    site = serve(
        tls,
        on_connect=tick,
        on_close=lambda connection, code: told(code),
        close_timeout=0.2,
    )
    client = site.open()
    assert client.receive() == "tick"
    client.send_close(4000)
    assert client.receive_close().code == 4000
    assert told.wait(2) == [4000, "cancelled"]


def test_the_close_of_a_client_is_answered_at_once_although_nobody_reads(
    serve: Serve, tls: bool
) -> None:
    async def wait(connection: Connection) -> None:
        await asyncio.get_running_loop().create_future()

    site = serve(tls, on_connect=wait, close_timeout=0.2)
    client = site.open()
    client.send_close(4000)
    # At once and not at the deadline: the service's clock stands still.
    assert client.receive() == Close(4000, "")
    client.assert_ended()


def test_an_async_on_connect_comes_before_on_message(serve: Serve, tls: bool) -> None:
    proceed = threading.Event()
    told = Recorder()

    async def on_connect(connection: Connection) -> None:
        await asyncio.to_thread(proceed.wait)
        told("connected")

    site = serve(tls, on_connect=on_connect, on_message=lambda connection, message: told(message))
    client = site.open()
    client.send_bytes(encode("one") + encode("two"))
    proceed.set()
    assert told.wait(3) == ["connected", "one", "two"]


# The client's end meets a handler at work.


async def messages_of(connection: Connection) -> AsyncIterator[str | bytes]:
    async for message in connection:
        yield message


def test_a_generator_around_the_connection_works(serve: Serve) -> None:
    async def handler(connection: Connection) -> None:
        async for message in messages_of(connection):
            connection.send(message)

    client = serve(on_connect=handler).open()
    client.send("x")
    assert client.receive() == "x"
    client.send_close()
    assert client.receive_close().code == 1000


@pytest.mark.parametrize("leave", [RawClient.close, RawClient.reset, RawClient.send_close])
def test_on_close_comes_after_the_last_handler(serve: Serve, tls: bool, leave: Any) -> None:
    proceed = asyncio.Event()
    told = Recorder()

    async def handler(connection: Connection, message: str) -> None:
        await proceed.wait()
        told(message)

    site = serve(
        tls,
        on_message=handler,
        on_close=lambda connection, code: told(code),
        close_timeout=0.5,
    )
    client = site.open()
    client.send_bytes(encode("one") + encode("two"))
    wait_until(lambda: site.connection.messages_read == 1, "a handler is at work")
    leave(client)
    wait_until(lambda: not site.worker.connections, "the connection is gone")
    site.call(proceed.set)
    assert told.wait(3)[:2] == ["one", "two"]
    assert told.calls[2] in (1000, 1006)
