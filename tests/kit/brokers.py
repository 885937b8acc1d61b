"""The real servers of brokers, which a test may stop, start again and cut off."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from kit.program import PortTaken, Program, find_program, free_ports
from kit.waiting import DEADLINE


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

    def signal(self, number: int) -> None:
        assert self._program is not None
        self._program.signal(number)

    def wait_for_line(self, words: str) -> None:
        assert self._program is not None
        self._program.wait_for_line(words)


class Relay:
    """A port in front of a server, whose connections can be cut off without being closed."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._silent: set[int] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            with self._lock:
                number = len(self._pairs)
                self._pairs.append((near, far))
            for ends in ((near, far), (far, near)):
                thread = threading.Thread(target=self._pump, args=(number, *ends), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pump(self, number: int, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if number not in self._silent:
                    sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    @property
    def connections(self) -> int:
        """How many have come so far."""
        return len(self._pairs)

    def cut(self, number: int) -> None:
        """From now on discards what either side sends on one connection."""
        self._silent.add(number)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in (end for pair in self._pairs for end in pair):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(DEADLINE)
        for end in (end for pair in self._pairs for end in pair):
            end.close()


def redis_server(directory: Path, *more: str) -> Server:
    def words(port: int) -> list[str]:
        here = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
        return [*here, "--save", "", *more]

    return Server("redis-server", words, "Ready to accept connections")


KNOWS_SHARDS = (7, 2)
REFUSES_WHILE_DOWN = (8, 0)  # SUNSUBSCRIBE, too


def _redis_version() -> tuple[int, ...]:
    command = [find_program("redis-server", "redis-server"), "--version"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=(\d+)\.(\d+)", told)
    assert found, told
    return int(found[1]), int(found[2])


class RedisClusterServer:
    """Three primaries and a replica of the first, which know each other from the beginning."""

    def __init__(self, directory: Path, *more: str, host: str = "127.0.0.1") -> None:
        self._directory = directory
        self._more = more
        self._host = host
        self.ids = [f"{number:040x}" for number in range(1, 5)]
        self.ports: list[int] = []
        self.servers: list[Server] = []

    @property
    def url(self) -> str:
        """The addresses of two of them: either may be dead."""
        return f"redis+cluster://{self._host}:{self.ports[0]},{self._host}:{self.ports[1]}"

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
                break
        if _redis_version() >= REFUSES_WHILE_DOWN:
            for server in self.servers:
                server.wait_for_line("Cluster state changed: ok")

    def _choose(self) -> None:
        ports = free_ports(8)
        self.ports, buses = ports[:4], ports[4:]
        shares = ["0-5460", "5461-10922", "10923-16383", ""]
        shards = [""] * 4
        if _redis_version() >= KNOWS_SHARDS:  # and asserts at SPUBLISH that its node is of one
            shards = [f",,shard-id={each % 3:040x}" for each in range(4)]
        for me in range(4):
            home = self._directory / f"node-{ports[me]}"
            home.mkdir(parents=True)
            lines = []
            for each in range(4):
                flags = ("myself," if each == me else "") + ("slave" if each == 3 else "master")
                of = self.ids[0] if each == 3 else "-"
                where = f"{self._host}:{ports[each]}@{buses[each]}{shards[each]}"
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

    def signal(self, number: int) -> None:
        """The address of one of them only."""
        self.servers[1].signal(number)

    def tell(self, node: int, *words: str) -> str:
        """The output of redis-cli for a command to one of them."""
        command = [find_program("redis-cli", "redis-tools"), "-p", str(self.ports[node]), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=DEADLINE)
        return done.stdout.strip()


class RedisSentinelServers:
    """A master with a replica, and a sentinel that makes the replica the master if need be.

    The address names another sentinel first, which does not run, as on a machine that is gone.

    Args:
        directory: for their files.
        more: further words for both Redis servers.
        lines: further lines of the sentinel's configuration.
    """

    SERVICE = "mymaster"

    def __init__(self, directory: Path, *more: str, lines: Sequence[str] = ()) -> None:
        self._directory = directory
        self._lines = lines
        self._more = more
        self.servers: list[Server] = []

    @property
    def hosts(self) -> str:
        """Where the sentinels are, as in an address."""
        return f"127.0.0.1:{free_ports(1)[0]},127.0.0.1:{self.sentinel.port}"

    def start(self) -> None:
        for number in range(2):
            home = self._directory / f"redis-{number}"
            home.mkdir()
            of = ("--replicaof", "127.0.0.1", str(self.servers[0].port)) if number else ()
            at_once = ("--repl-diskless-sync-delay", "0")
            server = redis_server(home, *at_once, *self._more, *of)
            server.start()
            self.servers.append(server)
        self.servers[1].wait_for_line("MASTER <-> REPLICA sync: Finished with success")
        self.sentinel = Server("redis-server", self._sentinel_words, "+monitor master")
        self.sentinel.start()
        self.sentinel.wait_for_line("+slave slave")

    def _sentinel_words(self, port: int) -> list[str]:
        file = self._directory / "sentinel.conf"
        monitored = f"{self.SERVICE} 127.0.0.1 {self.servers[0].port} 1"
        lines = [
            f"port {port}",
            "bind 127.0.0.1",
            f"dir {self._directory}",
            f"sentinel monitor {monitored}",
            f"sentinel down-after-milliseconds {self.SERVICE} 500",
            f"sentinel failover-timeout {self.SERVICE} 2000",
            *self._lines,
        ]
        file.write_text("\n".join(lines) + "\n")
        return [str(file), "--sentinel"]

    def stop(self) -> None:
        for server in (self.sentinel, *self.servers):
            server.stop()


class NatsClusterServers:
    """Two NATS servers that pass messages on to each other."""

    def __init__(self, *more: str) -> None:
        self._more = more
        self.servers: list[Server] = []

    @property
    def hosts(self) -> str:
        """Where they are, as in an address."""
        return ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    def start(self) -> None:
        routes = free_ports(2)
        for own in routes:
            others = ",".join(f"nats://127.0.0.1:{port}" for port in routes if port != own)
            own_words = ["--cluster", f"nats://127.0.0.1:{own}", "--cluster_name", "test"]
            self.servers.append(nats_server(*own_words, "--routes", others, *self._more))
        for server in self.servers:
            server.start()
        self.servers[1].wait_for_line("Route connection created")

    def stop(self) -> None:
        for server in self.servers:
            server.stop()


def nats_server(*more: str) -> Server:
    return Server(
        "nats-server", lambda port: ["-a", "127.0.0.1", "-p", str(port), *more], "Server is ready"
    )


T = TypeVar("T", bound="Stoppable")


class Stoppable(Protocol):
    """A server, or several."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@contextmanager
def running(server: T) -> Iterator[T]:
    try:
        server.start()
        yield server
    finally:
        server.stop()
