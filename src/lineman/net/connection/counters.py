"""What the connections of one service have carried, and how they ended.

Nothing is counted here for a message: each connection counts its own, and its figures are added
up when somebody asks and when it ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any


class Tally:
    """The figures of connections that have ended.

    Attributes:
        ended: connections that were accepted and have ended, open ones and others.
        closes: how open ones ended, by cause.
        failures: how handshakes failed, by cause.
        refusals: requests answered with an HTTP error, by status.
        hits: how often a limit turned somebody away, by its name.
    """

    __slots__ = (
        "bytes_read",
        "bytes_written",
        "closes",
        "ended",
        "failures",
        "hits",
        "messages_read",
        "messages_written",
        "refusals",
    )

    def __init__(self) -> None:
        self.ended = 0
        self.messages_read = 0
        self.messages_written = 0
        self.bytes_read = 0
        self.bytes_written = 0
        self.closes: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.refusals: Counter[int] = Counter()
        self.hits: Counter[str] = Counter()

    def add(
        self, messages_read: int, messages_written: int, bytes_read: int, bytes_written: int
    ) -> None:
        """Counts what a connection has carried that ends now, once."""
        self.ended += 1
        self.messages_read += messages_read
        self.messages_written += messages_written
        self.bytes_read += bytes_read
        self.bytes_written += bytes_written

    def carried(self, connections: Iterable[Any]) -> tuple[int, int, int, int]:
        """All that was carried so far, by these connections and those that have ended.

        Returns:
            Messages read and written, bytes read and written.
        """
        messages_read, messages_written = self.messages_read, self.messages_written
        bytes_read, bytes_written = self.bytes_read, self.bytes_written
        for connection in connections:
            messages_read += connection.messages_read
            messages_written += connection.messages_written
            bytes_read += connection.bytes_read
            bytes_written += connection.bytes_written
        return messages_read, messages_written, bytes_read, bytes_written
