"""How connections of `tcp`, `text` and `frame` end: a peer that sends no more is still answered."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, Site, echo
from kit.waiting import wait_until
from lineman import Connection
from lineman.testing.client import RawClient

Start = Callable[..., Site]


@pytest.fixture
def start(serve: Serve, tls: bool) -> Start:
    """Starts a service of lines, in the clear and in TLS."""
    return lambda **options: serve(tls, **{"scheme": "text", **options})


def framed(*messages: bytes) -> bytes:
    return b"".join((len(each) + 4).to_bytes(4, "big") + each for each in messages)


def closes(site: Site) -> dict[str, int]:
    service = site.worker.service
    assert service is not None
    return dict(service.tally.closes)


def is_reset(client: RawClient) -> bool:
    """Whether the connection ends with a reset, whatever comes before."""
    try:
        client.receive_all()
    except OSError:  # with TLS it is also an end without close_notify
        return True
    return False


@pytest.mark.parametrize(
    ("scheme", "sent", "answer"),
    [
        ("tcp", b"one two", b"one two"),
        ("text", b"one\ntwo\n", b"one\ntwo\n"),
        ("frame", framed(b"one", b"two"), framed(b"one", b"two")),
    ],
)
def test_a_peer_that_sends_and_ends_its_side_gets_its_answers_and_an_end(
    start: Start, scheme: str, sent: bytes, answer: bytes
) -> None:
    told = Recorder()
    site = start(
        scheme=scheme, on_message=echo, on_close=lambda _, code, reason: told(code, reason)
    )
    client = site.connect()
    client.send_bytes(sent)
    client.end_writing()
    assert client.receive_all() == answer
    assert told.wait() == [(1000, "the peer ended the connection")]
    site.wait_until_empty()
    assert closes(site) == {"client": 1}


def test_it_gets_them_also_where_it_reads_slowly(start: Start) -> None:
    size = 3_000_000

    def answer(connection: Connection, message: str) -> None:
        connection.send(message * size)

    site = start(on_message=answer, max_send_buffer_size=100_000_000)
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"a\nb\n")
    client.end_writing()
    assert client.receive_all() == b"a" * size + b"\n" + b"b" * size + b"\n"
    site.wait_until_empty()
    assert closes(site) == {"client": 1}


def test_it_gets_them_also_after_a_close_of_the_program_while_much_waits(start: Start) -> None:
    def answer(connection: Connection, message: str) -> None:
        connection.close("x" * 3_000_000, code=4001, reason="enough")

    told = Recorder()
    site = start(
        on_message=answer,
        max_send_buffer_size=100_000_000,
        on_close=lambda _, code, reason: told(code, reason),
    )
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"a\n")
    client.end_writing()
    assert client.receive_all() == b"x" * 3_000_000 + b"\n"
    assert told.wait() == [(4001, "enough")]
    assert closes(site) == {"program": 1}


def test_it_gets_them_also_from_an_async_handler_however_long_that_takes(start: Start) -> None:
    told = Recorder()

    async def answer(connection: Connection, message: str) -> None:
        await asyncio.sleep(0.01)
        connection.send(message)

    # The time that a websocket's close frame may wait for its turn does not count here.
    site = start(on_message=answer, close_timeout=0.1, on_close=lambda _, code, __: told(code))
    client = site.connect()
    lines = b"".join(b"%d\n" % number for number in range(100))
    client.send_bytes(lines)
    client.end_writing()
    assert client.receive_all() == lines
    assert told.wait() == [1000]


def test_a_loop_over_its_messages_may_answer_when_all_have_come(start: Start) -> None:
    async def count(connection: Connection) -> None:
        found = [message async for message in connection]
        connection.send(f"{len(found)} lines")

    client = start(on_connect=count).connect()
    client.send_bytes(b"a\nb\nc\n")
    client.end_writing()
    assert client.receive_all() == b"3 lines\n"


def test_a_task_of_the_program_that_reads_answers_all_that_came(start: Start) -> None:
    tasks = []

    async def talk(connection: Connection, messages: AsyncIterator[str]) -> None:
        async for message in messages:
            await asyncio.sleep(0.001)
            connection.send(message)

    def begin(connection: Connection) -> None:
        tasks.append(asyncio.get_running_loop().create_task(talk(connection, aiter(connection))))

    client = start(on_connect=begin).connect()
    client.send_bytes(b"a\nb\nc\n")
    client.end_writing()
    assert client.receive_all() == b"a\nb\nc\n"


def test_a_peer_that_ends_while_the_program_has_paused_it_is_answered_later(start: Start) -> None:
    def pause(connection: Connection, message: str) -> None:
        connection.send(message)
        if message == "stop":
            connection.pause_recv()

    site = start(on_message=pause)
    client = site.connect()
    client.send_bytes(b"stop\nlater\n")
    client.end_writing()
    assert client.receive_bytes() == b"stop\n"
    site.call(site.connection.resume_recv)
    assert client.receive_all() == b"later\n"


@pytest.mark.parametrize(
    ("scheme", "sent", "had"),
    [("text", b"one\ntw", 2), ("frame", framed(b"one") + b"\0\0", 2)],
)
def test_a_message_that_the_end_cuts_is_told_of_and_not_delivered(
    start: Start, scheme: str, sent: bytes, had: int
) -> None:
    told = Recorder()
    site = start(
        scheme=scheme,
        on_message=lambda _, message: told(message),
        on_close=lambda _, code, reason: told(code, reason),
    )
    client = site.connect()
    client.send_bytes(sent)
    client.end_writing()
    assert client.receive_all() == b""
    reason = f"the peer ended in the middle of a message: {had} bytes of it had come"
    one, (code, said) = told.wait(2)
    assert one in ("one", b"one")
    assert (code, said) == (1006, reason)
    assert closes(site) == {"cut_message": 1}
    assert site.worker.service is not None
    assert site.call(lambda: len(site.worker.service.unfinished)) == 0


def test_an_end_of_tcp_without_one_of_tls_is_answered_and_told_of(serve: Serve) -> None:
    told = Recorder()
    site = serve(
        True, scheme="text", on_message=echo, on_close=lambda _, code, reason: told(code, reason)
    )
    client = site.connect()
    client.send_bytes(b"one\n")
    client.plain.shutdown(socket.SHUT_WR)
    assert client.receive_bytes() == b"one\n"
    reason = "the peer ended TCP without ending TLS: something may be missing"
    assert told.wait() == [(1006, reason)]


def test_a_peer_that_resets_is_lost_and_what_came_is_worked_off(start: Start) -> None:
    told = Recorder()
    release = asyncio.Event()

    async def wait(connection: Connection, message: str) -> None:
        told(message)
        await release.wait()

    site = start(on_message=wait, on_close=lambda _, code, __: told(code))
    client = site.connect()
    client.send_bytes(b"one\ntwo\n")
    assert told.wait() == ["one"]
    client.reset()
    wait_until(lambda: not site.worker.connections, "it is gone")
    site.call(release.set)
    assert told.wait(3) == ["one", "two", 1006]


def test_an_end_of_the_peer_stays_its_own_where_a_reset_follows(start: Start) -> None:
    told = Recorder()
    release = asyncio.Event()

    async def wait(connection: Connection, message: str) -> None:
        told(message)
        await release.wait()
        connection.send("x" * 100_000)

    site = start(on_message=wait, on_close=lambda _, code, reason: told(code))
    client = site.connect()
    client.send_bytes(b"one\ntwo\n")
    assert told.wait() == ["one"]
    client.end_writing()
    wait_until(lambda: site.connection.close_code == 1000, "its end has come")
    assert site.connection.is_open
    client.reset()
    site.call(release.set)
    assert told.wait(3)[-1] == 1000


def test_close_sends_its_last_message_and_says_no_code(start: Start) -> None:
    told = Recorder()
    site = start(
        on_message=lambda connection, message: connection.close("bye", 4000, "told to go"),
        on_close=lambda _, code, reason: told(code, reason),
    )
    client = site.connect()
    client.send_bytes(b"go\nmore\n")
    assert client.receive_all() == b"bye\n"
    client.close()
    assert told.wait() == [(4000, "told to go")]


def test_destroy_resets_so_that_nobody_takes_it_for_a_good_end(start: Start) -> None:
    def drop(connection: Connection, message: str) -> None:
        connection.send("never read")
        connection.destroy()

    told = Recorder()
    site = start(on_message=drop, on_close=lambda _, code, reason: told(code, reason))
    client = site.connect()
    client.send_bytes(b"go\n")
    assert is_reset(client)
    assert told.wait() == [(1006, "destroyed by the program")]
    assert closes(site) == {"destroyed": 1}
    site.wait_until_empty()


def test_a_reader_that_does_not_take_the_last_bytes_sees_that_some_are_missing(
    start: Start,
) -> None:
    def answer(connection: Connection, message: str) -> None:
        connection.send("x" * 5_000_000)
        connection.close()

    site = start(on_message=answer, max_send_buffer_size=100_000_000, close_timeout=1)
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"go\n")
    connections = site.worker.connections
    wait_until(lambda: [c.state for c in connections.values()] == ["finishing"], "it closes")
    site.advance_clock(5)
    site.wait_until_empty()
    assert is_reset(client)


def test_the_end_of_a_client_in_the_clear_on_a_tls_port_is_told_of_with_the_scheme(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(True, scheme="text", on_message=echo)
    client = site.plain()
    client.send_bytes(b"hello\n")
    assert client.receive_all() == b""  # not a word of HTTP
    (line,) = [each.getMessage() for each in caplog.records if "without TLS" in each.getMessage()]
    assert "a client without TLS on a text+tls port: it must use TLS" in line
    assert "text:// without a certificate" in line


def test_words_about_an_end_are_those_of_the_protocol(start: Start) -> None:
    """Nothing of close frames, handshakes or websockets, however a connection ends."""
    told = Recorder()

    def act(connection: Connection, message: str) -> None:
        if message == "raise":
            raise RuntimeError("a mistake")
        if message == "close":
            connection.close()
        connection.destroy()

    site = start(on_message=act, max_message_size=10, on_close=lambda _, code, reason: told(reason))
    for said in (b"raise\n", b"close\n", b"destroy\n", b"x" * 100, b"\xff\n", b"half", b""):
        client = site.connect()
        client.send_bytes(said)
        with contextlib.suppress(OSError):
            client.end_writing()
            client.receive_all()
    reasons: list[Any] = told.wait(7)
    assert not [each for each in reasons if "frame" in each or "shake" in each or "socket" in each]
