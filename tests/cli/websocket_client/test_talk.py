"""A conversation that a signal ends."""

from __future__ import annotations

import ctypes
import signal
import socket
import threading
from collections.abc import Iterator
from functools import partial
from itertools import chain
from types import SimpleNamespace
from typing import Any

import pytest

from kit.waiting import DEADLINE
from lineman.cli.shared.waking import woken_by_signals
from lineman.cli.websocket_client.talk import Conversation, Manners


class SilentWire:
    """A server that says nothing; SIGINT comes when `select` has been called and waits not yet.

    All of `fileno` is C: between two of its own instructions Python would handle the signal.
    """

    def __init__(self, fd: int) -> None:
        self.early: list[Any] = []
        raising = map(ctypes.PyDLL(None)["raise"], [signal.SIGINT])  # it returns 0
        self.fileno = partial(max, chain([fd], raising))

    def has_more(self) -> bool:
        return False


@pytest.fixture
def interruptible() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_just_before_the_waiting_begins_is_not_slept_through() -> None:
    ours, theirs = socket.socketpair()
    nothing, _keep = socket.socketpair()
    late = threading.Timer(DEADLINE, theirs.send, [b"!"])
    late.start()
    wire: Any = SilentWire(ours.fileno())
    with ours, theirs, nothing, _keep, woken_by_signals() as alarm:
        screen: Any = SimpleNamespace(fileno=nothing.fileno)
        conversation = Conversation(wire, screen, Manners(), alarm)
        with pytest.raises(KeyboardInterrupt):
            conversation.run()
        assert late.is_alive(), "it waited until something else came"
        late.cancel()
