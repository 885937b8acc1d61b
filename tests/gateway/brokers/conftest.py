from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.support.program import PortTaken, Program, find_program, free_ports


class Server:
    """A broker's server that a test may stop and start again at the same address."""

    def __init__(self, name: str, words: Callable[[int], list[str]], is_ready: str) -> None:
        self._name = name
        self._path = find_program(name, name)
        self._words = words
        self._is_ready = is_ready
        self._program: Program | None = None
        self.port = 0

    def start(self) -> None:
        for attempt in range(5):
            port = self.port or free_ports(1)[0]
            self._program = Program(self._name, [self._path, *self._words(port)])
            try:
                self._program.wait_for_line(self._is_ready)
            except PortTaken:
                self.stop()
                if self.port or attempt == 4:
                    raise
            else:
                self.port = port
                return

    def stop(self) -> None:
        if self._program is not None:
            self._program.stop()
            self._program = None


def redis_server(directory: Path, *more: str) -> Server:
    def words(port: int) -> list[str]:
        here = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
        return [*here, "--save", "", *more]

    return Server("redis-server", words, "Ready to accept connections")


def nats_server(*more: str) -> Server:
    return Server(
        "nats-server", lambda port: ["-a", "127.0.0.1", "-p", str(port), *more], "Server is ready"
    )


@contextmanager
def running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.stop()
