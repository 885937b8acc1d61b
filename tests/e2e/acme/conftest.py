"""Pebble, and a state directory of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from e2e.support.interceptor import Interceptor, interceptor
from e2e.support.knocks import Knocks
from e2e.support.pebble import Pebble, pebble
from kit.program import free_ports


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def door(root: Path) -> Iterator[type[Knocks]]:
    """The server at which Pebble validates http-01; it answers unless a test stops it."""

    class Door(Knocks):
        gate = threading.Event()
        knocked = threading.Event()

    Door.root = root
    Door.gate.set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        Door.port = server.server_port  # type: ignore[attr-defined]
        yield Door
        Door.gate.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def authority(tmp_path: Path, door: Any) -> Iterator[Pebble]:
    with pebble(tmp_path, http_port=door.port, tls_port=free_ports(1)[0]) as found:
        yield found


@pytest.fixture
def between(authority: Pebble) -> Iterator[Interceptor]:
    with interceptor(authority, authority.api_pair) as found:
        yield found
