"""What a connection may do with its stream: another protocol, bytes past it, its half close."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, Site
from kit.waiting import DEADLINE, wait_until
from lineman import Connection, LengthPrefixed, Lines, UsageError, Worker
from lineman.testing.certificates import IssuedPair
from lineman.testing.client import RawClient

Start = Callable[..., Site]


@pytest.fixture
def start(
    tls: bool, certificate: IssuedPair, client_tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> Iterator[Start]:
    """Starts services, in the clear and in TLS: `start("text", on_message=…, protocol=…)`."""
    caplog.set_level("INFO", "lineman")
    with ExitStack() as stack:

        def make(scheme: str, **options: Any) -> Site:
            callbacks = {name: options.pop(name) for name in list(options) if name[:3] == "on_"}
            if tls:
                options |= {"cert": certificate.cert, "key": certificate.key}
            worker = Worker(f"{scheme}://127.0.0.1:0", **options)
            for name, function in callbacks.items():
                setattr(worker, name, function)
            site = stack.enter_context(Site(worker, client_tls if tls else None))
            stack.callback(site.close_clients)
            return site

        yield make


def hear(client: RawClient, count: int) -> bytes:
    got = b""
    while len(got) < count:
        got += client.receive_bytes()
    return got


def only(site: Site) -> Connection:
    wait_until(lambda: len(site.worker.connections) == 1, "it is there")
    return site.connection


BINARY = b"\0\2hi\0\3\nyo"
STREAM = b"one\nbinary\n" + BINARY


@pytest.mark.parametrize("size", [1, 5, 11, 13, 1000])
def test_what_came_behind_the_message_that_switches_goes_to_the_new_protocol(
    start: Start, size: int
) -> None:
    got = Recorder()

    def hear_one(connection: Connection, message: Any) -> None:
        got(message)
        if message == "binary":
            connection.protocol = LengthPrefixed(">H")

    client = start("text", on_message=hear_one).connect()
    for at in range(0, len(STREAM), size):
        client.send_bytes(STREAM[at : at + size])
    assert got.wait(4) == ["one", "binary", b"hi", b"\nyo"]


def test_a_coroutine_may_switch_where_nothing_was_decoded_ahead(start: Start) -> None:
    got = Recorder()

    async def switch(connection: Connection, message: Any) -> None:
        got(message)
        await asyncio.sleep(0.01)
        if message == "binary":
            connection.send("ready")
            connection.protocol = LengthPrefixed(">H")

    client = start("text", on_message=switch).connect()
    client.send_bytes(b"binary\n")
    assert hear(client, 6) == b"ready\n"
    client.send_bytes(BINARY)
    assert got.wait(3) == ["binary", b"hi", b"\nyo"]


def test_a_coroutine_may_not_switch_once_messages_were_decoded_ahead(start: Start) -> None:
    told = Recorder()

    async def switch(connection: Connection, message: Any) -> None:
        await asyncio.sleep(0.05)
        with pytest.raises(UsageError, match="1 messages behind this one were decoded already"):
            connection.protocol = LengthPrefixed(">H")
        told(message)
        connection.destroy()

    client = start("text", on_message=switch).connect()
    client.send_bytes(b"binary\nnext\n")
    assert told.wait() == ["binary"]


def test_a_task_switches_while_the_connection_is_paused_whatever_came_behind(start: Start) -> None:
    got = Recorder()

    async def switch(connection: Connection) -> None:
        await asyncio.sleep(0.05)
        connection.protocol = LengthPrefixed(">H")
        connection.send(b"ok")
        connection.resume_recv()

    def hear_one(connection: Connection, message: Any) -> None:
        got(message)
        if message == "binary":
            connection.pause_recv()
            connection.worker.spawn(switch(connection))

    client = start("text", on_message=hear_one).connect()
    client.send_bytes(STREAM)  # the rest would be no text
    assert got.wait(4) == ["one", "binary", b"hi", b"\nyo"]
    assert hear(client, 4) == b"\0\2ok"


@pytest.mark.parametrize("end", ["goodbye", "reset", "close"])
def test_what_waits_while_it_is_paused_is_not_lost_at_the_end(start: Start, end: str) -> None:
    got = Recorder()

    def pause(connection: Connection, message: str) -> None:
        got(message)
        connection.pause_recv()

    site = start("text", on_message=pause, on_close=lambda connection: got("end"))
    client = site.connect()
    client.send_bytes(b"one\ntwo\nthree\n")
    connection = only(site)
    got.wait()
    if end == "goodbye":
        site.call(connection.say_goodbye, 1012, "the service is restarting")
    elif end == "reset":
        client.reset()
        site.call(connection.resume_recv)
    else:
        client.close()
        site.call(connection.resume_recv)
    wait_until(lambda: len(got.calls) > 1, "it goes on")
    for _ in range(3):
        site.call(connection.resume_recv)
    wait_until(lambda: got.calls[-1] == "end", "it ends")
    assert got.calls == ["one", "two", "three", "end"]


def test_a_part_of_a_message_goes_to_the_new_protocol_whoever_switches(start: Start) -> None:
    got = Recorder()
    site = start("text", on_message=lambda connection, message: got(message))
    client = site.connect()
    connection = only(site)
    client.send_bytes(b"half|whole|")
    wait_until(lambda: site.call(lambda: connection.bytes_read) == 11, "it has come")
    site.call(setattr, connection, "protocol", Lines(b"|"))
    assert got.wait(2) == [b"half", b"whole"]
    site.call(setattr, connection, "protocol", "tcp")
    assert site.call(lambda: connection.protocol) == "tcp"
    client.send_bytes(b"raw")
    assert got.wait(3)[-1] == b"raw"


class Counting:
    """Lines; the program reads and sets what its connection's object keeps."""

    def __init__(self) -> None:
        self.prefix = b""

    def input(self, buffer: bytes) -> int:
        return buffer.find(b"\n") + 1

    def decode(self, package: bytes) -> bytes:
        return package[:-1]

    def encode(self, message: bytes) -> bytes:
        return self.prefix + message + b"\n"


