"""The rows of the table, pure: the work that every server does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

KIB = 1024
STREAM_FLOOR = "stream_echo"  # the server in plain C for the rows without HTTP


class Kind(Enum):
    """What the clients of a row do, in the words of `lineman bench`."""

    ECHO = "echo"
    CONNECT = "connect"
    BROADCAST = "broadcast"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of work.

    Attributes:
        name: short, for `--rows`.
        title: for the table.
        kind: what the clients do.
        is_tls: over wss.
        connections: how many.
        size: bytes of a message.
        depth: messages in flight on each connection.
        is_batched: the next ones are sent when all of the last are answered.
        spins: the clients poll without sleeping, so that the server does not pay for waking them.
        looks: for each message the handler looks at the path and at a header of the handshake.
        protocol: `ws`; or `text`, `frame`, `tcp` or `udp`, which only Lineman and `stream_echo`
            serve.
    """

    name: str
    title: str
    kind: Kind
    is_tls: bool = False
    connections: int = 100
    size: int = 32
    depth: int = 1
    is_batched: bool = False
    spins: bool = False
    looks: bool = False
    protocol: str = "ws"

    @property
    def is_stream(self) -> bool:
        """Whether it is a protocol without HTTP."""
        return self.protocol != "ws"

    def done_by(self, servers: list[str]) -> list[str]:
        """Those of the servers that do this work."""
        streaming = (STREAM_FLOOR, "lineman")
        if self.is_stream:
            return [name for name in servers if name in streaming]
        return [name for name in servers if name != STREAM_FLOOR]

    @property
    def scheme(self) -> str:
        """`ws`, `wss`, or the protocol."""
        if self.is_stream:
            return self.protocol
        return "wss" if self.is_tls else "ws"

    @property
    def path(self) -> str:
        """The path at which the servers do this work."""
        if self.is_stream:
            return ""
        if self.looks:
            return "/look?room=7"
        return "/b" if self.kind is Kind.BROADCAST else "/"

    @property
    def is_memory(self) -> bool:
        """Whether memory is measured rather than time."""
        return self.kind is Kind.IDLE

    @property
    def unit(self) -> str:
        """The unit of the count."""
        return "connection" if self.kind is Kind.CONNECT else "message"


ROWS = (
    Row("a", "ws echo, 1 connection, 32 B", Kind.ECHO, connections=1),
    Row("b", "ws echo, 100 connections, 32 B", Kind.ECHO, spins=True),
    Row("c", "the same, 16 in flight on each", Kind.ECHO, depth=16, is_batched=True, spins=True),
    Row("l", "as b, looking at path and header", Kind.ECHO, spins=True, looks=True),
    Row("d", "ws echo, 100 connections, 8 KiB", Kind.ECHO, size=8 * KIB),
    Row("e", "ws echo, 10 connections × 4, 256 KiB", Kind.ECHO, connections=10, depth=4,
        size=256 * KIB),
    Row("f32", "wss echo, 100 connections, 32 B", Kind.ECHO, is_tls=True, spins=True),
    Row("f8k", "wss echo, 100 connections, 8 KiB", Kind.ECHO, is_tls=True, size=8 * KIB),
    Row("h", "ws connect + upgrade + close", Kind.CONNECT, connections=32),
    Row("hs", "wss full handshake + upgrade + close", Kind.CONNECT, is_tls=True, connections=32),
    Row("i", "broadcast of 128 B to 1000", Kind.BROADCAST, connections=1000, size=128, depth=2),
    Row("m", "idle ws connection", Kind.IDLE, connections=10_000),
    Row("ms", "idle wss connection", Kind.IDLE, is_tls=True, connections=5_000),
    *(row for protocol in ("text", "frame", "tcp") for row in (
        Row(protocol, f"{protocol} echo, 100 connections, 32 B", Kind.ECHO, spins=True,
            protocol=protocol),
        Row(f"{protocol}16", "the same, 16 in flight on each", Kind.ECHO, depth=16,
            is_batched=True, spins=True, protocol=protocol),
    )),
    Row("udp", "udp echo, 100 clients, 32 B", Kind.ECHO, spins=True, protocol="udp"),
    # The kernel's usual buffer holds 277 short datagrams; others are lost.
    Row("udp16", "udp echo, 10 clients, 16 in flight on each", Kind.ECHO, connections=10,
        depth=16, is_batched=True, spins=True, protocol="udp"),
    Row("tcph", "tcp connect + close", Kind.CONNECT, connections=32, protocol="tcp"),
    Row("mt", "idle tcp connection", Kind.IDLE, connections=10_000, protocol="tcp"),
)  # fmt: skip


def choose(names: str | None, is_short: bool) -> list[Row]:
    """The rows to run.

    Args:
        names: as the user gave them, with commas; None for all.
        is_short: with so few connections that it takes seconds.

    Raises:
        ValueError: a name is unknown; the message holds those that are known.
    """
    known = {row.name: row for row in ROWS}
    wanted = list(known) if names is None else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise ValueError(f"there is no row {name!r}; there are {', '.join(known)}")
    rows = [known[name] for name in wanted]
    return [shortened(row) for row in rows] if is_short else rows


def shortened(row: Row) -> Row:
    """The same work with fewer connections, to test that it works."""
    few = min(row.connections, 200 if row.is_memory else 20)
    # Polling takes a whole core, which a busy machine then does not leave it.
    return replace(row, connections=few, spins=False)
