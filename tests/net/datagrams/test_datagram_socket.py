"""A UDP socket in the poller: every datagram arrives once, and a flood is not everybody's wait."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import threading

import pytest

from kit.datagrams import ServeDatagrams, UdpClient
from kit.recorder import Recorder
from kit.waiting import DEADLINE, wait_until
from lineman import DatagramPeer, Worker
from lineman.net.connection.endpoint import Endpoint
from lineman.net.datagrams import datagram_socket
from lineman.net.datagrams.datagram_socket import BATCH
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving

LARGEST = 65_507


def echo(peer: DatagramPeer, data: bytes) -> None:
    peer.send(data)


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 1400, bytes(range(256)) * 255], ids=len)
def test_a_datagram_arrives_whole_and_is_answered(serve: ServeDatagrams, data: bytes) -> None:
    assert serve(on_message=echo).client().ask(data) == data


def test_the_largest_datagram_arrives_and_is_answered(serve: ServeDatagrams) -> None:
    data = bytes(LARGEST)
    assert serve(on_message=echo).client().ask(data) == data


def test_it_speaks_ipv6(serve: ServeDatagrams) -> None:
    seen = Recorder()
    site = serve("[::1]", on_message=lambda peer, data: (seen(peer.peer_address), peer.send(data)))
    client = site.client("::1")
    assert client.ask(b"six") == b"six"
    assert seen.wait() == [f"[::1]:{client.name[1]}"]


def test_an_ipv6_socket_takes_ipv4_as_well(serve: ServeDatagrams) -> None:
    site = serve("[::]", on_message=lambda peer, data: peer.send(f"{peer.remote_ip:60}"))
    site.worker.on_message = lambda peer, data: peer.send(peer.remote_ip)
    assert site.client().ask(b"x" * 60) == b"::ffff:127.0.0.1"


@pytest.mark.parametrize(("host", "asked"), [("0.0.0.0", "127.0.0.7"), ("[::]", "127.0.0.7")])
def test_the_answer_comes_from_the_address_that_was_asked(
    serve: ServeDatagrams, host: str, asked: str
) -> None:
    seen = Recorder()
    site = serve(host, on_message=lambda peer, data: (seen(peer.local_address), peer.send(data)))
    # A connected socket gets what comes from this address only.
    assert site.client(asked).ask(b"who") == b"who"
    assert seen.wait()[0].strip("[").startswith((asked, f"::ffff:{asked}"))


def test_datagrams_of_one_sender_come_in_order_and_none_twice(serve: ServeDatagrams) -> None:
    seen = Recorder()
    client = serve(on_message=lambda peer, data: seen(data)).client()
    count = 5 * BATCH + 3
    for number in range(count):
        client.send(b"%d" % number)
    assert seen.wait(count) == [b"%d" % number for number in range(count)]


def test_a_worker_without_a_callback_counts_what_comes(serve: ServeDatagrams) -> None:
    site = serve()
    site.client().send(b"12345")
    tally = site.service.tally
    wait_until(lambda: site.call(lambda: tally.messages_read) == 1, "it is counted")
    assert site.call(lambda: tally.bytes_read) == 5


def test_a_callback_that_raises_costs_one_datagram(
    serve: ServeDatagrams, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(peer: DatagramPeer, data: bytes) -> None:
        if data == b"exit":
            raise SystemExit(1)
        peer.send(b"%d" % (1 // len(data)))

    site = serve(on_message=answer)
    client = site.client()
    client.send(b"")
    client.send(b"exit")
    assert client.ask(b"x") == b"1"
    assert site.call(lambda: site.service.exceptions) == 2
    assert f"udp://127.0.0.1:{site.port}: on_message raised" in caplog.text


def test_a_datagram_that_is_too_long_is_dropped_and_counted(
    serve: ServeDatagrams, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(on_message=echo, max_message_size=10)
    client = site.client()
    client.send(bytes(11))
    assert client.ask(bytes(10)) == bytes(10)
    assert site.call(lambda: site.service.messages_dropped) == 1
    told = f"127.0.0.1:{client.name[1]}: a datagram was dropped: more than 10 bytes"
    assert told in caplog.text


def test_a_datagram_of_a_sender_that_takes_no_answer_arrives_and_costs_nothing(
    serve: ServeDatagrams, caplog: pytest.LogCaptureFixture
) -> None:
    """Its source port is 0, which only a raw socket can send (RFC 768)."""
    seen = Recorder()
    site = serve(
        on_message=lambda peer, data: seen((peer.remote_ip, peer.remote_port, peer.send(data)))
    )
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.sendto(struct.pack("!4H", 0, site.port, 8 + 1, 0) + b"x", ("127.0.0.1", 0))
    assert seen.wait() == [("127.0.0.1", 0, False)]
    assert "port 0 means that the sender takes no answer" in caplog.text
    assert site.client().ask(b"y") == b"y"


# The turn.


def test_a_flood_of_one_sender_does_not_delay_other_sockets() -> None:
    """Both have the same poller: datagrams past a share of the turn come behind what is ready."""
    counted, at_echo = [0], [-1]
    may_go_on, has_begun = threading.Event(), threading.Event()
    stream = Worker("tcp://127.0.0.1:0")

    @stream.on_message
    def reply(connection: object, data: bytes) -> None:
        at_echo[0] = counted[0]
        connection.send(data)  # type: ignore[attr-defined]

    with Serving(stream) as site:
        service = stream.service
        assert service is not None
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_000_000)
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)

        def count(peer: object, data: bytes) -> None:
            if isinstance(peer, DatagramPeer):
                has_begun.set()
                assert may_go_on.wait(DEADLINE)
                counted[0] += 1
            else:
                reply(peer, data)

        stream.callbacks.on_message = count
        flooder = UdpClient(udp.getsockname()[1])
        room = udp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 1024
        for _ in range(room):
            flooder.send(b"x")
        client = RawClient(site.port)
        client.send_bytes(b"hello?")
        assert client.receive_bytes() == b"hello?"
        site.call(service.listen, udp, Endpoint())
        assert has_begun.wait(DEADLINE)
        client.send_bytes(b"still there?")
        may_go_on.set()
        assert client.receive_bytes() == b"still there?"
        # Those of the turn that was held up, and of one more: a share has 256 steps at most.
        assert at_echo[0] <= 2 * 256
        flooder.close()
        client.close()


# Errors of the socket.


def test_an_error_of_the_socket_is_logged_and_the_next_datagram_arrives(
    serve: ServeDatagrams, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if datagram_socket.__file__.endswith(".so"):
        return  # the compiled way calls the kernel by itself, which does not fail on demand
    site = serve(on_message=echo)
    calls = datagram_socket.datagram_calls
    receive, failed = calls.receive, []

    def fail_once(*args: int) -> int:
        if failed:
            return receive(*args)  # type: ignore[arg-type]
        failed.append(True)
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(calls, "receive", fail_once)
    assert site.client().ask(b"x") == b"x"
    assert "Cannot allocate memory" in caplog.text


# The end.


def test_what_waits_is_served_at_a_stop(serve: ServeDatagrams) -> None:
    seen, held, begun = Recorder(), threading.Event(), threading.Event()

    def hold(peer: DatagramPeer, data: bytes) -> None:
        begun.set()
        held.wait(DEADLINE)
        seen(data)

    site = serve(on_message=hold)
    client = site.client()
    client.send(b"0")
    assert begun.wait(DEADLINE)
    for number in range(1, 3 * BATCH):
        client.send(b"%d" % number)
    stopping = threading.Thread(target=site.stop)
    stopping.start()
    held.set()
    stopping.join(DEADLINE)
    assert seen.calls == [b"%d" % number for number in range(3 * BATCH)]


def test_a_drain_serves_what_was_read_and_leaves_the_rest_in_the_socket() -> None:
    """The next process has the same socket: nothing is lost, and nothing is handled twice."""
    seen = Recorder()

    async def main() -> None:
        worker = Worker("udp://127.0.0.1:0")
        worker.on_message = lambda peer, data: seen(data)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        next_process = udp.dup()
        client = UdpClient(udp.getsockname()[1])
        for number in range(100):
            client.send(b"%d" % number)
        await worker.start(udp)
        await worker.stop(1.0, drain=0.0)
        left = []
        with next_process:
            while True:
                try:
                    left.append(next_process.recv(100))
                except BlockingIOError:
                    break
        client.close()
        assert [*seen.calls, *left] == [b"%d" % number for number in range(100)]
        assert left

    asyncio.run(main())


def test_a_stop_closes_the_socket(serve: ServeDatagrams) -> None:
    site = serve(on_message=echo)
    port = site.port
    site.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", port))


def test_a_callback_may_end_the_service_s_reading(serve: ServeDatagrams) -> None:
    seen = Recorder()

    def end(peer: DatagramPeer, data: bytes) -> None:
        seen(data)
        service = peer.worker.service
        assert service is not None
        service.stop_accepting()
        seen(peer.send(b"last"))

    site = serve(on_message=end)
    client = site.client()
    for data in (b"one", b"two"):
        client.send(data)
    assert seen.wait(2)[0] == b"one"
    site.stop()
    assert set(seen.calls) <= {b"one", b"two", True, False}