def test_the_program_gets_the_object_of_its_connection(start: Start) -> None:
    def answer(connection: Connection, message: bytes) -> None:
        connection.protocol.prefix = message
        connection.send(b"!")

    site = start("tcp", protocol=Counting, on_message=answer)
    clients = [site.connect(), site.connect()]
    for client, word in zip(clients, (b"a", b"b"), strict=True):
        client.send_bytes(word + b"\n")
        assert hear(client, 3) == word + b"!\n"


def test_bytes_go_past_the_protocol_in_their_order(start: Start) -> None:
    def answer(connection: Connection, message: str) -> None:
        connection.send("one")
        assert connection.write(b"\0raw")
        assert connection.write("ü")
        connection.send("two")
        with pytest.raises(UsageError):
            connection.write(5)  # type: ignore[arg-type]

    client = start("text", on_message=answer).connect()
    client.send_bytes(b"go\n")
    assert hear(client, 14) == b"one\n\0raw\xc3\xbctwo\n"


def end_of(client: RawClient) -> bytes:
    """Bytes up to the end of what the service sends; our side stays open."""
    got = b""
    while data := client.receive_bytes():
        got += data
    return got


def test_the_peer_learns_of_the_end_and_is_still_heard(start: Start, tls: bool) -> None:
    told = Recorder()

    def hear_one(connection: Connection, message: str) -> None:
        told(message)
        if message == "enough":
            connection.end("bye")
            connection.end()
            told(connection.send("late"), connection.write(b"late"), connection.is_open)

    site = start(
        "text",
        on_message=hear_one,
        on_close=lambda connection, code, reason: told("close", code),
    )
    client = site.connect()
    client.send_bytes(b"enough\nmore\n")
    assert end_of(client) == b"bye\n"
    client.send_bytes(b"later\n")
    assert told.wait(4) == ["enough", (False, False, True), "more", "later"]
    client.close()
    # The client of the tests ends TCP without ending TLS.
    assert told.wait(5)[-1] == ("close", 1006 if tls else 1000)
    site.wait_until_empty()


