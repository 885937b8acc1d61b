"""A handler for the tests of the poller."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from typing import ClassVar

from lineman.net.loop.poller import READ, Handler, Poller


class Noting(Handler):
    """Records its events, and acts as the test demands."""

    peers: ClassVar[list[socket.socket]] = []

    def __init__(self, poller: Poller, act: Callable[[int], None] = lambda events: None) -> None:
        ours, self.peer = socket.socketpair()
        Noting.peers.append(self.peer)
        ours.setblocking(False)
        self.fd = ours.detach()
        self.poller = poller
        self.act = act
        self.on_flush: Callable[[], None] = lambda: None
        self.events: list[int] = []
        self.turns = 0
        self.faults = 0
        self.flushes = 0
        poller.add(self.fd, self)

    def on_events(self, events: int) -> None:
        self.events.append(events)
        if events & READ:
            os.read(self.fd, 1000)
        self.act(events)

    def on_turn(self) -> None:
        self.turns += 1
        self.act(0)

    def on_fault(self) -> None:
        self.faults += 1
        self.close()

    def flush(self) -> None:
        self.flushes += 1
        self.on_flush()

    def close(self) -> None:
        self.poller.close_descriptor(self.fd)


def is_open(fd: int) -> bool:
    with contextlib.suppress(OSError):
        os.fstat(fd)
        return True
    return False
