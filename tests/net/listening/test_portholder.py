"""Finds the process that listens on a port."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lineman.net.listening import portholder
from lineman.net.listening.portholder import PortHolder


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_of_ours_is_found(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]
        name = Path("/proc/self/comm").read_text().strip()
        assert portholder.find(port) == PortHolder(os.getpid(), name)
    found = portholder.find(port)
    assert found is None or found.pid != os.getpid()  # somebody else may have it by now


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_udp_port_is_another_one_than_that_of_a_stream(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.bind((host, 0))
        port = udp.getsockname()[1]
        holder = PortHolder(os.getpid(), Path("/proc/self/comm").read_text().strip())
        assert portholder.find(port, transport="udp") == holder
        assert portholder.holders(port, "udp") == [holder]
        assert holder not in portholder.holders(port)


def test_a_port_that_is_connected_only_has_no_holder() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    with server, socket.create_connection(server.getsockname()) as client:
        assert portholder.find(client.getsockname()[1]) is None


def test_what_cannot_be_seen_has_no_holder(tmp_path: Path) -> None:
    assert portholder.find(80, tmp_path) is None
    (tmp_path / "net").mkdir()
    line = "0: 00000000:0050 00000000:0000 0A 0:0 0:0 0 0 0 4711 1 0 100 0 0 10 0\n"
    (tmp_path / "net" / "tcp").write_text("head\n" + line)
    (tmp_path / "12").mkdir()  # its descriptors are hidden
    assert portholder.find(80, tmp_path) is None
