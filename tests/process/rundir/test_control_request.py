"""How a command reads what the master answers."""

from __future__ import annotations

import socket

from lineman.process.rundir.control_request import _read


def test_an_answer_is_read_though_the_request_was_not() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(b"too many wait\n")
            ours.sendall(b"a request that nobody reads\n")  # so that a reset follows
        assert _read(ours) == b"too many wait\n"
