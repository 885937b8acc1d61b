"""A service like one of mail: STARTTLS begins TLS in mid-connection; and its clients."""

from __future__ import annotations

import asyncio
from typing import Any

from kit.recorder import Recorder
from kit.site import Site
from kit.waiting import wait_until
from lineman import Connection
from lineman.testing.client import RawClient

READY = b"220 ready\n"


class Mail:
    """Answers STARTTLS, and says what it has heard and how."""

    def __init__(self) -> None:
        self.heard = Recorder()
        self.ends = Recorder()
        self.errors = Recorder()

    def on_message(self, connection: Connection, line: Any) -> None:
        line = line.decode() if isinstance(line, bytes) else line
        self.heard(line, connection.tls is not None)
        if line.strip() == "STARTTLS":
            connection.send("220 ready")
            connection.start_tls()
        else:
            connection.send(f"heard {line}")

    async def on_message_later(self, connection: Connection, line: Any) -> None:
        await asyncio.sleep(0.05)
        self.on_message(connection, line)

    def on_close(self, connection: Connection, code: int, reason: str) -> None:
        self.ends(code, reason)

    def on_error(self, connection: Connection, code: int, error: Exception) -> None:
        self.errors(code, connection.send("after the end"))


def hear(client: RawClient, count: int) -> bytes:
    """So many bytes, or more."""
    got = b""
    while len(got) < count:
        data = client.receive_bytes()
        assert data, got
        got += data
    return got


def ask(client: RawClient) -> RawClient:
    """Asks for TLS, and gets the answer in the clear."""
    client.send_bytes(b"STARTTLS\n")
    assert hear(client, len(READY)) == READY
    return client


def only(site: Site) -> Connection:
    """Its only connection, once it is there."""
    wait_until(lambda: len(site.worker.connections) == 1, "it is there")
    return site.connection


def closes(site: Site) -> dict[str, int]:
    """How many connections have ended, by cause."""
    assert site.worker.service is not None
    return dict(site.worker.service.tally.closes)
