"""`a.pipe(b)`: a proxy passes on bytes and messages, slow readers, and both kinds of ends."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, Site, echo
from kit.waiting import wait_until
from lineman import Connection, Dialer, connect
from lineman.client import client_service
from lineman.testing.client import RawClient
from net.piped import joining

SIZE = 20_000_000


class Backend:
    """A server of the test's own: the connection that the proxy opens to it, as a socket."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(30)
        self.port: int = self.listener.getsockname()[1]
        self.sockets: list[socket.socket] = [self.listener]

    def accept(self, receive_buffer: int | None = None) -> socket.socket:
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock, _ = self.listener.accept()
        sock.settimeout(30)
        self.sockets.append(sock)
        return sock


def all_of(sock: socket.socket) -> bytes:
    data = b""
    while part := sock.recv(1 << 20):
        data += part
    return data


@pytest.fixture
def backend() -> Iterator[Backend]:
    made = Backend()
    yield made
    for sock in made.sockets:
        sock.close()


@pytest.fixture
def proxy(serve: Serve, backend: Backend) -> Callable[..., Site]:
    def start(tls: bool = False, scheme: str = "tcp", **options: Any) -> Site:
        join = joining(f"{scheme}://127.0.0.1:{backend.port}")
        return serve(tls, scheme, on_connect=join, **options)

    return start


def unsent(site: Site) -> int:
    """Bytes that wait in the proxy, for clients and for servers."""
    services = [service._service for service in client_service._services.values()]
    connections = [*site.worker.connections.values()]
    for service in services:
        connections += service.connections.values()
    return sum(connection.unsent for connection in connections)


def test_bytes_go_both_ways(proxy: Callable[..., Site], backend: Backend, tls: bool) -> None:
    site = proxy(tls)
    client = site.connect()
    client.send_bytes(b"early")  # while the proxy still connects
    server = backend.accept()
    assert server.recv(100) == b"early"
    server.sendall(b"answer")
    assert client.receive_bytes() == b"answer"
    client.send_bytes(b"more")
    assert server.recv(100) == b"more"


def test_each_direction_ends_on_its_own(
    proxy: Callable[..., Site], backend: Backend, tls: bool
) -> None:
    told = Recorder()
    site = proxy(tls, on_close=lambda _, code, reason: told(code))
    client = site.connect()
    client.send_bytes(b"question")
    client.end_writing()
    server = backend.accept()
    assert all_of(server) == b"question"
    server.sendall(b"answer" * 100_000)
    server.close()
    assert client.receive_all() == b"answer" * 100_000
    assert told.wait() == [1000]
    site.wait_until_empty()


def test_the_end_of_a_client_that_came_while_the_proxy_connected_is_one_of_its_direction(
    serve: Serve, backend: Backend
) -> None:
    proceed = asyncio.Event()

    async def join(client: Connection) -> None:
        server = await connect(f"tcp://127.0.0.1:{backend.port}")
        await proceed.wait()
        client.pipe(server)
        server.pipe(client)

    site = serve(scheme="tcp", on_connect=join)
    client = site.connect()
    client.send_bytes(b"question")
    client.end_writing()
    server = backend.accept()
    server.sendall(b"greeting, ")  # waits in the proxy
    wait_until(lambda: site.connection.is_paused, "the end is seen")
    site.call(proceed.set)
    assert all_of(server) == b"question"
    server.sendall(b"answer")
    server.close()
    assert client.receive_all() == b"greeting, answer"


def test_a_slow_reader_slows_the_sender_and_gets_all(
    proxy: Callable[..., Site], backend: Backend, tls: bool
) -> None:
    site = proxy(tls, max_send_buffer_size=64_000)
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"x")
    server = backend.accept()
    assert server.recv(10) == b"x"
    server.setblocking(False)
    sent = 0
    data = bytes(range(256)) * 4096

    def send_more() -> int:
        nonlocal sent
        try:
            while sent < SIZE:
                begin = sent % len(data)
                sent += server.send(data[begin : begin + min(SIZE - sent, len(data) - begin)])
        except BlockingIOError:
            pass
        return sent

    wait_until(lambda: send_more() and unsent(site) > 0, "the client is slow")
    wait_until(lambda: send_more() == send_more(), "nothing moves any more")
    assert sent < SIZE
    assert 0 < unsent(site) <= 600_000  # one read of the source, and its frame in TLS
    got = bytearray()
    while len(got) < SIZE:
        send_more()
        got += client.receive_bytes()
    server.close()
    assert client.receive_all() == b""
    assert len(got) == SIZE
    assert got[: len(data)] == data
    assert got[-1] == data[(SIZE - 1) % len(data)]


