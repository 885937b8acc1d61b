"""Start a real program, wait for its ready line, and end it by its own process id."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from kit.waiting import DEADLINE

# Debian keeps servers in directories that are not in an ordinary user's path.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


# The port that was chosen last.
LAST_PORT = Path(tempfile.gettempdir()) / f"lineman-tests-last-port-{os.getuid()}"


class PortTaken(Exception):
    """Another program took the port between choosing it and listening on it; choose again."""


def find_program(name: str, package: str) -> str:
    """The path of a program; if it is missing, the test fails and is not skipped."""
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        pytest.fail(f"{name} is not installed; fix: apt-get install {package}", pytrace=False)
    return path


def free_ports(count: int) -> list[int]:
    """Free ports of 127.0.0.1, all different, which no other test gets.

    They are below the ports that the kernel uses for port 0 and for outgoing connections. Each call
    takes the next ones, in every process of every run on this machine.
    """
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = range(max(1024, end - 16_000), end)
    found: list[int] = []
    with open(LAST_PORT, "a+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        port = int(file.read() or 0)
        while len(found) < count:
            port = port + 1 if port + 1 in ports else ports.start
            if is_free(port):
                found.append(port)
        file.truncate(0)
        file.write(str(port))
    return found


def is_free(port: int) -> bool:
    """Whether no process listens on it at any address, nor did a moment ago."""
    with socket.socket() as trial:
        try:
            trial.bind(("0.0.0.0", port))
        except OSError:
            return False
        return True


class Program:
    """A child process whose output is kept, so that a test can wait for a line of it."""

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
        """Wait until `count` lines hold `words`; return them. Raise if the program ends first."""

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
        """End the program with SIGTERM, or SIGKILL if that fails; return its exit status."""
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
    """Wait until a process listens on this port of 127.0.0.1; its ready line may come too early."""
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
    """The program that `start` starts, ready; tries other ports if one was taken meanwhile.

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
