"""The body of a request that is handed on as it comes; pure."""

from __future__ import annotations


class IncomingBody:
    """What has come of a body and was not taken yet.

    Attributes:
        is_whole: whether all of it has come.
        is_cut: whether the rest will never come.
        wants_continue: whether the client holds it back until it is told to go on (RFC 9110,
            section 10.1.1).
    """

    __slots__ = ("_count", "_waiting", "is_cut", "is_whole", "wants_continue")

    def __init__(self) -> None:
        self.is_whole = self.is_cut = self.wants_continue = False
        self._waiting = bytearray()
        self._count = 0

    def __len__(self) -> int:
        """Bytes that have come so far."""
        return self._count

    @property
    def waiting(self) -> int:
        """Bytes that were not taken yet."""
        return len(self._waiting)

    @property
    def is_open(self) -> bool:
        """Whether more of it may come."""
        return not self.is_whole and not self.is_cut

    def extend(self, data: bytes) -> None:
        """Adds what has come."""
        self._count += len(data)
        self.wants_continue = False
        self._waiting += data

    def end(self) -> None:
        """Notes that nothing more comes."""
        if not self.is_whole:
            self.is_cut = True

    def take(self) -> bytes:
        """All that waits; it waits no more."""
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken
