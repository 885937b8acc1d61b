"""`lineman bench` in the test's own process, and a server from another package."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from kit.waiting import DEADLINE
from lineman import Connection, Worker
from lineman.cli.main import main
from lineman.testing.certificates import IssuedPair
from lineman.testing.serving import Serving


@contextmanager
def other(pair: IssuedPair | None = None) -> Iterator[str]:
    """An echo by the `websockets` package."""

    def echo(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    context = None
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
    with serve(echo, "127.0.0.1", 0, ssl=context, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        scheme = "ws" if pair is None else "wss"
        yield f"{scheme}://localhost:{server.socket.getsockname()[1]}/"
        server.shutdown()
        thread.join(DEADLINE)


def echo(connection: Connection, message: str | bytes) -> None:
    connection.send(message)


@contextmanager
def serving(scheme: str, place: str = "127.0.0.1:0", **options: Any) -> Iterator[str]:
    """The URL of a worker that echoes, unless an option says otherwise."""
    worker = Worker(f"{scheme}://{place}")
    for name, value in ({"on_message": echo} | options).items():
        setattr(worker, name, value)
    with Serving(worker) as running:
        yield f"{scheme}://{place.replace(':0', f':{running.port}')}"


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.out)
        return values


class Bench:
    """Runs the command in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, url: str, *words: str, duration: str = "0.2") -> Outcome:
        self._capsys.readouterr()
        status = main(["bench", url, "--duration", duration, *words])
        return Outcome(status, *self._capsys.readouterr())


def answered(values: dict[str, Any]) -> int:
    """How many messages were answered in all, also after the end of the measurement."""
    return sum(count for _, _, count in values["histogram_us"])


def assert_good(outcome: Outcome) -> dict[str, Any]:
    assert outcome.status == 0, outcome
    values = outcome.json
    assert values["failures"] == {}
    assert values["unanswered"] == 0
    return values
