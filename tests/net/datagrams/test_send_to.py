"""Datagrams of the program's own accord."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from kit.datagrams import DatagramSite, ServeDatagrams, UdpClient
from kit.waiting import DEADLINE
from lineman import UsageError, Worker
from lineman.testing.serving import Serving


def test_it_sends_to_any_address_more_than_was_ever_asked(serve: ServeDatagrams) -> None:
    site = serve()
    client = site.client()
    assert site.send_to(client.name, "hello")
    assert client.recv(100) == b"hello"
    assert site.send_to(list(client.name), bytes(65_507))
    assert client.recv(65536) == bytes(65_507)
    tally = site.service.tally
    assert site.call(lambda: (tally.messages_written, tally.bytes_written)) == (2, 65_512)


@pytest.mark.parametrize(("listens", "to"), [("[::1]", "::1"), ("[::]", "127.0.0.1")])
def test_it_sends_by_ipv6_and_by_it_to_ipv4(serve: ServeDatagrams, listens: str, to: str) -> None:
    site = serve(listens)
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(DEADLINE)
        client.bind((to, 0))
        assert site.send_to((to, client.getsockname()[1]), b"six")
        assert client.recv(100) == b"six"


def test_of_several_addresses_it_takes_the_socket_of_the_family_and_all_are_answered() -> None:
    worker = Worker(["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "udp://[::1]:0"])
    worker.on_message = lambda peer, data: peer.send(data)
    with DatagramSite(worker) as site:
        tcp, four, six = (int(url.rpartition(":")[2]) for url in worker.urls)
        with UdpClient(four) as client, UdpClient(six, "::1") as other:
            assert (client.ask(b"4"), other.ask(b"6")) == (b"4", b"6")
            for each in (client, other):
                assert site.send_to(each.name, b"both")
                assert each.recv(10) == b"both"
        with socket.create_connection(("127.0.0.1", tcp)) as stream:
            stream.settimeout(DEADLINE)
            stream.sendall(b"stream")
            assert stream.recv(10) == b"stream"


@pytest.mark.parametrize(
    "address",
    [
        ("localhost", 5), ("192.0.2.1", 0), ("192.0.2.1", 65536), ("192.0.2.1", "5"), ("", 5),
        ("192.0.2.1", True), ("fe80::1%nowhere", 5),
        ("fe80::1%4294967296", 5), "192.0.2.1:5", None, ("192.0.2.1",), (1, 2),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_the_right_form(
    serve: ServeDatagrams, address: Any
) -> None:
    site = serve()
    with pytest.raises(UsageError, match=r"192\.0\.2\.1|getaddrinfo"):
        site.send_to(address, b"x")


def test_an_ipv6_address_needs_an_ipv6_socket(serve: ServeDatagrams) -> None:
    site = serve()
    with pytest.raises(UsageError, match=r"listen at one as well: udp://\[::\]:9000"):
        site.send_to(("2001:db8::1", 5), b"x")


def test_it_needs_a_worker_that_runs_and_has_a_udp_address() -> None:
    with pytest.raises(UsageError, match="the worker does not run"):
        Worker("udp://127.0.0.1:0").send_to(("192.0.2.1", 5), b"x")
    stream = Serving(Worker("tcp://127.0.0.1:0"))
    with stream, pytest.raises(UsageError, match="it listens on none"):
        stream.call(stream.worker.send_to, ("192.0.2.1", 5), b"x")


@pytest.mark.parametrize("wrong", [5, None, bytes(65_508)], ids=["int", "None", "too long"])
def test_what_no_datagram_can_be_is_refused(serve: ServeDatagrams, wrong: Any) -> None:
    site = serve()
    with pytest.raises(UsageError):
        site.send_to(("127.0.0.1", 5), wrong)


def test_a_broadcast_address_is_sent_to_and_answers_never_go_there(serve: ServeDatagrams) -> None:
    """On the loopback's own network, which is 127.0.0.0/8."""
    site = serve("0.0.0.0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.settimeout(DEADLINE)
        listener.bind(("127.255.255.255", 0))
        assert site.send_to(("127.255.255.255", listener.getsockname()[1]), b"all")
        assert listener.recv(100) == b"all"


def test_what_the_kernel_refuses_is_counted_and_logged(
    serve: ServeDatagrams, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve()  # bound to 127.0.0.1: it reaches nobody else
    assert not site.send_to(("192.0.2.1", 5), b"x")
    assert site.call(lambda: site.service.send_failures) == 1
    assert "192.0.2.1:5: a datagram of 1 bytes was not sent: Invalid argument" in caplog.text
