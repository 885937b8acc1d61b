"""How connections end, and that the program gets one `on_close` with code and reason."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from kit.recorder import Ends, Recorder
from kit.site import Serve, Site, echo
from kit.waiting import wait_until
from lineman import Connection, UsageError
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.decoder import Close
from lineman.testing.client import RawClient, encode, encode_frame

# The client ends it.


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (1000, "", "normal closure"),
        (1000, "good bye", "good bye"),
        (1001, "", "going away"),
        (1011, "", "internal error"),
        (3000, "", "code 3000"),
        (4000, "tschüß", "tschüß"),
        (4999, "x" * 123, "x" * 123),
        (1005, "", "closed without a status"),
    ],
)
def test_a_clients_close_frame_is_answered_and_told_in_words(
    serve: Serve, tls: bool, ends: Ends, code: int, reason: str, words: str
) -> None:
    site = serve(tls, **ends.callbacks)
    client = site.open()
    client.send_close(code, reason)
    assert client.receive_close().code == code
    client.assert_ended()
    assert ends.closed.wait() == [(code, words)]
    assert len(ends.connected.calls) == 1
    site.wait_until_empty()


def test_nothing_that_follows_the_clients_close_frame_is_read(serve: Serve, tls: bool) -> None:
    messages = Recorder()
    site = serve(tls, on_message=lambda connection, message: messages(message))
    client = site.open()
    client.send_bytes(encode("one") + encode_frame(frames.CLOSE, b"\x03\xe8") + encode("two"))
    assert client.receive_close().code == 1000
    site.wait_until_empty()
    assert messages.calls == ["one"]


def test_a_client_that_just_ends_tcp_is_1006(serve: Serve, tls: bool, ends: Ends) -> None:
    site = serve(tls, **ends.callbacks)
    site.open().close()
    ((code, reason),) = ends.closed.wait()
    assert code == 1006
    assert reason
    site.wait_until_empty()


def test_a_client_that_ends_its_side_still_gets_the_answers(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    site = serve(tls, on_message=echo, **ends.callbacks)
    client = site.open()
    client.send_bytes(encode("last words"))
    client.end_writing()
    assert client.receive() == "last words"
    client.assert_ended()
    assert ends.closed.wait() == [(1006, "the peer ended TCP without a close frame")]


def test_a_reset_in_the_middle_of_a_message_is_1006_and_touches_nobody_else(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    messages = Recorder()

    def handler(connection: Connection, message: str) -> None:
        messages(message)
        connection.send(message)

    site = serve(tls, on_message=handler, **ends.callbacks)
    bystander, client = site.open(), site.open()
    connection = site.worker.connections[max(site.worker.connections)]
    read = connection.bytes_read
    client.send_bytes(encode("x" * 100_000)[:50_000])
    wait_until(lambda: connection.bytes_read - read == 50_000, "half of it is read")
    client.reset()
    ((code, reason),) = ends.closed.wait()
    assert code == 1006
    # Through TLS, Python 3.11 shows a reset as the end of the stream.
    assert tls or reason == "connection reset by peer"
    bystander.send("x")
    assert bystander.receive() == "x"
    assert messages.calls == ["x"]


def test_the_clients_close_frame_counts_although_it_ends_tcp_before_its_turn(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    proceed = asyncio.Event()
    messages = Recorder()

    async def handler(connection: Connection, message: str) -> None:
        await proceed.wait()
        messages(message)

    site = serve(tls, on_message=handler, **ends.callbacks)
    client = site.open()
    client.send_bytes(encode("one") + encode("two") + encode_frame(frames.CLOSE, b"\x0f\xa0bye"))
    client.close()
    wait_until(lambda: not site.worker.connections, "the connection is gone")
    assert ends.closed.calls == []  # not before what came before
    site.call(proceed.set)
    assert ends.closed.wait() == [(4000, "bye")]
    assert messages.calls == ["one", "two"]


# The program ends it.


def test_close_waits_for_the_clients_answer_and_keeps_its_own_reason(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    site = serve(tls, **ends.callbacks)
    client = site.open()
    connection = site.connection
    site.call(connection.close, None, 4001, "enough")
    assert client.receive() == Close(4001, "enough")
    assert site.call(lambda: connection.state) == "closing"
    assert ends.closed.calls == []
    client.send_close(1000, "something else")
    client.assert_ended()
    assert ends.closed.wait() == [(4001, "enough")]
    assert (connection.close_code, connection.close_reason) == (4001, "enough")
    assert not connection.is_open


def test_close_without_arguments_is_1000(serve: Serve, tls: bool, ends: Ends) -> None:
    site = serve(tls, **ends.callbacks)
    client = site.open()
    site.call(site.connection.close)
    assert client.receive() == Close(1000, "")
    client.send_close()
    assert ends.closed.wait() == [(1000, "normal closure")]


def test_messages_that_cross_our_close_frame_are_not_delivered(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    messages = Recorder()
    site = serve(tls, on_message=lambda connection, message: messages(message), **ends.callbacks)
    client = site.open()
    site.call(site.connection.close)
    client.send("crossing")
    client.ping(b"crossing")
    client.send_close()
    assert client.receive() == Close(1000, "")
    client.assert_ended()
    assert ends.closed.wait() == [(1000, "normal closure")]
    assert messages.calls == []


@pytest.mark.parametrize("code", [0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 70_000])
def test_a_code_that_must_not_be_sent_is_refused_before_anything_happens(
    serve: Serve, code: int
) -> None:
    site = serve(on_message=echo)
    client = site.open()
    with pytest.raises(UsageError, match=f"close code {code}"):
        site.call(site.connection.close, "last words", code)
    client.send("still open")
    assert client.receive() == "still open"


def test_a_long_reason_is_cut_at_a_character(serve: Serve) -> None:
    site = serve()
    client = site.open()
    site.call(site.connection.close, None, 4000, "ü" * 100)
    assert client.receive() == Close(4000, "ü" * 61)


def test_a_client_that_does_not_answer_our_close_frame_is_dropped_in_time(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    site = serve(tls, close_timeout=0.5, **ends.callbacks)
    client = site.open()
    site.call(site.connection.close, None, 4001, "enough")
    assert client.receive() == Close(4001, "enough")
    client.assert_ended()
    assert ends.closed.wait() == [(4001, "enough")]
    site.wait_until_empty()


def test_a_ping_that_is_due_does_not_shorten_the_time_for_the_answer(
    serve: Serve, ends: Ends
) -> None:
    site = serve(close_timeout=30, ping_interval=5, **ends.callbacks)
    client = site.open()
    site.call(site.connection.close, None, 4001, "enough")
    assert client.receive() == Close(4001, "enough")
    site.advance_clock(20)
    assert ends.closed.calls == []
    client.send_close(4001)
    client.assert_ended()
    assert ends.closed.wait() == [(4001, "enough")]


def test_destroy_ends_it_at_once_without_a_close_frame(serve: Serve, tls: bool, ends: Ends) -> None:
    site = serve(tls, **ends.callbacks)
    client = site.open()
    connection = site.connection

    def destroy_twice() -> None:
        connection.send("never sent")
        connection.destroy()
        connection.destroy()
        connection.close()

    site.call(destroy_twice)
    client.assert_ended()
    assert ends.closed.wait() == [(1006, "destroyed by the program")]
    site.wait_until_empty()


@pytest.mark.parametrize("how", ["close", "destroy"])
def test_ending_inside_of_on_connect_is_told_as_well(serve: Serve, tls: bool, how: str) -> None:
    closed, messages = Recorder(), Recorder()
    site = serve(
        tls,
        on_connect=lambda connection: getattr(connection, how)(),
        on_message=lambda connection, message: messages(message),
        on_close=lambda connection, code: closed(code),
    )
    client = site.connect()
    client.send_bytes(client.handshake_bytes() + encode("early"))
    if how == "close":
        assert client.receive_reply().status == 101
        assert client.receive_close().code == 1000
        client.send_close()
    client.receive_all()
    assert closed.wait() == [1000 if how == "close" else 1006]
    assert messages.calls == []


def test_ending_inside_of_on_close_does_nothing(serve: Serve) -> None:
    closed = Recorder()

    def on_close(connection: Connection, code: int) -> None:
        connection.destroy()
        connection.close()
        closed(code, connection.send("x"))

    site = serve(on_close=on_close)
    client = site.open()
    client.send_close()
    assert client.receive_close().code == 1000
    assert closed.wait() == [(1000, False)]


def test_connections_that_one_callback_ends_together_end_each_in_its_own_way(
    serve: Serve, tls: bool
) -> None:
    closed = Recorder()

    def clear_the_room(connection: Connection, message: str) -> None:
        for number, other in enumerate(list(connection.worker.connections.values())):
            (other.close if number % 2 else other.destroy)()

    site = serve(tls, on_message=clear_the_room, on_close=lambda connection, code: closed(code))
    clients = [site.open() for _ in range(6)]
    clients[3].send("everybody out")
    for number in (1, 3, 5):
        assert clients[number].receive_close().code == 1000
        clients[number].send_close()
    for number in (0, 2, 4):
        clients[number].assert_ended()
    assert sorted(closed.wait(6)) == [1000, 1000, 1000, 1006, 1006, 1006]


# Nothing is left behind.


def test_a_connection_that_has_ended_is_let_go(serve: Serve, tls: bool) -> None:
    seen: list[weakref.ref[Any]] = []

    async def handler(connection: Connection, message: str) -> None:
        await asyncio.sleep(0)
        connection.send(message)

    class Owned:
        pass

    def on_connect(connection: Connection) -> None:
        connection.data = Owned()
        seen.append(weakref.ref(connection.data))

    site = serve(tls, on_connect=on_connect, on_message=handler)
    for end in (RawClient.send_close, RawClient.close, RawClient.reset):
        client = site.open()
        client.send("x")
        assert client.receive() == "x"
        end(client)
    site.wait_until_empty()
    gc.collect()
    site.advance_clock(60)
    assert [reference() for reference in seen] == [None] * 3
    connections = [thing for thing in gc.get_objects() if issubclass(type(thing), Connection)]
    assert not [one for one in connections if one.worker is site.worker]


def test_a_connection_can_be_used_after_its_end(serve: Serve, tls: bool) -> None:
    kept: list[Connection] = []
    site: Site = serve(tls, on_connect=kept.append)
    client = site.open("/room?x=1")
    address = client.address
    site.call(lambda: kept[0].local_address)
    client.close()
    site.wait_until_empty()
    (connection,) = kept

    def use() -> list[Any]:
        connection.close()
        connection.destroy()
        connection.pause_recv()
        connection.resume_recv()
        return [
            connection.send("x"), connection.remote_ip, connection.remote_port,
            connection.request.path if connection.request else None, connection.state,
            connection.is_open, connection.close_code, connection.local_address,
        ]  # fmt: skip

    local = f"127.0.0.1:{site.port}"
    assert site.call(use) == [False, *address, "/room", "closed", False, 1006, local]
    assert "closed" in repr(connection)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1014, 3000, 4999])
def test_a_program_closes_with_what_rfc_6455_lets_a_server_send(serve: Serve, code: int) -> None:
    site = serve(on_connect=lambda connection: connection.close(code=code))
    assert site.open().receive_close().code == code


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1010, 1015, 2999, 5000, True, "1000"])
def test_other_codes_are_refused_before_anything_is_sent(serve: Serve, code: Any) -> None:
    def close(connection: Connection) -> None:
        with pytest.raises(UsageError, match="must not be sent; use 1000, a code of your own"):
            connection.close("bye", code)
        with pytest.raises(UsageError, match="reason 5 is no text"):
            connection.close("bye", 4000, 5)  # type: ignore[arg-type]
        connection.send("open")

    assert serve(on_connect=close).open().receive_message() == "open"
