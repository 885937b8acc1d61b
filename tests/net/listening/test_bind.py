"""Listening sockets, and why one cannot be had."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineman.base.address import parse
from lineman.errors import ConfigError
from lineman.net.listening.bind import bind, listens_at


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with bind(parse("ws://127.0.0.1:0"), 5) as made:
        yield made


def test_a_name_with_several_addresses_is_the_one_of_ipv4_and_the_others_are_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def both(host: str, port: int, *_: object) -> list[object]:  # as most machines have it
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr("lineman.net.listening.bind.socket.getaddrinfo", both)
    caplog.set_level("INFO", "lineman")
    with bind(parse("ws://localhost:0"), 5) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
    assert "localhost is 127.0.0.1, and ::1 as well, where nothing listens" in caplog.text


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1 is no address of this machine"):
        bind(parse("ws://192.0.2.1:0"), 5)


def test_a_name_that_is_not_known_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"the name no-such-host\.invalid is not known"):
        bind(parse("ws://no-such-host.invalid:0"), 5)


def test_accepted_sockets_send_at_once_and_notice_a_dead_peer(listener: socket.socket) -> None:
    assert not listener.getblocking()
    with socket.create_connection(listener.getsockname()):
        listener.settimeout(20)
        accepted, _ = listener.accept()
    with accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_sockets_that_share_a_port_share_it_with_nobody_else(listener: socket.socket) -> None:
    first = bind(parse("ws://127.0.0.1:0"), 5, reuse_port=True)
    address = parse(f"ws://127.0.0.1:{first.getsockname()[1]}")
    with first:
        bind(address, 5, reuse_port=True, is_first=False).close()
        with pytest.raises(ConfigError, match="address already in use"):
            bind(address, 5, reuse_port=True)


def test_only_a_listening_socket_of_the_very_address_is_taken(
    listener: socket.socket, tmp_path: Path
) -> None:
    port = listener.getsockname()[1]
    for address in (f"ws://127.0.0.1:{port}", "ws://127.0.0.1:0", f"wss://127.0.0.1:{port}"):
        assert listens_at(listener, parse(address))
    others = (f"ws://0.0.0.0:{port}", f"ws://127.0.0.2:{port}", f"ws://127.0.0.1:{port + 1}")
    for address in (*others, f"ws://[::1]:{port}", f"ws+unix://{tmp_path}/a"):
        assert not listens_at(listener, parse(address))
    with socket.socket() as bound, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        bound.bind(("127.0.0.1", 0))
        datagrams.bind(("127.0.0.1", 0))
        for each in (bound, datagrams):
            assert not listens_at(each, parse(f"ws://127.0.0.1:{each.getsockname()[1]}"))
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "a"))
        unix.listen()
        assert listens_at(unix, parse(f"ws+unix://{tmp_path}/a"))
        assert not listens_at(unix, parse(f"ws+unix://{tmp_path}/b"))
        assert not listens_at(unix, parse("ws://127.0.0.1:0"))


def test_a_udp_socket_is_bound_and_shares_its_port_with_nobody_else() -> None:
    with bind(parse("udp://127.0.0.1:0"), 5) as made:
        assert made.type is socket.SOCK_DGRAM
        assert not made.getblocking()
        address = parse(f"udp://127.0.0.1:{made.getsockname()[1]}")
        for reuse_port in (False, True):
            with pytest.raises(ConfigError, match="address already in use by") as caught:
                bind(address, 5, reuse_port=reuse_port)
            assert "stop it: kill " in caught.value.fix
    first = bind(address, 5, reuse_port=True)
    with first:
        bind(address, 5, reuse_port=True, is_first=False).close()
        with pytest.raises(ConfigError, match="address already in use"):
            bind(address, 5, reuse_port=True)


def test_a_udp_socket_of_the_very_address_is_taken(listener: socket.socket) -> None:
    with bind(parse("udp://127.0.0.1:0"), 5) as made:
        port = made.getsockname()[1]
        assert listens_at(made, parse(f"udp://127.0.0.1:{port}"))
        assert listens_at(made, parse("udp://127.0.0.1:0"))
        for address in (f"udp://0.0.0.0:{port}", f"tcp://127.0.0.1:{port}", "udp://[::1]:0"):
            assert not listens_at(made, parse(address))
    assert not listens_at(listener, parse(f"udp://127.0.0.1:{listener.getsockname()[1]}"))
