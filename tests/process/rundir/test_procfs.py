"""The kernel's data about real processes and sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lineman.process.rundir.procfs import children_of, pid_file_of, unix_sockets, user_of


@pytest.fixture
def ended() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as process:
        process.wait()
        return process.pid


def test_of_a_process_that_has_ended_nothing_is_told(ended: int) -> None:
    assert user_of(ended) is None
    assert children_of(ended) == []
    assert pid_file_of(ended) is None


def test_a_process_has_its_user_and_its_children() -> None:
    words = [sys.executable, "-S", "-c", "input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert user_of(child.pid) == os.geteuid()
        assert child.pid in children_of(os.getpid())


@pytest.mark.parametrize("suffix", [".pid", ""])
def test_the_pid_file_stands_beside_the_control_socket_and_holds_its_number(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / "chat.sock"
    beside = tmp_path / f"chat{suffix}"
    with socket.socket(socket.AF_UNIX) as control:
        control.bind(str(path))
        assert str(path) in [each for _, each in unix_sockets()]
        assert pid_file_of(os.getpid()) is None
        beside.write_text("1\n")
        assert pid_file_of(os.getpid()) is None, "it is another master's"
        beside.write_text(f"{os.getpid()}\n")
        assert pid_file_of(os.getpid()) == str(beside)


def test_a_pipe_in_the_place_of_a_pid_file_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "chat.pid")
    with socket.socket(socket.AF_UNIX) as control:
        control.bind(str(tmp_path / "chat.sock"))
        assert pid_file_of(os.getpid()) is None
