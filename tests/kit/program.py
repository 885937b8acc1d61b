"""Start a real program, wait for the line that says it is ready, end it by its own process id."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from kit.waiting import DEADLINE

# Debian keeps servers where a user who is not root does not look.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


class PortTaken(Exception):
    """Another program took the port between choosing it and listening on it; choose again."""


def find_program(name: str, package: str) -> str:
    """The path of a program; a test that needs one which is missing fails, it is not skipped."""
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        pytest.fail(f"{name} is not installed; fix: apt-get install {package}", pytrace=False)
    return path


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nobody listened a moment ago, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Program:
    """A child process whose output is kept, and can be waited for line by line."""

    alive: ClassVar[list[Program]] = []

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        Program.alive.append(self)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                with self._changed:
                    self._lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def output(self) -> str:
        """All that the program has printed so far, standard output and standard error."""
        return "\n".join(self._lines)

    def wait_for_line(self, words: str, *, count: int = 1, timeout: float = DEADLINE) -> list[str]:
        """Wait until `count` lines hold `words`; those lines. A program that ended first raises."""

        def found() -> list[str]:
            return [line for line in self._lines if words in line]

        with self._changed:
            self._changed.wait_for(lambda: len(found()) >= count or self._ended, timeout)
            if len(found()) >= count:
                return found()
        if "already in use" in self.output:
            raise PortTaken(self.output)
        what = "ended without printing" if self._ended else f"printed for {timeout} s no"
        raise AssertionError(f"{self.name} {what} {words!r}; its output:\n{self.output}")

    def signal(self, number: int) -> None:
        """Send a signal to this process, and to no other."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """End the program with SIGTERM, with SIGKILL where it does not heed it; its exit status."""
        self.process.terminate()
        try:
            status = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self._reader.join(DEADLINE)
        if self in Program.alive:
            Program.alive.remove(self)
        return status


def wait_for_port(port: int) -> None:
    """Wait until somebody listens on this port of 127.0.0.1; a program may say so too early."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), DEADLINE).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, f"nobody listens on port {port}"
            time.sleep(0.01)
        else:
            return


@contextmanager
def started(start: Callable[[], tuple[Program, str]]) -> Iterator[Program]:
    """The program that `start` starts, ready: with other ports when somebody took the first.

    Args:
        start: chooses ports, starts the program, and returns it with the words of its ready line.
    """
    for attempt in range(5):
        program, ready = start()
        try:
            program.wait_for_line(ready)
        except PortTaken:
            program.stop()
            if attempt == 4:
                raise
        except BaseException:
            program.stop()
            raise
        else:
            break
    try:
        yield program
    finally:
        program.stop()
