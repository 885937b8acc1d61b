"""A protocol that lineman does not know, given by a factory: the connection's part for any one.

`kit/lines.py` is the whole protocol, at most 70 lines; the connection does everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from kit import lines
from kit.app import App
from kit.line_clients import hear, left, say
from kit.lines import Lines
from kit.recorder import Recorder
from kit.site import Serve, echo
from kit.waiting import wait_until
from lineman import Connection, UsageError, Worker
from lineman.errors import ProtocolError
from lineman.testing.client import RawClient

KIT = Path(lines.__file__).parents[1]
HEADER = b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n"


def test_it_is_small() -> None:
    assert len(Path(lines.__file__).read_text().splitlines()) <= 70


def test_the_service_may_speak_first_and_every_callback_is_called(serve_lines: Serve) -> None:
    calls = Recorder()

    def greet(connection: Connection) -> None:
        assert connection.request is None
        connection.send("welcome")

    site = serve_lines(
        on_connect=greet,
        on_message=lambda connection, message: calls("message", message),
        on_close=lambda connection, code, reason: calls("close", code, reason),
    )
    client = site.connect()
    assert hear(client) == ["welcome"]
    say(client, "one", "two")
    say(client, "")
    assert calls.wait(3) == [
        ("message", "one"),
        ("message", "two"),
        ("close", 1000, "said goodbye"),
    ]
    assert client.receive_all() == b"\n"


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines_that_are_cut_anywhere_arrive_whole(serve_lines: Serve, size: int) -> None:
    client = serve_lines(on_message=echo).connect()
    sent = b"one\ntwo two\nthr\xc3\xa9e\n"
    for begin in range(0, len(sent), size):
        client.send_bytes(sent[begin : begin + size])
    assert hear(client, 3) == ["one", "two two", "thrée"]


def test_messages_of_an_async_handler_are_handled_in_order_before_the_end(
    serve_lines: Serve,
) -> None:
    handled = Recorder()

    async def handle(connection: Connection, message: str) -> None:
        await asyncio.sleep(0.001)
        handled(message)

    site = serve_lines(on_message=handle, on_close=lambda connection, code, reason: handled(code))
    say(site.connect(), *map(str, range(1, 200)), "")
    assert handled.wait(200) == [*map(str, range(1, 200)), 1000]


def test_the_messages_can_be_read_in_a_loop(serve_lines: Serve) -> None:
    async def talk(connection: Connection) -> None:
        async for message in connection:
            connection.send(f"{message}!")

    client = serve_lines(on_connect=talk).connect()
    say(client, "a", "b")
    assert hear(client, 2) == ["a!", "b!"]


def test_what_cannot_be_sent_is_an_error_and_what_can_goes_to_many(serve_lines: Serve) -> None:
    wrong = Recorder()

    def answer(connection: Connection, message: str) -> None:
        with pytest.raises(UsageError):
            connection.send("two\nlines")
        wrong(connection.worker.broadcast("all"))

    site = serve_lines(on_message=answer)
    clients = [site.connect() for _ in range(3)]
    wait_until(lambda: len(site.worker.connections) == 3, "they are there")
    say(clients[0], "go")
    assert [hear(client) for client in clients] == [["all"]] * 3
    assert wrong.wait() == [3]


def test_a_slow_reader_is_told_of_and_closed_or_loses_the_oldest(serve_lines: Serve) -> None:
    for policy in ("close", "drop_oldest"):
        told = Recorder()
        site = serve_lines(
            slow_readers=policy,
            max_send_buffer_size=100_000,
            on_buffer_full=lambda connection, told=told: told("full"),
            on_buffer_drain=lambda connection, told=told: told("drain"),
            on_close=lambda connection, code, reason, told=told: told(code),
        )
        client = site.connect(receive_buffer=4096)
        wait_until(lambda site=site: len(site.worker.connections) == 1, "it is there")
        connection = site.connection

        def flood(connection: Connection = connection) -> bool:
            for _ in range(100):
                connection.send("x" * 999)
            connection.flush()
            return connection.messages_dropped > 0 or not connection.is_open

        wait_until(lambda site=site, flood=flood: site.call(flood), "too much waits")
        assert told.calls[0] == "full"
        if policy == "close":
            assert client.receive_all()
            wait_until(lambda told=told: told.calls[-1] == 1013, "it is closed")
        else:
            while told.calls[-1] != "drain":
                client.receive_bytes()


def test_pausing_stops_the_peer(serve_lines: Serve) -> None:
    got = Recorder()

    def pause(connection: Connection, message: str) -> None:
        got(message)
        if message == "stop":
            connection.pause_recv()

    site = serve_lines(on_message=pause)
    client = site.connect()
    say(client, "stop", "later")
    assert got.wait() == ["stop"]
    site.call(site.connection.resume_recv)
    assert got.wait(2) == ["stop", "later"]


def test_the_proxy_header_names_the_client(serve_lines: Serve) -> None:
    site = serve_lines(
        proxy_protocol="required",
        trusted_proxies=["127.0.0.1/32"],
        on_connect=lambda connection: connection.send(connection.remote_ip),
    )
    assert hear(site.connect(preamble=HEADER)) == ["192.0.2.7"]


def test_limits_hold_for_it(serve_lines: Serve) -> None:
    errors = Recorder()
    site = serve_lines(
        max_message_size=10,
        messages_per_second=5,
        max_connections=2,
        on_error=lambda connection, code, error: errors(error.code),
    )
    long, many = site.connect(), site.connect()
    wait_until(lambda: len(site.worker.connections) == 2, "they are there")
    assert site.connect().receive_all() == b""  # there is no room
    long.send_bytes(b"x" * 11)
    assert long.receive_all() == b"! a line of more than 10 bytes\n"
    say(many, *"abcdefghijkl")
    assert b"messages_per_second" in many.receive_all()
    assert errors.wait(2) == [1009, 1008]
    assert site.worker.service is not None
    hits = site.call(lambda: dict(site.worker.service.tally.hits))
    assert hits == {"max_connections": 1, "messages_per_second": 1}


def test_a_line_that_does_not_go_on_is_given_up(serve_lines: Serve) -> None:
    site = serve_lines(unfinished_timeout=10)
    client = site.connect()
    client.send_bytes(b"half a line")
    assert site.worker.service is not None
    unfinished = site.worker.service.unfinished
    wait_until(lambda: site.call(lambda: len(unfinished)) == 1, "it is known")
    site.advance_clock(21)
    assert b"unfinished_timeout" in client.receive_all()


def test_a_flood_is_not_everybodys_wait(serve_lines: Serve) -> None:
    seen = Recorder()
    site = serve_lines(
        on_message=lambda connection, message: seen(message) if message != "x" else None
    )
    flooder, other = site.connect(), site.connect()
    flooder.send_bytes(b"x\n" * 100_000 + b"last\n")
    say(other, "first")
    assert sorted(seen.wait(2)) == ["first", "last"]
    assert site.worker.service is not None
    assert site.call(lambda: site.worker.service.poller.kept) == 0


def test_any_callback_may_end_any_connection(serve_lines: Serve) -> None:
    def end(connection: Connection, message: str) -> None:
        for each in connection.worker.connections.values():
            each.send("gone")
            each.close() if message == "close" else each.destroy()

    for word, said in (("close", b"gone\n"), ("destroy", b"")):
        site = serve_lines(on_message=end)
        clients = [site.connect() for _ in range(3)]
        wait_until(lambda site=site: len(site.worker.connections) == 3, "they are there")
        say(clients[1], word, "more", "of it")
        for client in clients:
            assert left(client) == said
        site.wait_until_empty()


@pytest.mark.parametrize("has_header", [False, True], ids=["direct", "behind a proxy"])
@pytest.mark.parametrize("word", ["close", "destroy"])
def test_a_connection_may_be_ended_as_soon_as_it_opens(
    serve_lines: Serve, word: str, has_header: bool
) -> None:
    def end(connection: Connection) -> None:
        connection.send("no")
        connection.close() if word == "close" else connection.destroy()

    proxied = {"proxy_protocol": "required", "trusted_proxies": ["127.0.0.1/32"]}
    site = serve_lines(on_connect=end, **(proxied if has_header else {}))
    said = b""
    with contextlib.suppress(ConnectionError):  # a reset may overtake what the client still sends
        client = site.connect(preamble=HEADER if has_header else b"")
        say(client, "too", "late")
        said = left(client)
    assert said == (b"no\n" if word == "close" else b"")
    site.wait_until_empty()


def test_a_newcomer_that_never_speaks_tls_is_let_go(serve_lines: Serve, tls: bool) -> None:
    if not tls:
        return
    site = serve_lines(handshake_timeout=5)
    silent, plain = site.plain(), site.plain()
    say(plain, "this is not TLS")
    assert plain.receive_all() == b""
    site.advance_clock(6)
    assert silent.receive_all() == b""


class Stubborn(Lines):
    """A session that always reports the same broken rule, and that there are more events."""

    def next(self, data: memoryview) -> Any:
        self.has_more = True
        return ProtocolError(1002, "again and again")


@pytest.mark.parametrize("is_busy", [False, True], ids=["idle", "handler at work"])
def test_a_session_that_repeats_itself_is_asked_once(
    serve: Serve, is_busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Recorder()

    async def work(connection: Connection) -> None:
        await asyncio.sleep(0.05 if is_busy else 0)

    monkeypatch.setattr(Worker, "_session_factory", Stubborn)
    site = serve(
        on_connect=work if is_busy else None,
        on_message=lambda connection, message: told(message),
        on_close=lambda connection, code, reason: told(code, reason),
    )
    client = site.connect()
    say(client, "x")
    assert client.receive_all() == b"! again and again\n"
    assert told.wait() == [(1002, "again and again")]
    site.wait_until_empty()


PROGRAM = """
    import os, sys
    sys.path.insert(0, {kit!r})
    from kit.lines import Lines
    from lineman import Worker

    Worker._session_factory = Lines
    worker = Worker("ws://127.0.0.1:0", name="lines", drain_seconds=0.1, stop_timeout=5)

    @worker.on_message
    def reply(connection, message):
        connection.send(f"{{os.getpid()}} {{message}}")

    Worker.run_all()
"""


def test_status_counts_it_and_a_reload_says_goodbye_when_all_is_answered(tmp_path: Path) -> None:
    app = App(tmp_path, PROGRAM.format(kit=str(KIT)))
    app.start()
    try:
        with RawClient(app.port) as client:
            say(client, "one", "two")
            first = hear(client, 2)
            (child,) = app.status()["children"]
            assert child["report"]["connections"] == 1
            assert child["report"]["totals"]["messages_in"] == 2
            assert not app.run("reload").returncode
            assert client.receive_all() == b""
        with RawClient(app.port) as client:
            say(client, "three")
            pid, word = hear(client)[0].split()
            assert word == "three"
            assert pid != first[0].split()[0]
    finally:
        app.stop()
