"""The listening sockets of a program's places: opened together, kept, and closed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lineman.base.address import Address
from lineman.errors import ConfigError
from lineman.net.listening.bind import bind as bind_address
from lineman.process.master.description import Place, PlaceAddress
from lineman.process.master.listening_sockets import Sockets

HERE = PlaceAddress("ws://127.0.0.1:0", "ws", "127.0.0.1", 0)
PLACE = Place("ws://127.0.0.1:0", 0, "chat", (HERE,), 2, 100)


class Opened:
    """Sockets that are really opened, and what was asked for."""

    def __init__(self, *inherited: socket.socket) -> None:
        self.asked: list[tuple[int, bool]] = []
        self.sockets = Sockets(self._bind, inherited)

    def _bind(self, place: Place, address: PlaceAddress, is_first: bool) -> socket.socket:
        self.asked.append((address.port, is_first))
        where = Address(address.scheme, address.host, address.port, address.path)
        return bind_address(where, place.backlog, reuse_port=not address.path, is_first=is_first)

    def descriptors(self, place: Place) -> list[int]:
        """Those of every process, in the order of the addresses."""
        return [
            descriptor
            for key in place.seats()
            for descriptor in self.sockets.for_child(key, place)[0].values()
        ]


@pytest.fixture
def opened() -> Iterator[Opened]:
    made = Opened()
    yield made
    made.sockets.close_all()


def at(port: int, **changes: Any) -> Place:
    """The place at another port."""
    return replace(PLACE, addresses=(replace(HERE, port=port),), **changes)


def port_of(descriptor: int) -> int:
    with socket.socket(fileno=os.dup(descriptor)) as found:
        port: int = found.getsockname()[1]
        return port


def test_the_seats_of_a_place_share_the_port_that_the_first_one_got(opened: Opened) -> None:
    opened.sockets.open([PLACE])
    ports = {port_of(descriptor) for descriptor in opened.descriptors(PLACE)}
    assert len(ports) == 1
    assert opened.asked == [(0, True), (*ports, False)]
    opened.sockets.open([PLACE])  # nothing is missing
    assert len(opened.asked) == 2


def test_where_one_cannot_be_opened_none_is_and_those_of_before_stay(opened: Opened) -> None:
    opened.sockets.open([PLACE])
    before = opened.descriptors(PLACE)
    new = replace(PLACE, address="ws://127.0.0.1:0/new")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = at(taken.getsockname()[1], address="other")
        with pytest.raises(ConfigError, match="address already in use"):
            opened.sockets.open([PLACE, new, closed])
    assert opened.descriptors(new) == []
    assert opened.descriptors(PLACE) == before


def test_two_workers_at_one_port_are_named(opened: Opened) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    one = at(port, count=1)
    two = replace(one, address="ws://localhost", title="jobs")
    with pytest.raises(ConfigError, match="chat and jobs, which are of this program, have the sam"):
        opened.sockets.open([one, two])


def test_a_socket_of_systemd_serves_every_seat_and_one_for_nobody_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        port = given.getsockname()[1]
        place = at(port)
        opened = Opened(given)
        opened.sockets.open([place])
        assert {port_of(descriptor) for descriptor in opened.descriptors(place)} == {port}
        assert opened.asked == []
        opened.sockets.refuse_strangers([place])
        with pytest.raises(ConfigError, match=rf"a socket on 127\.0\.0\.1:{port}, where no work"):
            opened.sockets.refuse_strangers([PLACE])
        opened.sockets.close_all()


def test_a_unix_socket_whose_file_is_gone_is_told(opened: Opened, tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    file = PlaceAddress(f"ws+unix://{path}", "ws", "", 0, str(path))
    place = replace(PLACE, addresses=(file,))
    opened.sockets.open([place])
    assert len(opened.asked) == 1, "its processes share one socket, since it has one file"
    opened.sockets.check_files()
    path.unlink()
    with pytest.raises(ConfigError, match=r"app\.sock is gone, and no client can connect"):
        opened.sockets.check_files()


def test_one_process_gets_a_store_and_several_none(opened: Opened) -> None:
    single = replace(PLACE, count=1)
    (key,) = single.seats()
    listeners, store = opened.sockets.for_child(key, single)
    assert listeners == {}  # nothing was opened for it
    assert len(store) == 2
    assert opened.sockets.for_child(key, single)[1] == store
    assert opened.sockets.for_child(PLACE.seats()[0], PLACE)[1] == ()
    opened.sockets.close(key)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(store[0])


def test_two_addresses_for_which_the_kernel_chooses_have_two_sockets(opened: Opened) -> None:
    lines = PlaceAddress("text://127.0.0.1:0", "text", "127.0.0.1", 0)
    place = replace(PLACE, addresses=(HERE, lines))
    opened.sockets.open([place])
    ports = [port_of(descriptor) for descriptor in opened.descriptors(place)]
    assert len(set(ports)) == 2
    assert ports[:2] == ports[2:]  # and both seats share them


def test_what_no_process_of_a_seat_has_is_closed_and_opened_again_for_the_next(
    opened: Opened,
) -> None:
    added = replace(HERE, text="text://127.0.0.1:0", scheme="text")
    both = replace(PLACE, addresses=(HERE, added))
    opened.sockets.open([both])
    first, second = both.seats()
    opened.sockets.keep({first: {HERE.where}})
    before = len(opened.asked)
    opened.sockets.complete(second, both)
    assert len(opened.asked) == before  # it has all of them
    opened.sockets.complete(first, both)
    assert len(opened.asked) == before + 1
    ports = {port_of(descriptor) for descriptor in opened.descriptors(both)}
    assert len(ports) == 2  # it is the port that the other seat has
