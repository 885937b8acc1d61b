from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from kit.device import Device
from kit.site import Serve, compressing
from kit.waiting import wait_until
from lineman import Connection, Request, Worker
from lineman.errors import UsageError
from lineman.runtime import build
from lineman.testing.client import RawClient


def test_everybody_gets_the_message(serve: Serve, tls: bool) -> None:
    site = serve(tls)
    clients = [site.open() for _ in range(5)]
    assert site.call(lambda: site.worker.broadcast("hello")) == 5
    assert [client.receive() for client in clients] == ["hello"] * 5
    assert site.call(lambda: site.worker.broadcast(b"\x00\xff" * 40_000)) == 5
    assert [client.receive() for client in clients] == [b"\x00\xff" * 40_000] * 5


def test_messages_of_all_sizes_keep_their_order(serve: Serve, tls: bool) -> None:
    sizes = [5, 16_384, 7, 70_000, 40_000, 3, 300_000, 1]

    def tell(connection: Connection, message: str | bytes) -> None:
        for size in sizes:
            site.worker.broadcast(bytes(size))

    site = serve(tls, on_message=tell)
    sender, *others = (site.open() for _ in range(3))
    sender.send("go")
    for client in (sender, *others):
        assert [len(client.receive_message()) for _ in sizes] == sizes


def test_a_large_message_is_not_copied_for_each_who_takes_it_at_once(
    serve: Serve, tls: bool
) -> None:
    site = serve(tls)
    clients = [site.open() for _ in range(40)]

    def peak() -> int:
        message = bytes(30_000)
        tracemalloc.start()
        try:
            assert site.worker.broadcast(message) == len(clients)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert site.call(peak) < 10 * 30_000 or not build.is_compiled()
    assert [len(client.receive_message()) for client in clients] == [30_000] * 40


@pytest.mark.parametrize(
    "kind",
    [
        list,
        set,
        iter,
        lambda some: (one for one in some),
        lambda some: dict.fromkeys(some).keys(),
        lambda some: dict(enumerate(some)).values(),
    ],
)
def test_the_receivers_come_in_whatever_holds_them(serve: Serve, kind: object) -> None:
    site = serve()
    first, second, third = (site.open() for _ in range(3))

    def some() -> int:
        return site.worker.broadcast("x", to=kind(list(site.worker.connections.values())[:2]))

    assert site.call(some) == 2
    site.call(lambda: site.worker.broadcast("end"))
    assert first.receive() == "x"
    assert second.receive() == "x"
    assert third.receive() == "end"


def test_a_closed_connection_is_passed_over(serve: Serve) -> None:
    kept = []
    site = serve(on_connect=kept.append)
    site.open().close()
    site.wait_until_empty()
    other = site.open()
    assert site.call(lambda: site.worker.broadcast("x", to=kept)) == 1
    assert other.receive() == "x"


def test_a_slow_reader_is_closed_and_holds_up_nobody(serve: Serve) -> None:
    ended = []
    site = serve(
        max_send_buffer_size=100_000,
        on_close=lambda connection, code, reason: ended.append((code, reason)),
    )
    site.open(receive_buffer=4096)
    quick = site.open()
    message = "x" * 300_000
    rounds = 0
    while not ended and rounds < 200:
        rounds += 1
        site.call(lambda: site.worker.broadcast(message))
        assert quick.receive() == message
        if len(site.worker.connections) == 1 or any(
            connection.close_code for connection in site.worker.connections.values()
        ):
            break
    assert [one.close_code for one in site.worker.connections.values()].count(1013) == 1
    site.call(lambda: site.worker.broadcast("still here"))
    assert quick.receive() == "still here"


def test_what_is_no_message_is_refused_before_anybody_gets_it(serve: Serve) -> None:
    site = serve()
    client = site.open()
    with pytest.raises(UsageError, match="json"):
        site.call(lambda: site.worker.broadcast({"a": 1}))
    site.call(lambda: site.worker.broadcast("x"))
    assert client.receive() == "x"


def test_one_that_is_not_open_yet_is_passed_over_and_stops_nobody(serve: Serve) -> None:
    early = []
    site = serve(on_websocket_connect=lambda connection, request: early.append(connection))
    first = site.open()
    sent = []

    def tell(connection: Connection, request: Request) -> None:
        early.append(connection)
        sent.append(site.worker.broadcast("x", to=early))

    site.worker.on_websocket_connect = tell
    second = site.open()
    assert sent == [1]
    assert first.receive() == "x"
    assert site.call(lambda: site.worker.broadcast("y", to=early)) == 2
    assert second.receive() == "y"


def test_connections_may_be_of_another_worker(serve: Serve) -> None:
    site = serve()
    client = site.open()
    other = Worker("ws://127.0.0.1:0")

    async def run_other() -> None:
        await other.start()

    site.run(run_other())
    try:
        with RawClient(other.port) as stranger:
            stranger.open()

            def all_of_both() -> list[Connection]:
                return [*site.worker.connections.values(), *other.connections.values()]

            wait_until(lambda: len(site.call(all_of_both)) == 2, "both are open")
            assert site.call(lambda: site.worker.broadcast("x", to=all_of_both())) == 2
            assert stranger.receive() == "x"
            assert client.receive() == "x"
    finally:
        site.run(other.stop())


@pytest.mark.parametrize("wrong", [None, 1, "one", object()])
def test_what_is_no_connection_is_refused_before_anybody_gets_the_message(
    serve: Serve, wrong: Any
) -> None:
    site = serve()
    client = site.open()
    with pytest.raises(UsageError, match=r"to holds .*give connections"):
        site.call(lambda: site.worker.broadcast("x", to=[site.connection, wrong]))
    site.call(lambda: site.worker.broadcast("y"))
    assert client.receive() == "y"


def test_the_dictionary_itself_and_a_lone_connection_are_refused(serve: Serve) -> None:
    site = serve()
    site.open()
    with pytest.raises(UsageError, match="to holds 1; give connections"):
        site.call(lambda: site.worker.broadcast("x", to=site.worker.connections))
    with pytest.raises(UsageError, match="to is <Connection 1"):
        site.call(lambda: site.worker.broadcast("x", to=site.connection))


def test_what_one_protocol_cannot_carry_reaches_those_of_another(serve: Serve) -> None:
    site = serve()
    browsers = [site.open(), compressing(site)]
    lines = Worker("text://127.0.0.1:0")
    site.run(lines.start())
    devices = [Device("text", lines.port) for _ in range(2)]

    def all_of_both() -> list[Connection]:
        both = zip(lines.connections.values(), site.worker.connections.values(), strict=True)
        return [connection for pair in both for connection in pair]

    try:
        wait_until(lambda: site.call(lambda: len(lines.connections)) == 2, "both are open")
        assert site.call(lambda: site.worker.broadcast("two\nlines", to=all_of_both())) == 2
        assert site.call(lambda: site.worker.broadcast("one line", to=all_of_both())) == 4
        for browser in browsers:
            assert [browser.receive() for _ in range(2)] == ["two\nlines", "one line"]
        assert [device.receive() for device in devices] == [b"one line"] * 2
        assert lines.service is not None
        assert lines.service.send_failures == 2
        with pytest.raises(UsageError, match="is one line"):
            site.call(lambda: lines.broadcast("two\nlines"))
    finally:
        for device in devices:
            device.close()
        site.run(lines.stop())
