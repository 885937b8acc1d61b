"""How a command reads what the master answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lineman.errors import NotReachedError, RefusedError
from lineman.process.messages.lines import encode
from lineman.process.rundir.control_request import _read, ask
from lineman.process.rundir.rundir import control_path


def test_an_answer_is_read_though_the_request_was_not() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(b"too many wait\n")
            ours.sendall(b"a request that nobody reads\n")  # so that a reset follows
        assert _read(ours) == b"too many wait\n"


@contextmanager
def master(directory: Path, answer: bytes | None) -> Iterator[Path]:
    """A pid file, and who listens for its commands: with one answer, or None for silence."""
    pid_file = directory / "app.pid"
    over = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(control_path(pid_file)))
        listener.listen()

        def serve() -> None:
            end, _ = listener.accept()
            with end:
                end.recv(1000)
                if answer is None:
                    over.wait(20)
                else:
                    end.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield pid_file
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "words"),
    [(None, r"does not answer within 0\.1 s; fix: "), (b"", "without an answer; fix: ")],
)
def test_a_master_that_does_not_answer_is_not_reached(
    tmp_path: Path, answer: bytes | None, words: str
) -> None:
    timeout = 0.1 if answer is None else 20.0
    with (
        master(tmp_path, answer) as pid_file,
        pytest.raises(NotReachedError, match=words) as caught,
    ):
        ask(pid_file, {"command": "status"}, timeout)
    assert caught.value.fix


def test_a_master_that_refuses_says_why(tmp_path: Path) -> None:
    refusal = encode({"error": "64 commands already wait"})
    with master(tmp_path, refusal) as pid_file, pytest.raises(RefusedError) as caught:
        ask(pid_file, {"command": "status"}, 20.0)
    assert caught.value.seen == "its master refuses the command: 64 commands already wait"
