"""A terminal of its own for a program that draws on one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kit.waiting import DEADLINE

SIZES = ("COLUMNS", "LINES")


class Screen:
    """A program on a terminal of its own.

    Args:
        command: the words of its command line.
    """

    def __init__(self, command: Sequence[str | Path]) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.output = ""
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name not in SIZES},
        )
        os.set_blocking(self.master, False)

    def wait_for(self, words: str) -> None:
        """Returns when the words appear on the terminal; forgets the output before them."""
        self._read_until(lambda: words in self.output, words)
        self.output = self.output.partition(words)[2]

    def _read_until(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not is_so():
            has_ended = self.process.poll() is not None  # and has printed everything
            try:
                self.output += os.read(self.master, 65536).decode()
            except BlockingIOError:
                is_over = has_ended or time.monotonic() >= deadline
                assert not is_over or is_so(), f"never {what!r}: {self.output[-500:]!r}"
                time.sleep(0.01)

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def ended(self) -> int:
        """The exit status, after a check that the terminal was restored."""
        self._read_until(lambda: self.process.poll() is not None, "the end")
        assert termios.tcgetattr(self.slave) == self.before
        with contextlib.suppress(BlockingIOError):
            self.output += os.read(self.master, 65536).decode()
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)
