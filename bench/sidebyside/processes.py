"""Starts servers and load generators as child processes, each on its own core."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0


class ServerFailedError(Exception):
    """A server did not start; the message holds what it printed."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        name: the name of the server.
        port: its port on this machine.
        process: the process that was started.
        log: the file with its output.
    """

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def pids(self) -> list[int]:
        """The ids of its process and of all processes below it."""
        found = [self.pid]
        for pid in found:
            with suppress(FileNotFoundError):  # it has ended
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
                found += map(int, children.split())
        return found

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def last_words(self) -> str:
        """The end of its output, on one line."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return " ".join(text.split())[-400:] or "nothing was printed"


def free_port() -> int:
    """A port on which no process listened a moment ago."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def serving(name: str, command: list[str], core: int, is_udp: bool = False) -> Iterator[Server]:
    """A server, listening, for as long as the block lasts.

    Args:
        name: the name of the server.
        command: its program; `{port}` in it becomes the port.
        core: the core that it runs on.
        is_udp: it answers datagrams, and accepts no connections.

    Raises:
        ServerFailedError: it ended, or did not listen in time.
    """
    port = free_port()
    words = [word.format(port=port) for word in command]
    with tempfile.NamedTemporaryFile(prefix=f"bench-{name}-", suffix=".log") as log:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        server = Server(name, port, process, Path(log.name))
        try:
            _wait(server, is_udp)
            yield server
        finally:
            stop(process)


def _wait(server: Server, is_udp: bool) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if not server.is_alive:
            raise ServerFailedError(f"{server.name} ended at its start: {server.last_words()}")
        try:
            if is_udp:
                _ask(server.port)
            else:
                socket.create_connection((HOST, server.port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise ServerFailedError(f"{server.name} does not listen: {server.last_words()}")


def _ask(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1)
        asking.connect((HOST, port))
        asking.send(b"?")
        asking.recv(64)  # raises where nobody listens yet


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a process: with SIGTERM, and with SIGKILL if that has no effect."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
