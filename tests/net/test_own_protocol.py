"""A worker with a protocol of the program's own, over real sockets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Site, echo
from kit.waiting import wait_until
from lineman import Connection, LengthPrefixed, Lines, ProtocolError, UsageError, Worker
from lineman.errors import ConfigError
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving

Start = Callable[..., Site]


@pytest.fixture
def start(caplog: pytest.LogCaptureFixture) -> Iterator[Start]:
    """Starts services with a protocol: `start(Words, on_message=…, max_message_size=…)`."""
    caplog.set_level("INFO", "lineman")
    with ExitStack() as stack:

        def make(protocol: Any, scheme: str = "tcp", **options: Any) -> Site:
            callbacks = {name: options.pop(name) for name in list(options) if "on_" in name[:3]}
            worker = Worker(f"{scheme}://127.0.0.1:0", protocol=protocol, **options)
            for name, function in callbacks.items():
                setattr(worker, name, function)
            site = stack.enter_context(Site(worker, None))
            stack.callback(site.close_clients)
            return site

        yield make


class Words:
    """Words that end with a space; some of them are mistakes."""

    def input(self, buffer: bytes) -> Any:
        if buffer.startswith(b"?"):
            return None
        return buffer.find(b" ") + 1

    def decode(self, package: bytes) -> Any:
        if package == b"rule ":
            raise ProtocolError(1002, "that is against the rule")
        return {b"- ": None, b"5 ": 5}.get(package, package[:-1].decode())

    def encode(self, message: Any) -> bytes:
        return f"{message} ".encode()


def hear(client: RawClient, count: int) -> bytes:
    got = b""
    while len(got) < count:
        got += client.receive_bytes()
    return got


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_its_messages_arrive_and_are_answered_however_they_are_cut(start: Start, size: int) -> None:
    got = Recorder()

    def answer(connection: Connection, message: Any) -> None:
        got(message)
        connection.send(message)

    client = start(Words, on_message=answer).connect()
    sent = b"one 5 - two "
    for begin in range(0, len(sent), size):
        client.send_bytes(sent[begin : begin + size])
    assert hear(client, 10) == b"one 5 two "
    assert got.wait(3) == ["one", 5, "two"]


def test_a_mistake_costs_one_connection_and_is_named_and_counted(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    errors = Recorder()
    site = start(
        Words,
        on_message=echo,
        on_error=lambda connection, code, error: errors(str(error)),
        on_close=lambda connection, code, reason: errors(code),
    )
    other = site.connect()
    for bytes_, words, code in (
        (b"?", "Words.input() returned None, which is no int", 1011),
        (b"\xff ", "Words.decode() raised UnicodeDecodeError", 1011),
        (b"rule ", "that is against the rule", 1002),
    ):
        client = site.connect()
        client.send_bytes(bytes_)
        assert client.receive_all() == b""
        client.close()
        wait_until(lambda code=code: errors.calls[-1:] == [code], "its end is told")
        assert words in errors.calls[-2]
        assert words in caplog.text
    assert site.worker.service is not None
    assert site.worker.service.exceptions == 2
    closes = site.call(lambda: dict(site.worker.service.tally.closes))
    assert (closes["callback_failed"], closes["protocol_error"]) == (2, 1)
    other.send_bytes(b"still ")
    assert hear(other, 6) == b"still "


def test_a_package_that_is_never_whole_is_given_up(start: Start) -> None:
    errors = Recorder()
    site = start(
        Words, max_message_size=1000, on_error=lambda connection, code, error: errors(error.code)
    )
    site.connect().send_bytes(b"x" * 1001)
    assert errors.wait() == [1009]


def test_what_encode_cannot_is_an_error_of_send(start: Start) -> None:
    class Refuses(Words):
        def encode(self, message: Any) -> Any:
            return message if message else 1 / 0

    told = Recorder()

    def answer(connection: Connection, message: Any) -> None:
        for wrong in (0, [1]):
            with pytest.raises(UsageError, match=r"Refuses\.encode\(\)") as caught:
                connection.send(wrong)
            told(type(caught.value.__cause__).__name__)
        connection.send(b"right ")

    client = start(Refuses, on_message=answer).connect()
    client.send_bytes(b"go ")
    assert hear(client, 6) == b"right "
    assert told.calls == ["ZeroDivisionError", "NoneType"]


def test_a_factory_that_makes_something_else_costs_each_connection(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    site = start(lambda: 5)
    assert site.connect().receive_all() == b""
    assert "protocol made 5, which has no input" in caplog.text


def test_json_goes_to_many_and_what_is_none_costs_its_connection(start: Start) -> None:
    def answer(connection: Connection, message: Any) -> None:
        assert connection.worker.broadcast({"all": message}) == 2
        with pytest.raises(UsageError, match="JSON cannot say"):
            connection.worker.broadcast({1})

    site = start(Lines().json(), on_message=answer)
    clients = [site.connect() for _ in range(3)]
    clients[2].send_bytes(b"{]\n")
    assert clients[2].receive_all() == b""
    clients[2].close()
    wait_until(lambda: len(site.worker.connections) == 2, "it has gone")
    clients[0].send_bytes(b'[1,"\xc3\xbc"]\n')
    for client in clients[:2]:
        assert json.loads(hear(client, 16)) == {"all": [1, "ü"]}


def test_an_object_is_no_message_for_a_websocket() -> None:
    worker = Worker("ws://127.0.0.1:0")
    with Serving(worker) as serving, RawClient(serving.port).open():
        wait_until(lambda: serving.call(lambda: len(worker.connections)) == 1, "it is there")
        with pytest.raises(UsageError, match="str or bytes"):
            serving.call(worker.broadcast, {"a": 1})


def test_a_whole_package_is_delivered_at_the_next_tick_though_nobody_paid_for_it(
    start: Start,
) -> None:
    got = Recorder()
    site = start(
        Words,
        max_message_size=4_000_000,
        on_message=lambda connection, message: got(len(message)),
    )
    client = site.connect()
    wait_until(lambda: site.worker.connections, "it is there")
    client.send_bytes(b"x" * 1_500_000)
    wait_until(lambda: site.call(lambda: site.connection.bytes_read) == 1_500_000, "it has come")
    # All that is free and paid for is used up by then or soon.
    for count in range(1, 200):
        client.send_bytes(b"y")
        wait_until(
            lambda count=count: site.call(lambda: site.connection.bytes_read) == 1_500_000 + count,
            "a byte has come",
        )
    began = time.monotonic()
    client.send_bytes(b" ")
    assert got.wait() == [1_500_199]
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("address", "protocol", "words"),
    [
        ("ws://127.0.0.1:0", Words, "speaks no protocol of the program's own"),
        ("text://127.0.0.1:0", Words, "speaks no protocol of the program's own"),
        ("", Words, "a worker without an address"),
        ("tcp://127.0.0.1:0", Words(), "an object of Words; fix: give the class"),
        ("tcp://127.0.0.1:0", dict, "the class dict, which has no input"),
    ],
)
def test_a_protocol_that_cannot_work_is_refused_at_the_start(
    address: str, protocol: Any, words: str
) -> None:
    worker = Worker(address, protocol=protocol)
    with pytest.raises(ConfigError) as caught, Serving(worker):
        pass
    assert words in str(caught.value)


def test_length_prefixed_speaks_for_itself(start: Start) -> None:
    client = start(LengthPrefixed(">H"), on_message=echo).connect()
    client.send_bytes(b"\0\2hi\0\0")
    assert hear(client, 6) == b"\0\2hi\0\0"


def test_packages_that_waited_for_the_clock_are_whole_when_the_peer_has_ended(
    start: Start,
) -> None:
    opened, got, ends = Recorder(), Recorder(), Recorder()

    def slowly(connection: Connection, message: Any) -> None:
        got(message)
        time.sleep(0.02)  # longer than a share of the turn

    site = start(
        Words,
        on_connect=opened,
        on_message=slowly,
        on_close=lambda connection, code, reason: ends(code),
        max_message_size=1_000_000,
    )
    client = site.connect()
    (connection,) = opened.wait()
    part = b"x" * 4096
    for count in range(1, 81):  # each shown again with all before it: past what is free
        client.send_bytes(part)
        wait_until(lambda: connection.bytes_read >= count * len(part), "it has come")  # noqa: B023
    client.send_bytes(b" two three four ")
    client.end_writing()
    assert ends.wait() == [1000]
    assert got.calls[1:] == ["two", "three", "four"]
