"""The payload of a message that arrives in pieces: one store, whatever the number of pieces."""

from __future__ import annotations

from lineman.base import buffers
from lineman.protocols.websocket import frames

# Room is made for at most this many times of what has arrived: a length is easily announced.
TRUST = 4


class Assembly:
    """Grows by what arrives.

    Attributes:
        size: bytes so far.
    """

    __slots__ = ("_store", "size")

    def __init__(self) -> None:
        self.size = 0
        self._store = buffers.new_store(0)

    def append(self, data: memoryview, mask: int, coming: int) -> None:
        """Adds a piece of payload with its mask taken off.

        Args:
            data: the piece as it came from the wire.
            mask: its mask, the first byte lowest; 0 for none.
            coming: bytes of this frame that are announced to follow the piece.
        """
        count = len(data)
        if count:
            self._make_room(self.size + count, coming)
            room = buffers.store_room(self._store)
            frames.mask_into(room, self.size, buffers.part(data, 0), count, mask)
            self.size += count

    def _make_room(self, needed: int, coming: int) -> None:
        """No message but one that outgrows its room is ever copied."""
        have = len(self._store)
        if needed <= have:
            return
        room = max(needed + min(coming, (TRUST - 1) * needed), have + have // 2)
        larger = buffers.new_store(room)
        buffers.fill_store(larger, self._store, self.size)
        self._store = larger

    def __len__(self) -> int:
        return self.size

    def capacity(self) -> int:
        """Bytes of memory that it takes."""
        return len(self._store)

    def take(self) -> bytes:
        """The whole payload; the assembly is not used again."""
        return buffers.take_store(self._store, self.size)
