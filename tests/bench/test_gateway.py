"""`make bench-gateway` as it runs in CI: briefly, and with Lineman alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sidebyside.generators import LoadFailedError
from sidebyside.rooms import ENGINE_IO, PLAIN, Dialect, Listener, numbered

BENCH = Path(__file__).parents[2] / "bench" / "compare_gateway.py"
DEADLINE = 120.0


def test_messages_and_rooms_work_with_lineman_alone() -> None:
    env = {name: value for name, value in os.environ.items() if name != "WSLOAD"}
    done = subprocess.run(
        [sys.executable, str(BENCH), "--short"],
        capture_output=True, text=True, timeout=DEADLINE, env=env, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| echo, 100 connections, 32 B " in done.stdout
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("| lineman "))
    assert int(line.split("|")[2].replace(",", "")) > 0


def framed(text: str) -> bytes:
    """A text message as a server sends it."""
    data = text.encode()
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")
    return b"\x81" + size + data


def heard(dialect: Dialect, *texts: str) -> Listener:
    """A client that is in, after it has read these."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        listener = Listener(ours, dialect, is_in=True)
        for text in texts:
            theirs.sendall(framed(text))
            listener.read()
        return listener


def test_a_message_that_comes_twice_is_noticed() -> None:
    assert heard(PLAIN, numbered(0), numbered(1)).heard == 2
    with pytest.raises(LoadFailedError, match="has it already"):
        heard(PLAIN, numbered(0), numbered(1), numbered(0))
    with pytest.raises(LoadFailedError, match="has it already"):
        heard(PLAIN, numbered(1), numbered(1))


def test_a_garbled_message_is_noticed() -> None:
    with pytest.raises(LoadFailedError):
        heard(PLAIN, numbered(0)[:-1] + "y")


def test_messages_out_of_order_are_counted() -> None:
    listener = heard(PLAIN, numbered(1), numbered(0), numbered(2))
    assert (listener.heard, listener.disordered) == (3, 1)


def test_events_of_socket_io_are_told_from_all_else() -> None:
    event = "42" + json.dumps(["said", numbered(0)])
    assert heard(ENGINE_IO, '42["other","x"]', "6", event).heard == 1
