"""The kernel's buffer of a UDP socket: its size, its limit, and what it had to drop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.datagrams import ServeDatagrams
from kit.waiting import DEADLINE, wait_until
from lineman.net.datagrams import receive_buffer

ALLOWED = int(Path("/proc/sys/net/core/rmem_max").read_text())


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    """A bound socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        yield found


def test_it_gets_the_size_that_was_asked_for(
    udp: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    receive_buffer.enlarge(udp, 50_000, "udp://a:1")
    assert receive_buffer.size_of(udp) == 50_000
    assert not caplog.records


def test_the_log_tells_what_the_kernel_allows_instead_and_how_to_raise_it(
    udp: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = 2 * ALLOWED
    receive_buffer.enlarge(udp, wanted, "udp://a:1")
    assert receive_buffer.size_of(udp) == ALLOWED
    assert caplog.messages == [
        f"udp://a:1: udp_receive_buffer is {wanted}, and the kernel allows {ALLOWED}; "
        f"raise its limit: sysctl -w net.core.rmem_max={wanted}"
    ]


def test_what_the_kernel_drops_is_known(udp: socket.socket) -> None:
    assert receive_buffer.drops_of(udp) == 0
    receive_buffer.enlarge(udp, 4096, "udp://a:1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for _ in range(100):
            client.sendto(bytes(1000), udp.getsockname())
    udp.setblocking(False)
    received = 0
    while True:
        try:
            udp.recv(2000)
        except BlockingIOError:
            break
        received += 1
    assert receive_buffer.drops_of(udp) == 100 - received > 50


def test_a_service_counts_it_with_the_remedy(
    serve: ServeDatagrams, caplog: pytest.LogCaptureFixture
) -> None:
    held = threading.Event()
    site = serve(on_message=lambda peer, data: held.wait(DEADLINE), udp_receive_buffer=4096)
    client = site.client()
    for _ in range(1000):
        client.send(bytes(1000))
    held.set()
    wait_until(lambda: site.hits.get("udp_receive_buffer", 0) > 900, "the drops are counted")
    assert "since the receive buffer (4096 bytes) was full" in caplog.text
    assert "give udp_receive_buffer=32768" in caplog.text
