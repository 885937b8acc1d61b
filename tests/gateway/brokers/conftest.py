from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.support.program import DEADLINE, PortTaken, Program, find_program, free_ports


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


class RedisClusterServer:
    """Three primaries and a replica of the first, which know each other from the beginning."""

    def __init__(self, directory: Path, *more: str) -> None:
        self._directory = directory
        self._more = more
        self.ids = [f"{number:040x}" for number in range(1, 5)]
        self.ports: list[int] = []
        self.servers: list[Server] = []

    @property
    def url(self) -> str:
        """Of two of them: either may be dead."""
        return f"redis+cluster://127.0.0.1:{self.ports[0]},127.0.0.1:{self.ports[1]}"

    def start(self) -> None:
        for attempt in range(5):
            if not self.servers:
                self._choose()
            try:
                for server in self.servers:
                    server.start()
            except PortTaken:
                self.stop()
                if attempt == 4:
                    raise
                self.servers.clear()
            else:
                return

    def _choose(self) -> None:
        ports = free_ports(8)
        self.ports, buses = ports[:4], ports[4:]
        shares = ["0-5460", "5461-10922", "10923-16383", ""]
        for me in range(4):
            home = self._directory / f"node-{ports[me]}"
            home.mkdir(parents=True)
            lines = []
            for each in range(4):
                flags = ("myself," if each == me else "") + ("slave" if each == 3 else "master")
                of = self.ids[0] if each == 3 else "-"
                where = f"127.0.0.1:{ports[each]}@{buses[each]}"
                epoch = 1 if each == 3 else each + 1
                lines.append(
                    f"{self.ids[each]} {where} {flags} {of} 0 0 {epoch} connected {shares[each]}"
                )
            lines.append("vars currentEpoch 3 lastVoteEpoch 0\n")
            (home / "nodes.conf").write_text("\n".join(lines))
            more = ["--cluster-enabled", "yes", "--cluster-port", str(buses[me]), *self._more]
            server = redis_server(home, *more, "--cluster-node-timeout", "60000")
            server.port = ports[me]
            self.servers.append(server)

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def tell(self, node: int, *words: str) -> str:
        """What redis-cli prints for a command to one of them."""
        command = [find_program("redis-cli", "redis-tools"), "-p", str(self.ports[node]), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=DEADLINE)
        return done.stdout.strip()


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