def test_a_peer_that_ends_after_our_own_end_has_ended_well(start: Start, tls: bool) -> None:
    told = Recorder()
    site = start(
        "tcp",
        on_message=lambda connection, message: connection.end(message),
        on_close=lambda connection, code: told(code),
    )
    client = site.connect()
    client.send_bytes(b"bye")
    assert hear(client, 3) == b"bye"
    assert end_of(client) == b""
    client.end_writing()  # with the end of TLS
    assert told.wait() == [1000]


def test_what_came_before_both_ends_is_read_after_a_pause(start: Start, tls: bool) -> None:
    told, paused = Recorder(), Recorder()

    def take(connection: Connection, message: bytes) -> None:
        if message == b"pause":
            connection.end()
            connection.pause_recv()
            paused()
        else:
            told(message)

    site = start("tcp", on_message=take, on_close=lambda connection, code: told(code))
    client = site.connect()
    client.send_bytes(b"pause")
    paused.wait()
    connection = site.connection
    client.send_bytes(b"last words")
    client.end_writing()
    client.receive_all()
    for _ in range(3):
        site.call(lambda: None)  # turns, in which epoll tells of it
    assert connection.is_open
    site.call(connection.resume_recv)
    assert told.wait(2) == [b"last words", 1000]


def test_the_end_is_said_once_where_the_slow_reader_has_just_read(start: Start, tls: bool) -> None:
    """Said twice, TLS would take what the peer sends now for a fault."""
    told, held = Recorder(), threading.Event()
    site = start("tcp", on_message=lambda connection, message: told(message))
    client = site.connect(receive_buffer=4096)
    connection = only(site)

    def end_later() -> None:
        while connection.send(bytes(16 * 1024)) and connection.unsent <= 64 * 1024:
            pass  # less than this may also wait for the end of a turn
        told(connection.bytes_written)
        held.wait(DEADLINE)  # and so nobody notices that there is room
        connection.end()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(site.call, end_later)
        (written,) = told.wait()
        client.send_bytes(b"still there")
        read = len(hear(client, written))
        held.set()
        done.result(DEADLINE)
    end_of(client)
    assert read >= written
    assert told.wait(2)[1] == b"still there"


def test_the_end_waits_until_a_slow_reader_has_all(start: Start) -> None:
    size = 3_000_000
    site = start("tcp", max_send_buffer_size=10_000_000)
    client = site.connect(receive_buffer=4096)
    connection = only(site)

    def flood() -> None:
        connection.send(b"x" * size)
        connection.end(b"last")
        assert not connection.send(b"too late")

    site.call(flood)
    got = end_of(client)
    assert len(got) == size + 4
    assert got.endswith(b"xlast")


def test_it_may_be_closed_while_it_waits_for_the_peers_end(start: Start) -> None:
    site = start("text", on_message=lambda connection, message: connection.close("not this"))
    client = site.connect()
    connection = only(site)
    site.call(connection.end)
    assert end_of(client) == b""
    client.send_bytes(b"x\n")
    client.close()
    site.wait_until_empty()
    site.call(connection.end)  # after its end it does nothing
    assert not site.call(connection.write, b"x")


def test_a_websocket_refuses_all_of_them_in_words(serve: Serve, tls: bool) -> None:
    site = serve(tls)
    site.open()
    connection = only(site)
    assert site.call(lambda: connection.protocol) == "ws"
    for act in (
        lambda: connection.write(b"x"),
        connection.end,
        lambda: setattr(connection, "protocol", "tcp"),
    ):
        with pytest.raises(UsageError, match="a websocket has its frames"):
            site.call(act)


def test_what_is_no_protocol_is_refused_and_changes_nothing(start: Start) -> None:
    site = start("text", on_message=lambda connection, message: connection.send(message))
    client = site.connect()
    connection = only(site)
    for wrong in (5, object, "udp", "ws"):
        with pytest.raises(UsageError, match="protocol is"):
            site.call(setattr, connection, "protocol", wrong)
    client.send_bytes(b"still\n")
    assert hear(client, 6) == b"still\n"