@pytest.mark.parametrize("first", ["client", "server"])
def test_all_arrives_where_the_sender_has_gone_before_the_reader_reads(
    proxy: Callable[..., Site], backend: Backend, tls: bool, first: str
) -> None:
    """Both sides of the sender's connection have ended then, with much of it unread."""
    site = proxy(tls)
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"question")
    if first == "client":
        client.end_writing()
    server = backend.accept()
    assert server.recv(100) == b"question"
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_000_000)
    answer = b"answer" * 500_000
    server.sendall(answer)
    server.close()
    assert client.receive_all() == answer
    client.close()
    site.wait_until_empty()


def test_a_reset_is_passed_on_as_one(proxy: Callable[..., Site], backend: Backend) -> None:
    told = Recorder()
    site = proxy(on_close=lambda _, code: told(code))
    client = site.connect()
    client.send_bytes(b"x")
    server = backend.accept()
    assert server.recv(10) == b"x"
    server.sendall(b"half of it")
    assert client.receive_bytes() == b"half of it"
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    server.close()
    with pytest.raises(ConnectionResetError):
        client.receive_all()
    assert told.wait() == [1006]


def test_the_end_of_a_client_ends_the_server(proxy: Callable[..., Site], backend: Backend) -> None:
    site = proxy()
    client = site.connect()
    client.send_bytes(b"x")
    server = backend.accept()
    assert server.recv(10) == b"x"
    client.reset()
    with pytest.raises(ConnectionResetError):
        server.recv(10)


def test_messages_of_websockets_keep_their_kind_and_close_codes_pass(
    serve: Serve, tls: bool
) -> None:
    told = Recorder()
    behind = serve(on_message=echo, on_close=lambda _, code, reason: told(code, reason))
    site = serve(tls, on_connect=joining(f"ws://127.0.0.1:{behind.port}"))
    client = site.open()
    for message in ("text", b"bytes", "x" * 300_000):
        client.send(message)
        assert client.receive() == message
    client.send_close(4001, "enough")
    assert told.wait() == [(4001, "enough")]
    other = site.open()
    other.send("x")
    assert other.receive() == "x"
    behind.call(behind.connection.close, None, 4002, "later")
    close = other.receive_close()
    assert (close.code, close.reason) == (4002, "later")


def test_a_websocket_that_reads_nothing_stops_the_other_one(serve: Serve, tls: bool) -> None:
    message = b"x" * 100_000
    count = 300
    sent = Recorder()

    async def flood(connection: Connection, _: Any) -> None:
        for number in range(count):
            await connection.drain()
            connection.send(message)
            sent(number)

    behind = serve(on_message=flood)
    join = joining(f"ws://127.0.0.1:{behind.port}", compression=False)
    site = serve(tls, on_connect=join, compression=False)
    client = site.open(receive_buffer=4096)
    client.send("go")
    wait_until(lambda: unsent(site) > 0, "the client is slow")
    wait_until(lambda: behind.connection.unsent > 0, "so the server is slowed down")
    assert unsent(site) < 1_000_000
    for _ in range(count):
        assert client.receive() == message


def test_lines_become_messages_of_a_websocket(serve: Serve) -> None:
    behind = serve(on_message=echo)
    site = serve(scheme="text", on_connect=joining(f"ws://127.0.0.1:{behind.port}"))
    client = site.connect()
    client.send_bytes(b"one\ntwo\n")
    got = b""
    while got.count(b"\n") < 2:
        got += client.receive_bytes()
    assert got == b"one\ntwo\n"
    client.end_writing()  # a websocket has no end of one direction
    assert client.receive_all() == b""
    site.wait_until_empty()
    behind.wait_until_empty()


