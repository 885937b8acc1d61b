"""What a connection offers the program: its facts, `send`, the send buffer, `drain`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, echo
from kit.waiting import wait_until
from lineman import Connection, ConnectionLost, UsageError
from lineman.testing.client import encode


def test_a_connection_knows_its_ends_and_its_request(serve: Serve, tls: bool) -> None:
    site = serve(tls, subprotocols=["chat"])
    client = site.open("/room/7?name=tom", [("Cookie", "a=b"), ("X-One", "1")], ["chat"])
    ip, port = client.address

    def facts(connection: Connection) -> dict[str, Any]:
        assert connection.request is not None
        return {
            "remote": (connection.remote_ip, connection.remote_port, connection.peer_address),
            "local": connection.local_address,
            "path": connection.request.path,
            "query": connection.request.query,
            "cookies": connection.request.cookies,
            "header": connection.request.headers["X-ONE"],
            "subprotocol": connection.subprotocol,
            "worker": connection.worker is site.worker,
            "open": (connection.is_open, connection.state, connection.close_code),
        }

    assert site.call(facts, site.connection) == {
        "remote": (ip, port, f"{ip}:{port}"),
        "local": f"127.0.0.1:{site.port}",
        "path": "/room/7",
        "query": {"name": "tom"},
        "cookies": {"a": "b"},
        "header": "1",
        "subprotocol": "chat",
        "worker": True,
        "open": (True, "open", 0),
    }
    assert f"{ip}:{port} open" in repr(site.connection)


def test_ids_are_never_used_twice(serve: Serve) -> None:
    ids = Recorder()
    site = serve(on_connect=lambda connection: ids(connection.id))
    for _ in range(5):
        site.open().close()
    assert len(set(ids.wait(5))) == 5


def test_the_workers_table_holds_the_open_connections(serve: Serve, tls: bool) -> None:
    site = serve(tls)
    clients = [site.open() for _ in range(3)]
    site.connect()  # no websocket
    table = site.worker.connections
    assert len(table) == 3
    assert all(table[key].id == key for key in table)
    clients[0].close()
    wait_until(lambda: len(table) == 2, "one is gone")


def test_data_is_a_place_for_the_programs_own(serve: Serve) -> None:
    def handler(connection: Connection, message: str) -> None:
        connection.data["count"] = connection.data.get("count", 0) + 1
        connection.send(str(connection.data["count"]))

    site = serve(on_message=handler)
    first, second = site.open(), site.open()
    first.send("x")
    first.receive()
    first.send("x")
    second.send("x")
    assert (first.receive(), second.receive()) == ("2", "1")
    site.call(setattr, next(iter(site.worker.connections.values())), "data", "anything")
    assert next(iter(site.worker.connections.values())).data == "anything"


def test_an_unknown_attribute_is_refused(serve: Serve) -> None:
    site = serve()
    site.open()
    with pytest.raises(AttributeError):
        site.connection.user = "tom"  # type: ignore[attr-defined]


def test_the_counters_count(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=echo)
    client = site.open()
    connection = site.connection

    def counters() -> tuple[int, int, int, int]:
        return (
            connection.messages_read,
            connection.messages_written,
            connection.bytes_read,
            connection.bytes_written,
        )

    before = site.call(counters)
    for _ in range(3):
        client.send("tom")
        client.receive()
    after = site.call(counters)
    changes = [new - old for new, old in zip(after, before, strict=True)]
    assert changes == [3, 3, 3 * len(encode("tom")), 3 * 5]


@pytest.mark.parametrize(
    ("message", "received"),
    [
        ("text", "text"),
        (b"bytes", b"bytes"),
        (bytearray(b"bytearray"), b"bytearray"),
        (memoryview(b"a view")[2:], b"view"),
    ],
)
def test_str_is_sent_as_text_and_anything_of_bytes_as_binary(
    serve: Serve, message: Any, received: str | bytes
) -> None:
    site = serve()
    client = site.open()
    assert site.call(site.connection.send, message) is True
    assert client.receive() == received


@pytest.mark.parametrize("message", [None, 1, 1.5, ["x"], {"a": 1}, object()])
def test_what_cannot_be_sent_says_what_to_do(serve: Serve, message: Any) -> None:
    site = serve()
    client = site.open()
    with pytest.raises(UsageError, match=r"json\.dumps"):
        site.call(site.connection.send, message)
    site.call(site.connection.send, "still open")
    assert client.receive() == "still open"


def test_a_lone_surrogate_cannot_be_sent(serve: Serve) -> None:
    site = serve()
    site.open()
    with pytest.raises(UsageError, match="cannot be sent as UTF-8"):
        site.call(site.connection.send, "\ud800")


def test_sending_after_the_end_is_false(serve: Serve, tls: bool) -> None:
    site = serve(tls)
    client = site.open()
    connection = site.connection
    site.call(connection.close)
    assert site.call(connection.send, "closing") is False
    client.close()
    site.wait_until_empty()
    assert site.call(connection.send, "closed") is False
    assert connection.messages_written == 0


def test_one_callback_may_send_to_everybody(serve: Serve, tls: bool) -> None:
    def broadcast(connection: Connection, message: str) -> None:
        for other in connection.worker.connections.values():
            other.send(message)

    site = serve(tls, on_message=broadcast)
    clients = [site.open() for _ in range(10)]
    clients[3].send("to all")
    assert [client.receive() for client in clients] == ["to all"] * 10


def test_what_a_timer_or_a_task_sends_leaves_as_well(serve: Serve, tls: bool) -> None:
    def on_connect(connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.01, connection.send, "from a timer")

    assert serve(tls, on_connect=on_connect).open().receive() == "from a timer"


# The send buffer.


def test_a_full_buffer_is_told_once_and_its_draining_too(serve: Serve, tls: bool) -> None:
    told = Recorder()
    site = serve(
        tls,
        max_send_buffer_size=200_000,
        on_buffer_full=lambda connection: told("full"),
        on_buffer_drain=lambda connection: told("drain", connection.unsent),
    )
    client = site.open(receive_buffer=4096)
    connection = site.connection

    def fill() -> int:
        count = 0
        while not told.calls:
            assert connection.send(b"x" * 10_000)
            count += 1
            assert count < 10_000
        return count

    count = site.call(fill)
    assert site.call(lambda: connection.unsent) >= 200_000
    for _ in range(count):
        client.receive()
    assert told.wait(2) == ["full", ("drain", 0)]
    assert site.call(lambda: connection.send("and again")) is True
    assert client.receive() == "and again"


def test_what_the_client_has_read_is_no_longer_unsent(serve: Serve, tls: bool) -> None:
    site = serve(tls, max_send_buffer_size=100_000_000)
    client = site.open(receive_buffer=65_536)
    connection = site.connection
    site.call(connection.send, bytes(20_000_000))
    client.receive_bytes()
    while site.call(lambda: connection.unsent) > 10_000_000:
        client.receive_bytes()


def test_a_client_that_keeps_up_is_never_taken_for_a_slow_one(serve: Serve, tls: bool) -> None:
    site = serve(tls, max_send_buffer_size=1_000_000)
    client = site.open(receive_buffer=65_536)
    connection = site.connection
    # Its socket is full all the time, and every message that is read makes room for another one.
    while site.call(lambda: connection.unsent) < 500_000:
        assert site.call(connection.send, bytes(50_000))
    for _ in range(100):
        assert client.receive() == bytes(50_000)
        assert site.call(connection.send, bytes(50_000))


def test_one_message_may_be_larger_than_the_buffer(serve: Serve, tls: bool) -> None:
    site = serve(tls, max_send_buffer_size=1000)
    client = site.open(receive_buffer=4096)
    message = b"x" * 5_000_000
    assert site.call(site.connection.send, message) is True
    assert client.receive() == message


def test_a_program_that_stops_at_full_and_goes_on_at_drain_never_loses_the_client(
    serve: Serve, tls: bool
) -> None:
    total = 2000
    sent = 0
    is_full = False

    def pump(connection: Connection) -> None:
        nonlocal sent, is_full
        is_full = False
        while sent < total and not is_full:
            sent += connection.send(b"x" * 5000)

    def stop(connection: Connection) -> None:
        nonlocal is_full
        is_full = True

    site = serve(
        tls,
        max_send_buffer_size=100_000,
        on_connect=pump,
        on_buffer_full=stop,
        on_buffer_drain=pump,
    )
    client = site.open(receive_buffer=8192)
    for _ in range(total):
        assert client.receive() == b"x" * 5000


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
def test_closing_in_on_buffer_full_is_fine(serve: Serve, tls: bool, is_async: bool) -> None:
    closed = Recorder()

    def close(connection: Connection) -> None:
        connection.close(code=4000)

    async def close_async(connection: Connection) -> None:
        connection.close(code=4000)

    def fill(connection: Connection, message: str) -> None:
        while connection.unsent < 100_000:
            connection.send(b"x" * 10_000)

    site = serve(
        tls,
        max_send_buffer_size=100_000,
        on_message=fill,
        on_buffer_full=close_async if is_async else close,
        on_close=lambda connection, code: closed(code),
    )
    client = site.open(receive_buffer=4096)
    client.send("go")
    while isinstance(client.receive(), bytes):
        pass
    client.send_close(4000)
    assert closed.wait() == [4000]


def test_drain_waits_until_all_has_left(serve: Serve, tls: bool) -> None:
    site = serve(tls, max_send_buffer_size=100_000_000)
    client = site.open(receive_buffer=4096)
    connection = site.connection
    drained = Recorder()

    async def send_and_drain() -> None:
        connection.send(b"x" * 20_000_000)
        await connection.drain()
        drained(connection.unsent)

    waiting = asyncio.run_coroutine_threadsafe(send_and_drain(), site._loop)
    wait_until(lambda: site.call(lambda: connection.unsent) > 0, "it waits")
    assert drained.calls == []
    assert client.receive() == b"x" * 20_000_000
    assert drained.wait() == [0]
    waiting.result(0)


def test_drain_returns_at_once_where_nothing_waits(serve: Serve) -> None:
    site = serve()
    client = site.open()
    site.run(site.connection.drain())
    site.call(site.connection.send, "x")
    site.run(site.connection.drain())
    assert client.receive() == "x"


def test_drain_raises_when_the_client_is_lost(serve: Serve, tls: bool) -> None:
    site = serve(tls, max_send_buffer_size=100_000_000)
    client = site.open(receive_buffer=4096)
    connection = site.connection
    site.call(connection.send, b"x" * 20_000_000)
    waiting = [asyncio.run_coroutine_threadsafe(connection.drain(), site._loop) for _ in "ab"]
    client.reset()
    for one in waiting:
        with pytest.raises(ConnectionLost) as caught:
            one.result(20)
        assert caught.value.code == 1006
    with pytest.raises(ConnectionLost):
        site.run(connection.drain())
