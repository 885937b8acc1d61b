"""The common parts of `make soak`: a server in a process of its own, and load on it."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sidebyside import machine
from sidebyside.processes import HOST, Server, serving

from lineman import development_certificate
from lineman.testing.client import RawClient

SERVERS = Path(__file__).parents[1] / "servers"


class Place:
    """The place of servers with one scheme.

    Args:
        scheme: `ws` or `wss`.
        directory: for the certificate.

    Attributes:
        scheme: as given.
        tls: the TLS settings of a client; None for `ws`.
    """

    def __init__(self, scheme: str, directory: Path) -> None:
        self.scheme = scheme
        self.tls: ssl.SSLContext | None = None
        self._files: list[str] = []
        self._core, _ = machine.cores()
        if scheme == "wss":
            pair = development_certificate(directory, ["localhost"])
            self._files = [str(pair.cert), str(pair.key)]
            self.tls = ssl.create_default_context(cafile=pair.ca)

    def echoing(self) -> AbstractContextManager[Server]:
        """A server that echoes."""
        return self._serving("lineman_server.py")

    def broadcasting(self, policy: str) -> AbstractContextManager[Server]:
        """A server that sends to all clients, with a policy for slow readers."""
        return self._serving("burst_server.py", policy)

    def _serving(self, script: str, *words: str) -> AbstractContextManager[Server]:
        command = [sys.executable, str(SERVERS / script), "{port}", *words, *self._files]
        return serving("lineman", command, self._core)

    def url(self, server: Server) -> str:
        """The address of a server."""
        return f"{self.scheme}://{HOST}:{server.port}/"


def bench(url: str, *words: str) -> dict[str, Any]:
    """The result of `lineman bench --json`.

    Raises:
        SystemExit: something failed.
    """
    command = [sys.executable, "-m", "lineman", "bench", url, "--insecure", "--json", *words]
    run = subprocess.run(command, capture_output=True, check=False)
    if run.returncode:
        raise SystemExit(f"soak: {run.stdout.decode()} {run.stderr.decode()}")
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def load(url: str, mode: str, count: int) -> int:
    """Makes a service do something at least `count` times; returns how many times it was."""
    done = 0
    while done < count:
        done += bench(url, "--mode", mode, "--connections", "50", "--duration", "2")["count"]
    return done


@contextmanager
def open_clients(
    server: Server, tls: ssl.SSLContext | None, count: int, receive_buffer: int | None = None
) -> Iterator[list[RawClient]]:
    """`count` open websockets, while the block runs."""
    with ExitStack() as stack:
        clients = []
        for _ in range(count):
            client = RawClient(server.port, tls=tls, timeout=60, receive_buffer=receive_buffer)
            clients.append(stack.enter_context(client).open())
        yield clients