def test_a_dialer_is_joined_by_its_callback(serve: Serve, backend: Backend) -> None:
    def join(client: Connection) -> None:
        client.pause_recv()
        dialer = Dialer(f"tcp://127.0.0.1:{backend.port}")

        @dialer.on_connect
        def opened(server: Connection) -> None:
            assert client.pipe(server)
            assert server.pipe(client)
            client.resume_recv()

        dialer.connect()

    site = serve(scheme="tcp", on_connect=join)
    client = site.connect()
    client.send_bytes(b"hello")
    server = backend.accept()
    assert server.recv(10) == b"hello"
    server.sendall(b"hi")
    assert client.receive_bytes() == b"hi"
    server.close()
    assert client.receive_all() == b""


def test_a_program_reads_the_first_messages_itself(serve: Serve, backend: Backend) -> None:
    """As a proxy does that shakes hands first."""

    async def join(client: Connection) -> None:
        server = await connect(f"tcp://127.0.0.1:{backend.port}")
        async for greeting in server:
            client.send(b"[" + greeting + b"]")
            break
        async for question in client:
            server.send(b"<" + question + b">")
            break
        client.pipe(server)
        server.pipe(client)

    site = serve(scheme="tcp", on_connect=join)
    client = site.connect()
    server = backend.accept()
    server.sendall(b"welcome")
    assert client.receive_bytes() == b"[welcome]"
    client.send_bytes(b"first")
    assert server.recv(10) == b"<first>"
    client.send_bytes(b"second")
    assert server.recv(10) == b"second"
    server.sendall(b"third")
    assert client.receive_bytes() == b"third"


def test_a_pipe_with_a_connection_that_has_ended_ends_the_other(
    serve: Serve, backend: Backend
) -> None:
    told, proceed = Recorder(), asyncio.Event()

    async def join(client: Connection) -> None:
        server = await connect(f"tcp://127.0.0.1:{backend.port}")
        await proceed.wait()
        told(client.pipe(server), server.pipe(client), client.pipe(server))

    site = serve(scheme="tcp", on_connect=join, close_timeout=30.0)
    client = site.connect()
    server = backend.accept()
    connection = site.connection
    client.reset()
    wait_until(lambda: not connection.is_open, "it is lost")
    site.call(proceed.set)
    assert told.wait() == [(False, False, False)]
    with pytest.raises(ConnectionResetError):
        server.recv(10)


def test_a_connection_piped_to_itself_is_an_echo(serve: Serve, tls: bool) -> None:
    site = serve(tls, "tcp", on_connect=lambda connection: connection.pipe(connection))
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"hello")
    assert client.receive_bytes() == b"hello"
    client.send_bytes(b"last")
    client.end_writing()
    assert client.receive_all() == b"last"
    site.wait_until_empty()


def test_two_into_one_and_another_target_later(serve: Serve) -> None:
    into: list[Connection] = []

    def join(connection: Connection) -> None:
        into.append(connection)
        if len(into) in (2, 3):
            connection.pipe(into[0])

    site = serve(scheme="text", on_connect=join)
    clients: list[RawClient] = []
    for number in range(4):
        clients.append(site.connect())
        wait_until(lambda number=number: len(into) > number, "it is there")
    clients[1].send_bytes(b"a\n")
    assert clients[0].receive_bytes() == b"a\n"
    clients[2].send_bytes(b"b\n")
    assert clients[0].receive_bytes() == b"b\n"
    site.call(into[2].pipe, into[3])
    clients[2].send_bytes(b"c\n")
    assert clients[3].receive_bytes() == b"c\n"
    clients[0].close()  # what goes to it ends, and what does not stays
    assert clients[1].receive_all() == b""
    wait_until(lambda: len(site.worker.connections) == 2, "two are left")


def test_tls_of_both_sides(serve: Serve, client_tls: ssl.SSLContext) -> None:
    behind = serve(True, "tcp", on_message=echo)
    join = joining(f"tcp+tls://localhost:{behind.port}", tls=client_tls)
    site = serve(True, "tcp", on_connect=join)
    client = site.connect()
    data = b"x" * 1_000_000
    client.send_bytes(data)
    got = b""
    while len(got) < len(data):
        got += client.receive_bytes()
    client.send_bytes(b"last")
    client.end_writing()
    assert client.receive_all() == b"last"
