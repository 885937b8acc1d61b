"""Messages on real sockets: in both directions, whole, cut, many at once, and in order."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, echo
from kit.waiting import wait_until
from lineman import Connection
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.decoder import Close, Ping, Pong
from lineman.testing.client import encode, encode_frame

MIB = 1024 * 1024
MESSAGES: list[str | bytes] = [
    "tom",
    "",
    b"",
    "Grüße, 世界 🌍",
    bytes(range(256)),
    "x" * 125,
    "x" * 126,
    b"x" * 65535,
    b"x" * 65536,
    "ü" * 32768,
    random.Random(1).randbytes(MIB),
]


def test_what_is_sent_comes_back_as_it_was(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_message=echo).open()
    for message in MESSAGES:
        client.send(message)
        assert client.receive() == message


def test_text_is_str_and_binary_is_bytes(serve: Serve) -> None:
    client = serve(
        on_message=lambda connection, message: connection.send(type(message).__name__)
    ).open()
    client.send("x")
    assert client.receive() == "str"
    client.send(b"x")
    assert client.receive() == "bytes"


def test_a_message_of_the_greatest_size_comes_back(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_message=echo).open()
    message = random.Random(2).randbytes(10 * MIB)
    client.send(message)
    assert client.receive() == message


@pytest.mark.parametrize("fragment", [10 * MIB + 1, MIB], ids=["one frame", "fragments"])
def test_a_message_of_one_byte_more_is_1009(serve: Serve, tls: bool, fragment: int) -> None:
    messages = Recorder()
    site = serve(tls, on_message=lambda connection, message: messages(len(message)))
    client = site.open()
    client.send("before")
    try:
        for start in range(0, 10 * MIB + 1, fragment):
            opcode = frames.CONTINUATION if start else frames.BINARY
            size = min(fragment, 10 * MIB + 1 - start)
            client.send_frame(opcode, bytes(size), fin=False)
    except OSError:
        pass  # the service has had enough
    close = client.receive_close()
    assert close.code == 1009
    assert "10485760" in close.reason
    assert messages.calls == [6]


def test_fragments_with_pings_between_them_make_one_message(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_message=echo).open()
    client.send_frame(frames.TEXT, "Grü".encode()[:3], fin=False)
    client.ping(b"one")
    client.send_frame(frames.CONTINUATION, "Grü".encode()[3:], fin=False)
    client.ping(b"two")
    client.send_frame(frames.CONTINUATION, b"", fin=False)
    client.send_frame(frames.CONTINUATION, "ße".encode())
    assert [client.receive() for _ in range(3)] == [Pong(b"one"), Pong(b"two"), "Grüße"]


def test_twenty_thousand_fragments_make_one_message(serve: Serve) -> None:
    client = serve(on_message=echo).open()
    fragment = encode_frame(frames.CONTINUATION, b"x", fin=False)
    start = encode_frame(frames.BINARY, b"", fin=False)
    client.send_bytes(start + fragment * 20_000 + encode_frame(frames.CONTINUATION))
    assert client.receive() == b"x" * 20_000


def test_frames_may_be_cut_at_every_byte(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_message=echo).open()
    wire = (
        encode("tom")
        + encode_frame(frames.PING, b"p")
        + encode_frame(frames.TEXT, "世".encode()[:2], fin=False)
        + encode_frame(frames.CONTINUATION, "世".encode()[2:])
        + encode(b"x" * 200)
    )
    for cut in range(1, len(wire)):
        client.send_bytes(wire[:cut])
        client.send_bytes(wire[cut:])
        assert [client.receive() for _ in range(4)] == ["tom", Pong(b"p"), "世", b"x" * 200]


def test_a_frame_may_come_byte_by_byte(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_message=echo).open()
    for byte in encode("Grüße, 世界"):
        client.send_bytes(bytes([byte]))
    assert client.receive() == "Grüße, 世界"


def test_many_messages_in_one_write_come_back_in_order(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_message=echo).open()
    client.send_bytes(b"".join(encode(str(number)) for number in range(5000)))
    assert [client.receive() for _ in range(5000)] == [str(number) for number in range(5000)]


def test_a_message_right_behind_the_handshake_is_not_lost(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_message=echo).connect()
    client.send_bytes(client.handshake_bytes() + encode("early") + encode("too"))
    assert client.receive_reply().status == 101
    assert [client.receive(), client.receive()] == ["early", "too"]


def test_messages_behind_a_handshake_that_is_still_decided_on_are_not_lost(
    serve: Serve, tls: bool
) -> None:
    decide = threading.Event()

    async def decide_later(connection: Connection, request: object) -> None:
        await asyncio.to_thread(decide.wait)

    site = serve(tls, on_message=echo, on_websocket_connect=decide_later)
    client = site.connect()
    # Three writes: over TLS these are three records.
    client.send_bytes(client.handshake_bytes())
    client.send_bytes(encode("early"))
    client.send_bytes(encode("too"))
    decide.set()
    assert client.receive_reply().status == 101
    assert [client.receive(), client.receive()] == ["early", "too"]


def test_a_service_without_on_message_reads_and_goes_on(serve: Serve) -> None:
    site = serve()
    client = site.open()
    client.send("nobody cares")
    client.ping(b"alive")
    assert client.receive_pong() == b"alive"
    assert site.connection.messages_read == 1


# What handlers may be.


def test_async_handlers_run_in_order_one_at_a_time(serve: Serve, tls: bool) -> None:
    at_work = 0

    async def handler(connection: Connection, message: str) -> None:
        nonlocal at_work
        at_work += 1
        # The first ones take the longest: without an order they would come last.
        await asyncio.sleep(max(0.0, 0.02 - 0.002 * int(message)))
        connection.send(f"{message} {at_work}")
        at_work -= 1

    client = serve(tls, on_message=handler).open()
    client.send_bytes(b"".join(encode(str(number)) for number in range(20)))
    assert [client.receive() for _ in range(20)] == [f"{number} 1" for number in range(20)]


def test_async_handlers_of_different_connections_do_not_wait_for_each_other(serve: Serve) -> None:
    proceed = threading.Event()

    async def handler(connection: Connection, message: str) -> None:
        if message == "slow":
            await asyncio.to_thread(proceed.wait)
        connection.send(message)

    site = serve(on_message=handler)
    slow, quick = site.open(), site.open()
    slow.send("slow")
    quick.send("quick")
    assert quick.receive() == "quick"
    proceed.set()
    assert slow.receive() == "slow"


def test_pings_are_answered_while_an_async_handler_is_at_work(serve: Serve, tls: bool) -> None:
    proceed = threading.Event()

    async def handler(connection: Connection, message: str) -> None:
        await asyncio.to_thread(proceed.wait)
        connection.send(message)

    client = serve(tls, on_message=handler).open()
    client.send("one")
    client.send("two")
    client.ping(b"still there?")
    assert client.receive_pong() == b"still there?"
    proceed.set()
    assert [client.receive(), client.receive()] == ["one", "two"]


def test_a_flood_to_a_slow_handler_waits_in_the_sender_and_not_in_memory(
    serve: Serve, tls: bool
) -> None:
    proceed = asyncio.Event()
    done = Recorder()

    async def handler(connection: Connection, message: str) -> None:
        await proceed.wait()
        if message == "last":
            done(connection.messages_read)

    count = 100_000
    flood = encode("x" * 60) * (count - 1) + encode("last")  # 6.6 MB
    site = serve(tls, on_message=handler)
    client = site.open()
    sender = threading.Thread(target=client.send_bytes, args=(flood,))
    sender.start()
    connection = site.connection
    # It is read until so many messages wait, and then no more.
    wait_until(lambda: site.call(lambda: connection.is_paused), "reading pauses")
    read = site.call(lambda: connection.bytes_read)
    assert read < 2 * MIB
    for _ in range(20):
        site.call(lambda: None)
    assert site.call(lambda: connection.bytes_read) == read
    site.call(proceed.set)
    sender.join()
    assert done.wait() == [count]


def test_a_handler_may_take_the_message_only(serve: Serve) -> None:
    connections: list[Connection] = []
    client = serve(on_message=connections.append).open()
    client.send("x")
    client.ping()
    client.receive_pong()
    assert [type(connection) for connection in connections] == [Connection]


def test_what_a_plain_handler_returns_is_ignored(serve: Serve) -> None:
    def handler(connection: Connection, message: str) -> Any:
        connection.send(message)
        return {"anything": 1}

    client = serve(on_message=handler).open()
    client.send("x")
    assert client.receive() == "x"


# Failures.


async def fail_async(*arguments: object) -> None:
    raise RuntimeError("broken callback")


async def fail_async_late(*arguments: object) -> None:
    await asyncio.sleep(0)
    raise RuntimeError("broken callback")


async def fail_by_a_cancelled_wait(*arguments: object) -> None:
    waiting = asyncio.get_running_loop().create_future()
    waiting.cancel()
    await waiting


def fail(*arguments: object) -> None:
    raise RuntimeError("broken callback")


FAILURES = [fail, fail_async, fail_async_late, fail_by_a_cancelled_wait]


@pytest.mark.parametrize("failing", FAILURES)
def test_an_exception_in_on_message_closes_that_one_connection_with_1011(
    serve: Serve, failing: Any, caplog: pytest.LogCaptureFixture
) -> None:
    closed, errors = Recorder(), Recorder()

    def handler(connection: Connection, message: str) -> Any:
        if message == "fail":
            return failing()
        connection.send(message)
        return None

    site = serve(
        on_message=handler,
        on_close=lambda connection, code, reason: closed(code, reason),
        on_error=lambda connection, code, error: errors(code.name, type(error)),
    )
    victim, bystander = site.open(), site.open()
    victim.send("fail")
    victim.send("never handled")
    assert victim.receive() == Close(1011, "internal error")
    victim.send_close(1011)
    assert closed.wait() == [(1011, "internal error")]
    kind = asyncio.CancelledError if failing is fail_by_a_cancelled_wait else RuntimeError
    assert errors.calls == [("CALLBACK", kind)]
    assert "a callback raised" in caplog.text
    assert "Traceback" in caplog.text
    bystander.send("still here")
    assert bystander.receive() == "still here"


@pytest.mark.parametrize("failing", FAILURES)
def test_an_exception_in_on_connect_closes_the_connection_with_1011(
    serve: Serve, failing: Any
) -> None:
    closed = Recorder()
    site = serve(
        on_connect=failing,
        on_message=echo,
        on_close=lambda connection, code: closed(code),
    )
    client = site.open()
    assert client.receive_close().code == 1011
    client.send_close(1011)
    assert closed.wait() == [1011]


@pytest.mark.parametrize("failing", [fail, fail_async, fail_async_late])
def test_an_exception_in_on_close_is_logged_and_ends_nothing(
    serve: Serve, failing: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(on_message=echo, on_close=failing)
    client = site.open()
    client.send_close()
    assert client.receive_close().code == 1000
    other = site.open()
    other.send("x")
    assert other.receive() == "x"
    wait_until(lambda: "broken callback" in caplog.text, "the exception is logged")


def test_an_exception_in_on_error_is_logged_and_ends_nothing_more(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(on_message=fail, on_error=fail_async)
    client = site.open()
    client.send("x")
    assert client.receive_close().code == 1011
    wait_until(lambda: caplog.text.count("broken callback") >= 2, "both are logged")
    site.open().send("x")


# Closing by the program.


def test_close_inside_of_a_handler_sends_what_was_sent_before_and_drops_what_comes_after(
    serve: Serve, tls: bool
) -> None:
    messages = Recorder()

    def handler(connection: Connection, message: str) -> None:
        messages(message)
        connection.send("first")
        connection.close("last", 4001, "you said enough")
        messages(connection.send("too late"))
        connection.close()

    client = serve(tls, on_message=handler).open()
    client.send_bytes(encode("one") + encode("two"))
    assert [client.receive() for _ in range(3)] == ["first", "last", Close(4001, "you said enough")]
    client.send_close(4001)
    client.assert_ended()
    assert messages.calls == ["one", False]


def test_close_inside_of_an_async_handler_drops_the_messages_that_wait(serve: Serve) -> None:
    messages, closed = Recorder(), Recorder()

    async def handler(connection: Connection, message: str) -> None:
        messages(message)
        await asyncio.sleep(0.01)
        connection.close(code=4000)

    site = serve(on_message=handler, on_close=lambda connection, code, reason: closed(code, reason))
    client = site.open()
    client.send_bytes(encode("one") + encode("two") + encode("three"))
    assert client.receive() == Close(4000, "")
    client.send_close(4000)
    assert closed.wait() == [(4000, "code 4000")]
    assert messages.calls == ["one"]


def test_what_was_sent_before_the_clients_close_frame_is_delivered_and_answered(
    serve: Serve, tls: bool
) -> None:
    closed = Recorder()

    async def handler(connection: Connection, message: str) -> None:
        await asyncio.sleep(0.01)
        connection.send(message)

    site = serve(
        tls, on_message=handler, on_close=lambda connection, code, reason: closed(code, reason)
    )
    client = site.open()
    client.send_bytes(
        encode("one") + encode("two") + encode_frame(frames.CLOSE, b"\x0f\xa1" + b"bye")
    )
    assert [client.receive() for _ in range(3)] == ["one", "two", Close(4001, "")]
    client.assert_ended()
    assert closed.wait() == [(4001, "bye")]


def test_pings_that_the_service_sends_are_frames_of_their_own(serve: Serve) -> None:
    site = serve(on_message=echo, ping_interval=1, ping_timeout=20)
    client = site.open()
    site.advance_clock(1.5)
    assert client.receive() == Ping(b"")


def test_a_coroutine_of_on_connect_that_never_returns_ends_after_its_client(serve: Serve) -> None:
    cancelled: list[bool] = []

    async def ticker(connection: Connection) -> None:
        try:
            while True:
                connection.send("tick")
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    closed: list[int] = []
    site = serve(
        close_timeout=0.2,
        on_connect=ticker,
        on_message=lambda connection, message: None,
        on_close=lambda connection, code: closed.append(code),
    )
    client = site.open()
    assert client.receive() == "tick"
    client.reset()
    wait_until(lambda: cancelled == [True] and closed == [1006], "the ticker ends, then on_close")
