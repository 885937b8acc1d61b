"""The sockets that a process leaves for the next one, and invalid contents of the store."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.descriptors import descriptors, wait_until_none_is_left
from lineman.process.child import socket_store as store
from lineman.process.child.socket_store import MAX_SOCKETS, Label, Note, SocketStore

FIRST, SECOND = Label("ws://127.0.0.1:1"), Label("ws+unix:///run/app.sock", (7, 8))


class Seat:
    """The store as a master keeps it, and as the processes of the seat have it."""

    def __init__(self) -> None:
        self.ends = store.pair()
        self.stores: list[SocketStore] = []

    def process(self) -> SocketStore:
        self.stores.append(SocketStore([os.dup(end.fileno()) for end in self.ends]))
        return self.stores[-1]

    def send(self, data: bytes, *descriptors: int) -> None:
        """Puts anything into it, as a process under an attacker's control can."""
        rights = array("i", descriptors)
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else []
        self.ends[0].sendmsg([data], control, socket.MSG_DONTWAIT)

    def fill(self) -> None:
        try:
            while True:
                self.send(b"garbage")
        except BlockingIOError:
            pass

    def close(self) -> None:
        for each in self.stores:
            each._in.close()
            each._out.close()
        for end in self.ends:
            end.close()


@pytest.fixture
def seat() -> Iterator[Seat]:
    made = Seat()
    yield made
    made.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        yield made


def is_open(where: tuple[str, int]) -> bool:
    with socket.socket() as end:
        return end.connect_ex(where) == 0


def test_what_was_left_can_be_copied_again_and_again(seat: Seat, listener: socket.socket) -> None:
    seat.process().put([(FIRST, listener.fileno()), (SECOND, listener.fileno())])
    for _ in range(3):
        copied = seat.process().copy()
        assert [label for label, _ in copied] == [FIRST, SECOND]
        for _, each in copied:
            assert each.getsockname() == listener.getsockname()
            assert not each.get_inheritable()
            each.close()
    assert seat.process().note() == Note(os.getpid(), 0, (FIRST, SECOND))


def test_a_socket_stays_open_while_it_is_there_and_no_longer(
    seat: Seat, listener: socket.socket
) -> None:
    where = listener.getsockname()
    own = seat.process()
    own.put([(FIRST, listener.fileno())])
    listener.close()
    assert is_open(where)
    own.put([])
    assert not is_open(where)
    assert own.note() == Note(os.getpid(), 1, ())
    assert own.copy() == []


def test_what_a_process_leaves_takes_the_place_of_what_was_there(
    seat: Seat, listener: socket.socket
) -> None:
    first, second = seat.process(), seat.process()
    first.put([(FIRST, listener.fileno())])
    second.put([(SECOND, listener.fileno())])
    for each in (first, second):
        note = each.note()
        assert note is not None
        assert note.labels == (SECOND,)
    second.clear()
    assert second.note() is None, "nothing waits behind it"


def test_an_empty_store_has_nothing(seat: Seat) -> None:
    assert seat.process().note() is None
    assert seat.process().copy() == []


def note(*labels: object, **more: object) -> bytes:
    return json.dumps({"owner": 1, "count": 0, "labels": labels, **more}).encode()


LABEL = {"address": "ws://127.0.0.1:1"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b'{"x":' + b"[" * 60_000,
        note(),
        note(LABEL, LABEL),
        note("ws://127.0.0.1:1"),
        note({"address": 1}),
        note(LABEL, owner="root"),
        note({**LABEL, "file": [1]}),
    ],
)
def test_garbage_is_left_alone_and_closed_and_gives_way(
    seat: Seat, listener: socket.socket, data: bytes
) -> None:
    seat.send(data, listener.fileno())
    own = seat.process()
    before = descriptors()
    assert own.copy() == []
    wait_until_none_is_left(before)
    own.put([(FIRST, listener.fileno())])
    ((label, copied),) = own.copy()
    copied.close()
    assert label == FIRST


def test_what_is_no_socket_is_closed(seat: Seat, listener: socket.socket, tmp_path: Path) -> None:
    own = seat.process()
    before = descriptors()
    file = os.open(tmp_path, os.O_RDONLY)
    seat.send(note(LABEL, LABEL), file, listener.fileno())
    os.close(file)
    ((label, copied),) = own.copy()
    assert label == FIRST
    assert copied.getsockname() == listener.getsockname()
    copied.close()
    wait_until_none_is_left(before)


def test_a_store_that_garbage_fills_is_emptied(seat: Seat, listener: socket.socket) -> None:
    seat.fill()
    own = seat.process()
    assert own.note() is None
    own.put([(FIRST, listener.fileno())])
    ((_, copied),) = own.copy()
    copied.close()


def test_a_store_whose_ends_were_shut_down_ends_no_process(
    seat: Seat, listener: socket.socket
) -> None:
    for end in seat.ends:
        end.shutdown(socket.SHUT_RDWR)
    own = seat.process()
    assert own.copy() == []
    assert own.note() is None
    with pytest.raises(OSError, match="pipe"):
        own.put([(FIRST, listener.fileno())])


def test_as_many_sockets_as_are_allowed_fit(seat: Seat, listener: socket.socket) -> None:
    own = seat.process()
    own.put([(Label(f"ws://127.0.0.1:{n}"), listener.fileno()) for n in range(MAX_SOCKETS)])
    copied = own.copy()
    assert len(copied) == MAX_SOCKETS
    for _, each in copied:
        each.close()


def test_without_descriptors_nothing_is_copied_and_nothing_lost(
    seat: Seat, listener: socket.socket
) -> None:
    seat.process().put([(FIRST, listener.fileno())] * 20)
    program = (
        "import os, resource, sys; from lineman.process.child.socket_store import SocketStore\n"
        "import msgspec\n"
        "store = SocketStore([int(word) for word in sys.argv[1:]])\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n"
        "before = len(os.listdir('/proc/self/fd'))\n"
        "print(store.copy(), len(os.listdir('/proc/self/fd')) - before)"
    )
    ends = seat.process().descriptors()
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, ends)],
        pass_fds=ends, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "[] 0\n", done.stderr
    copied = seat.process().copy()
    assert len(copied) == 20
    for _, each in copied:
        each.close()
