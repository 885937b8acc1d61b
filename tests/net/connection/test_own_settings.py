"""What a program sets for one connection alone: callbacks and limits."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from kit.mail import closes, hear, only
from kit.recorder import Recorder
from kit.site import Serve, compressing, echo
from kit.waiting import wait_until
from lineman import Connection, UsageError
from lineman.protocols.websocket import frames


def test_a_connection_may_have_a_callback_of_its_own(serve: Serve, tls: bool) -> None:
    told = Recorder()

    def choose(connection: Connection) -> None:
        assert connection.on_message is not None
        if connection.request is not None and connection.request.path == "/own":
            connection.on_message = lambda connection, message: connection.send(f"own {message}")
            connection.on_close = lambda connection, code: told("own", code)

    site = serve(
        tls, on_connect=choose, on_message=echo, on_close=lambda connection, code: told("all", code)
    )
    own, other = site.open("/own"), site.open("/")
    for client, answer in ((own, "own hi"), (other, "hi")):
        client.send("hi")
        assert client.receive() == answer
    own.close()
    assert told.wait() == [("own", 1006)]
    other.close()
    assert told.wait(2)[-1] == ("all", 1006)


def test_it_may_change_with_each_message(serve: Serve) -> None:
    def first(connection: Connection, message: str) -> None:
        connection.send(f"first {message}")
        connection.on_message = second

    async def second(connection: Connection, message: str) -> None:
        connection.send(f"second {message}")
        connection.on_message = first

    site = serve(False, "text", on_message=first)
    client = site.connect()
    client.send_bytes(b"1\n2\n3\n4\n")
    assert hear(client, 34) == b"first 1\nsecond 2\nfirst 3\nsecond 4\n"


def test_none_means_that_messages_are_read_and_dropped(serve: Serve) -> None:
    def quiet(connection: Connection, message: str) -> None:
        connection.send("last")
        connection.on_message = None

    site = serve(False, "text", on_message=quiet)
    client = site.connect()
    client.send_bytes(b"1\n2\n3\n")
    connection = only(site)
    wait_until(lambda: site.call(lambda: connection.messages_read) == 3, "they are read")
    assert hear(client, 5) == b"last\n"


def test_a_coroutine_of_on_connect_may_set_it(serve: Serve) -> None:
    async def greet(connection: Connection) -> None:
        connection.send("hello")
        connection.on_message = echo

    site = serve(False, "text", on_connect=greet)
    client = site.connect()
    assert hear(client, 6) == b"hello\n"
    client.send_bytes(b"1\n")
    assert hear(client, 2) == b"1\n"


def test_one_that_is_read_by_a_coroutine_refuses_it(serve: Serve) -> None:
    told = Recorder()

    async def read(connection: Connection) -> None:
        async for _ in connection:
            with pytest.raises(UsageError, match="reads it by async for"):
                connection.on_message = echo
            told("refused")

    client = serve(False, "text", on_connect=read).connect()
    client.send_bytes(b"1\n")
    assert told.wait() == ["refused"]


def test_its_errors_and_its_slowness_are_told_to_its_own(serve: Serve) -> None:
    told = Recorder()

    def burden(connection: Connection, message: str) -> None:
        connection.max_send_buffer_size = 1000
        connection.on_buffer_full = lambda connection: told("full")
        connection.on_error = lambda connection, code, error: told("error", int(code))
        while connection.send("x" * 100_000):
            pass
        told("no more")

    site = serve(False, "text", on_message=burden, on_error=lambda connection: told("all"))
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"1\n")
    assert told.wait(3) == ["full", ("error", 2), "no more"]
    client.close()
    wait_until(lambda: closes(site) == {"slow_reader": 1}, "it is closed")


def test_draining_is_told_to_its_own(serve: Serve) -> None:
    told = Recorder()

    def burden(connection: Connection, message: str) -> None:
        connection.max_send_buffer_size = 8_000_000
        connection.on_buffer_drain = lambda: told("drained")
        while not connection.unsent:
            connection.send("x" * 1_000_000)
        connection.max_send_buffer_size = 1000
        connection.write(b"")

    site = serve(False, "tcp", on_message=burden, slow_readers="drop_oldest")
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"1")
    connection = only(site)
    wait_until(lambda: site.call(lambda: connection.unsent) > 1000, "much waits")
    site.call(connection.send, b"y" * 999)
    while not told.calls:
        client.receive_bytes()
    assert told.calls == ["drained"]


def test_its_messages_may_be_shorter_or_longer_than_those_of_others(serve: Serve) -> None:
    def allow(connection: Connection, message: Any) -> None:
        size = {"more": 5000, "less": 10}.get(message)
        if size:
            connection.max_message_size = size
        connection.send(str(len(message)))

    for scheme in ("ws", "text"):
        site = serve(False, scheme, on_message=allow, max_message_size=100)
        for word, size, is_taken in (("more", 5000, True), ("less", 11, False), ("x", 101, False)):
            client = site.open() if scheme == "ws" else site.connect()
            ends = site.worker.service.tally.closes if site.worker.service else {}
            before = ends["message_too_big"]
            if scheme == "ws":
                client.send(word)
                client.receive()
                client.send("y" * size)
            else:
                client.send_bytes(word.encode() + b"\n" + b"y" * size + b"\n")
            if is_taken and scheme == "ws":
                assert client.receive() == str(size)
            elif is_taken:
                assert hear(client, 7) == b"4\n5000\n"
            else:
                wait_until(lambda b=before, e=ends: e["message_too_big"] == b + 1, "it ends")
            client.close()


def compressed(size: int) -> bytes:
    """A frame with a message of so many bytes."""
    packer = zlib.compressobj(wbits=-15)
    payload = packer.compress(b"y" * size) + packer.flush(zlib.Z_SYNC_FLUSH)
    return frames.encode_masked(frames.TEXT, payload[:-4], b"abcd", 0xC0)


def test_the_limit_holds_for_what_is_inflated_too(serve: Serve) -> None:
    def limit(connection: Connection, message: str) -> None:
        connection.max_message_size = 2000
        told(len(message))

    told = Recorder()
    site = serve(False, on_message=limit)
    client = compressing(site)
    for size in (5000, 2000, 2001):
        client.send_bytes(compressed(size))
    wait_until(lambda: closes(site) == {"message_too_big": 1}, "it ends")
    assert told.calls == [5000, 2000]


def test_a_limit_that_is_set_in_the_handshake_holds_for_the_websocket(serve: Serve) -> None:
    def limit(connection: Connection) -> None:
        connection.max_message_size = 10

    site = serve(False, on_websocket_connect=limit, on_message=echo)
    client = site.open()
    client.send("y" * 10)
    assert client.receive() == "y" * 10
    client.send("y" * 11)
    assert client.receive_close().code == 1009


def test_its_silence_may_be_longer_or_shorter(serve: Serve) -> None:
    told = Recorder()

    def allow(connection: Connection, message: str) -> None:
        connection.idle_timeout = float(message)
        assert connection.idle_timeout == float(message)
        told(message)

    site = serve(
        False,
        "text",
        idle_timeout=20,
        on_message=allow,
        on_close=lambda connection, code, reason: told(reason),
    )
    client = site.connect()
    client.send_bytes(b"3\n")
    told.wait()
    site.advance_clock(4)
    assert told.wait(2)[-1] == "silent for 3 s (idle_timeout)"
    client = site.connect()
    client.send_bytes(b"60\n")
    told.wait(3)
    site.advance_clock(40)
    assert len(told.calls) == 3
    site.advance_clock(30)
    assert told.wait(4)[-1] == "silent for 60 s (idle_timeout)"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("on_message", "echo", "on_message takes a function, got str"),
        (
            "on_close",
            lambda a, b, c, d: None,
            r"on_close is called with \(connection, code, reason",
        ),
        ("on_error", 5, "on_error takes a function, got int"),
        ("max_send_buffer_size", 0, "max_send_buffer_size"),
        ("max_send_buffer_size", [5], "max_send_buffer_size of a connection is of type list"),
        ("max_message_size", -1, "max_message_size"),
        ("max_message_size", 1 << 40, "max_unfinished_size of the worker allows"),
        ("idle_timeout", 5, "a websocket has pings"),
        ("on_connect", echo, "callbacks are set on the worker"),
        ("ping_interval", 5, "ping_interval"),
    ],
)
def test_what_cannot_be_set_is_refused_and_changes_nothing(
    serve: Serve, name: str, value: Any, words: str
) -> None:
    site = serve(on_message=echo)
    client = site.open()
    connection = only(site)
    with pytest.raises((UsageError, AttributeError), match=words):
        site.call(setattr, connection, name, value)
    client.send("still")
    assert client.receive() == "still"


def test_connections_with_the_same_limit_share_it(serve: Serve) -> None:
    def limit(connection: Connection) -> None:
        connection.max_send_buffer_size = 1234

    site = serve(False, "text", on_connect=limit)
    for _ in range(2):
        site.connect()
    wait_until(lambda: len(site.worker.connections) == 2, "they are there")
    assert site.worker.service is not None
    assert site.worker.service.limits.max_send_buffer_size == 1024 * 1024
    sizes = [each.max_send_buffer_size for each in site.worker.connections.values()]
    assert sizes == [1234, 1234]
