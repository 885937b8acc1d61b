"""Callbacks may send, close and destroy at any time, and never see a half-made change."""

from __future__ import annotations

import os
import socket

import pytest

from kit.recorder import Ends, Recorder
from kit.site import Serve
from kit.waiting import wait_until
from lineman import Connection, UsageError, Worker
from lineman.net.connection.send_queue import SendQueue


def narrow(connection: Connection) -> None:
    """Makes the kernel's buffer small, so that a slow reader is noticed soon."""
    with socket.socket(fileno=os.dup(connection.fd)) as tcp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)


SIZES = [1, 100, 125, 126, 4000, 8000, 65_536, 70_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("whom", ["the same", "another"])
def test_what_on_buffer_full_sends_does_not_come_into_the_middle_of_a_frame(
    serve: Serve, tls: bool, size: int, whom: str
) -> None:
    told = Recorder()

    def on_buffer_full(connection: Connection) -> None:
        others = [each for each in connection.worker.connections.values() if each is not connection]
        (connection if whom == "the same" else others[0]).send(b"full" * 20)
        told(connection.id)

    def on_message(connection: Connection, message: str) -> None:
        count = 0
        while not told.calls and count < 100_000:  # until the kernel takes no more
            connection.send(b"%07d" % count + bytes(size))
            count += 1
        sent(count)

    sent = Recorder()
    site = serve(
        tls, on_connect=narrow, on_buffer_full=on_buffer_full, on_message=on_message,
        max_send_buffer_size=8192,
    )  # fmt: skip
    slow, other = site.open(receive_buffer=4096), site.open()
    slow.send("go")
    (count,) = sent.wait()
    got = [slow.receive() for _ in range(count)]
    assert got == [b"%07d" % number + bytes(size) for number in range(count)]
    if whom == "another":
        assert other.receive() == b"full" * 20


def test_a_loop_over_the_connections_may_end_them(serve: Serve, tls: bool, ends: Ends) -> None:
    def on_message(connection: Connection, message: str) -> None:
        connections = connection.worker.connections
        for number, one in connections.items():
            assert connections[number] is one
            assert number in connections
            if message == "destroy":
                one.destroy()
                assert number not in connections
            elif message == "close":
                one.close(code=4000)

    site = serve(tls, on_message=on_message, **ends.callbacks)
    for word in ("destroy", "close"):
        clients = [site.open() for _ in range(5)]
        clients[2].send(word)
        for client in clients:
            if word == "close":
                assert client.receive_close().code == 4000
            client.close()
        site.wait_until_empty()
    assert len(ends.closed.wait(10)) == 10


def test_the_connections_are_a_mapping_that_is_always_as_they_are_now(serve: Serve) -> None:
    site = serve()
    connections = site.worker.connections
    assert len(connections) == 0
    site.open()
    assert len(connections) == 1
    ((number, connection),) = connections.items()
    assert list(connections) == list(connections.keys()) == [number]
    assert connections == {number: connection}
    assert connections.get(number) is connections[number] is connection
    assert connections.get(-1) is None
    assert connection in connections.values()
    assert (number, connection) in connections.items()
    assert -1 not in connections
    values = connections.values()
    site.open()
    assert len(values) == 2


def test_on_close_does_not_come_while_the_program_ends_a_set_of_connections(serve: Serve) -> None:
    room: set[Connection] = set()
    left = Recorder()

    def on_close(connection: Connection, code: int, reason: str) -> None:
        room.discard(connection)
        left(code)

    def on_message(connection: Connection, message: str) -> None:
        for member in room:
            member.destroy()
            assert member.state == "closed"

    site = serve(on_connect=room.add, on_close=on_close, on_message=on_message)
    clients = [site.open() for _ in range(4)]
    wait_until(lambda: len(room) == 4, "all are in the room")
    clients[0].send("out")
    assert left.wait(4) == [1006] * 4
    assert not site.worker.service or site.worker.service.exceptions == 0


def test_on_error_of_a_slow_reader_may_send_to_it_and_is_called_once(
    serve: Serve, tls: bool
) -> None:
    told = Recorder()

    def on_error(connection: Connection, code: int, error: Exception) -> None:
        told((code, connection.send("sorry"), connection.is_open))

    def on_message(connection: Connection, message: str) -> None:
        while connection.send(bytes(5000)):
            pass

    site = serve(
        tls, on_connect=narrow, on_error=on_error, on_message=on_message, max_send_buffer_size=8192
    )
    client = site.open(receive_buffer=4096)
    client.send("go")
    assert client.receive_close().code == 1013
    assert told.calls == [(2, False, True)]


def test_a_messages_own_methods_are_not_asked_while_it_is_sent(serve: Serve, tls: bool) -> None:
    class Text(str):
        def encode(self, *_: object) -> bytes:
            raise AssertionError("called")

        __str__ = __len__ = encode  # type: ignore[assignment]

    class Data(bytearray):
        def __bytes__(self) -> bytes:
            raise AssertionError("called")

        __len__ = __iter__ = __bytes__  # type: ignore[assignment]

    class Bytes(bytes):
        __bytes__ = __len__ = Data.__bytes__  # type: ignore[assignment]

    def on_message(connection: Connection, message: str) -> None:
        for each in (Text("text"), Data(b"data"), Bytes(b"bytes"), memoryview(b"abcd")[::2]):
            assert connection.send(each)
            assert connection.worker.broadcast(each) == 1

    site = serve(tls, on_message=on_message)
    client = site.open()
    client.send("go")
    got = [client.receive() for _ in range(8)]
    assert got == ["text", "text", b"data", b"data", b"bytes", b"bytes", b"ac", b"ac"]


def test_a_broadcast_is_the_same_for_all_whatever_callbacks_do_to_it(serve: Serve) -> None:
    message = bytearray(b"before")
    worker: list[Worker] = []

    def receivers() -> object:
        yield from worker[0].connections.values()
        message[:] = b"behind"

    site = serve(on_message=lambda connection, _: worker[0].broadcast(message, receivers()))
    worker.append(site.worker)
    clients = [site.open(), site.open()]
    clients[0].send("go")
    assert [client.receive() for client in clients] == [b"before", b"before"]


def test_a_generator_of_receivers_may_fail_in_its_own_words(serve: Serve) -> None:
    def receivers() -> object:
        yield from ()
        raise TypeError("its own")

    site = serve()
    with pytest.raises(TypeError, match="its own"):
        site.call(site.worker.broadcast, "x", receivers())
    with pytest.raises(UsageError, match="give connections"):
        site.call(site.worker.broadcast, "x", 5)  # type: ignore[arg-type]


def test_a_key_that_sends_when_it_is_compared_finds_the_queue_whole() -> None:
    queue = SendQueue(replaces=True)
    depth = 0

    class Key:
        def __hash__(self) -> int:
            self._send()
            return 7

        def __eq__(self, other: object) -> bool:
            self._send()
            return isinstance(other, Key)

        def _send(self) -> None:
            nonlocal depth
            if depth < 2:
                depth += 1
                put(b"inner")
                depth -= 1
                assert queue.size == sum(len(entry) for entry, _, _ in queue._entries.values())

    def put(entry: bytes) -> None:
        key = Key()
        hashed = hash(key)
        queue.put(entry, (key, hashed, queue.find(key, hashed)), 1200)

    for _ in range(20):
        put(b"outer")
    size, depth = queue.size, 2
    got = [queue.pop() for _ in range(len(queue))]
    assert sum(map(len, got)) == size
    assert queue.size == 0
    assert b"outer" in got
