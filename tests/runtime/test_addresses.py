"""One worker at several addresses: each speaks its own protocol, and all else is shared."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from kit.waiting import wait_until
from lineman import ConfigError, UsageError, Worker
from lineman.testing.certificates import IssuedPair
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving

WS, TEXT, TCP, FRAME = (f"{scheme}://127.0.0.1:0" for scheme in ("ws", "text", "tcp", "frame"))


UDP = "udp://127.0.0.1:0"


def echo(worker: Worker) -> Worker:
    worker.on_message = lambda connection, message: connection.send(message)
    return worker


def ports_of(worker: Worker) -> list[int]:
    return [int(url.rpartition(":")[2]) for url in worker.urls]


def say(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(data)
        return client.recv(100)


def test_each_address_speaks_its_own_protocol(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with Serving(echo(Worker([WS, TEXT, FRAME, f"tcp+unix://{path}"]))) as serving:
        ws, text, frame = (int(url.rpartition(":")[2]) for url in serving.worker.urls[:3])
        assert serving.worker.urls[3] == f"tcp+unix://{path}"
        assert (serving.worker.port, serving.worker.url) == (ws, f"ws://127.0.0.1:{ws}")
        with RawClient(ws) as client:
            client.open().send("hello")
            assert client.receive() == "hello"
        assert say(text, b"hello\n") == b"hello\n"
        assert say(frame, b"\0\0\0\x09hello") == b"\0\0\0\x09hello"
        with socket.socket(socket.AF_UNIX) as client_of_file:
            client_of_file.settimeout(10)
            client_of_file.connect(str(path))
            client_of_file.sendall(b"any\0thing")
            assert client_of_file.recv(100) == b"any\0thing"
    assert not path.exists()


def test_one_address_speaks_tls_and_another_does_not(
    certificate: IssuedPair, client_tls: ssl.SSLContext
) -> None:
    files = {"cert": certificate.cert, "key": certificate.key}
    with Serving(echo(Worker(["wss://127.0.0.1:0", TEXT], **files))) as serving:
        wss, text = ports_of(serving.worker)
        with RawClient(wss, tls=client_tls) as client:
            client.open().send("hello")
            assert client.receive() == "hello"
        assert say(text, b"plain\n") == b"plain\n"


def test_a_client_is_known_by_the_address_that_it_has_come_to() -> None:
    seen: list[Any] = []
    worker = Worker([WS, TEXT])
    worker.on_connect = lambda connection: seen.append(
        (connection.listen_address, connection.local_address)
    )
    with Serving(worker) as serving:
        ws, text = ports_of(serving.worker)
        with RawClient(ws) as client, socket.create_connection(("127.0.0.1", text)):
            client.open()
            wait_until(lambda: len(seen) == 2, "both are there")
    assert sorted(seen) == [(TEXT, f"127.0.0.1:{text}"), (WS, f"127.0.0.1:{ws}")]


def test_connections_and_a_broadcast_are_of_the_whole_worker() -> None:
    with Serving(Worker([WS, TEXT])) as serving:
        ws, text = ports_of(serving.worker)
        with RawClient(ws) as browser, socket.create_connection(("127.0.0.1", text)) as device:
            device.settimeout(10)
            browser.open()
            wait_until(lambda: len(serving.worker.connections) == 2, "both are open")
            assert serving.call(serving.worker.broadcast, "news") == 2
            assert browser.receive() == "news"
            assert device.recv(100) == b"news\n"


def test_max_connections_counts_those_of_all_addresses() -> None:
    with Serving(Worker([WS, TEXT, TCP], max_connections=2)) as serving:
        ws, text, tcp = ports_of(serving.worker)
        with RawClient(ws) as browser, socket.create_connection(("127.0.0.1", text)):
            browser.open()
            wait_until(lambda: len(serving.worker.connections) == 2, "both are open")
            with socket.create_connection(("127.0.0.1", tcp), timeout=10) as third:
                assert third.recv(100) == b""
            with RawClient(ws) as fourth:
                assert fourth.handshake().status == 503
            assert len(serving.worker.connections) == 2


def test_a_client_counts_at_all_addresses_together() -> None:
    worker = Worker([WS, TEXT], connections_per_ip=2, proxy_protocol="required")
    worker.trusted_proxies = ["127.0.0.1/32"]
    told = b"PROXY TCP4 192.0.2.1 192.0.2.9 40000 80\r\n"
    with Serving(worker) as serving:
        ws, text = ports_of(serving.worker)
        with RawClient(ws, preamble=told) as one, RawClient(text, preamble=told) as two:
            one.open()
            wait_until(lambda: len(serving.worker.connections) == 2, "both are open")
            with RawClient(text, preamble=told) as three, RawClient(ws, preamble=told) as four:
                assert three.receive_all() == b""
                assert four.handshake().status == 429
            two.send_bytes(b"still here\n")
            wait_until(lambda: worker.connections[2].messages_read == 1, "it has come")


def test_where_one_address_is_taken_nothing_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as free:
            before = free.getsockname()[1]
        several = [f"tcp+unix://{path}", f"text://127.0.0.1:{before}", f"ws://127.0.0.1:{port}"]
        worker = Worker(several)
        with pytest.raises(ConfigError, match=f"cannot listen on ws://127.0.0.1:{port}: address"):
            Serving(worker).__enter__()
    assert not path.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", before), timeout=10)
    with Serving(echo(worker)) as serving:  # and the worker can be started once it is free
        assert serving.worker.urls == several


def test_sockets_that_are_given_are_one_for_each_address() -> None:
    worker = echo(Worker([WS, TEXT]))
    pair = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    for each in pair:
        each.setblocking(False)
    with Serving(Worker()) as serving:
        with pytest.raises(UsageError, match=r"has 2 addresses, and start\(\) got 1 sockets"):
            serving.run(worker.start(pair[0]))
        serving.run(worker.start(pair))
        assert ports_of(worker) == [each.getsockname()[1] for each in pair]
        assert say(ports_of(worker)[1], b"hello\n") == b"hello\n"
        serving.run(worker.stop())


def test_the_addresses_of_a_worker_are_fixed_while_it_runs() -> None:
    worker = Worker([WS, TEXT])
    with Serving(worker), pytest.raises(UsageError, match=f"address of <Worker {WS}> is read bef"):
        worker.address = [WS]
    worker.address = [WS]


def test_datagrams_may_come_beside_connections() -> None:
    worker = Worker([WS, UDP, TEXT])
    seen: list[str] = []
    worker.on_message = lambda connection, message: (
        seen.append(connection.listen_address),
        connection.send(message),
    )
    with Serving(worker) as serving:
        ws, udp, text = ports_of(serving.worker)
        with RawClient(ws) as client:
            client.open().send("hello")
            assert client.receive() == "hello"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.settimeout(10)
            sender.sendto(b"datagram", ("127.0.0.1", udp))
            assert sender.recv(100) == b"datagram"
        assert say(text, b"hello\n") == b"hello\n"
    assert seen == [WS, UDP, TEXT]


def test_a_broadcast_reaches_all_whose_protocol_can_carry_it() -> None:
    with Serving(Worker([WS, TEXT])) as serving:
        ws, text = ports_of(serving.worker)
        with RawClient(ws) as browser, socket.create_connection(("127.0.0.1", text)) as device:
            device.settimeout(10)
            browser.open()
            wait_until(lambda: len(serving.worker.connections) == 2, "both are open")
            assert serving.call(serving.worker.broadcast, "two\nlines") == 1
            assert browser.receive() == "two\nlines"
            assert serving.call(serving.worker.broadcast, "one line") == 2
            assert device.recv(100) == b"one line\n"
