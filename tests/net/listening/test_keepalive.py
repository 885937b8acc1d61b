"""Dead peers of protocols without pings: noticed by TCP, however they have gone."""

from __future__ import annotations

import ctypes
import socket
import time

import pytest

from kit.recorder import Recorder
from kit.site import Serve, Site, echo
from kit.waiting import wait_until
from lineman import Connection
from lineman.net.listening import keepalive
from lineman.testing.client import RawClient

SO_ATTACH_FILTER = 26  # asm-generic/socket.h


def vanish(client: RawClient) -> None:
    """Has a peer take no packet any more, as if its network were gone: not even to reset."""
    drop_all = ctypes.create_string_buffer(b"\x06\0\0\0\0\0\0\0")  # BPF's `ret 0`

    class Program(ctypes.Structure):
        _fields_ = (("size", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    program = Program(1, ctypes.addressof(drop_all))
    client.plain.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, bytes(program))


def causes(site: Site) -> dict[str, int]:
    service = site.worker.service
    assert service is not None
    return dict(service.tally.closes)


@pytest.mark.parametrize(
    ("interval", "timeout", "expected"),
    [
        (25.0, 20.0, (25, 5, 4)),
        (0.5, 0.5, (1, 1, 1)),
        (90.0, 1.0, (90, 1, 1)),
        (1e6, 1e6, (32767, 32767, 31)),
    ],
)
def test_the_probes_fit_the_interval_and_the_timeout(
    interval: float, timeout: float, expected: tuple[int, int, int]
) -> None:
    assert keepalive.times(interval, timeout) == expected


def test_a_connection_has_them_from_its_listener(serve: Serve) -> None:
    for interval, is_kept in ((10, 1), (0, 0)):
        site = serve(scheme="text", ping_interval=interval, ping_timeout=4, on_message=echo)
        client = site.connect()
        client.send_bytes(b"hi\n")
        assert client.receive_bytes() == b"hi\n"
        with socket.socket(fileno=site.connection.fd) as tcp:
            assert tcp.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == is_kept
            if is_kept:
                assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
            tcp.detach()


def site_of_a_vanished_peer(serve: Serve, told: Recorder) -> Site:
    """A site whose only client was there, and has vanished without a trace."""
    site = serve(
        scheme="tcp",
        ping_interval=1,
        ping_timeout=1,
        on_message=echo,
        on_close=lambda _, code, reason: told(code, reason),
    )
    client = site.connect()
    client.send_bytes(b"here")
    assert client.receive_bytes() == b"here"
    vanish(client)
    return site


def test_a_peer_that_has_gone_in_silence_is_noticed_by_probes(serve: Serve) -> None:
    told = Recorder()
    site = site_of_a_vanished_peer(serve, told)
    assert told.wait() == [(1006, "connection timed out")]
    assert causes(site) == {"ping_timeout": 1}


def test_a_peer_that_has_gone_while_bytes_were_under_way_is_noticed_too(serve: Serve) -> None:
    told = Recorder()
    site = site_of_a_vanished_peer(serve, told)
    site.call(site.connection.send, "a push")
    ((code, reason),) = told.wait()
    assert code == 1006
    assert reason.startswith("the peer acknowledges nothing for ")
    assert causes(site) == {"ping_timeout": 1}


def test_a_peer_that_reads_nothing_and_is_there_stays(serve: Serve) -> None:
    def flood(connection: Connection, message: bytes) -> None:
        connection.send(b"x" * 8_000_000)

    site = serve(
        scheme="tcp",
        ping_interval=1,
        ping_timeout=1,
        max_send_buffer_size=100_000_000,
        on_message=flood,
    )
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"all of it")
    wait_until(lambda: len(site.worker.connections) == 1 and site.connection.unsent > 0, "it waits")
    begun = time.monotonic()
    wait_until(lambda: time.monotonic() > begun + 4, "twice the time has passed")
    assert site.connection.is_open
