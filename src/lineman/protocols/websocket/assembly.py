"""The payload of a message that arrives in pieces: one buffer, whatever the number of pieces."""

from __future__ import annotations

from lineman.protocols.websocket.frames import apply_mask

try:
    import cython
except ImportError:
    from lineman.base import nocython as cython

# Room is made for at most this many times of what has arrived: a length is easily announced.
TRUST = 4


class Assembly:
    """Grows by what arrives.

    Attributes:
        size: bytes so far.
    """

    __slots__ = ("_pieces", "_store", "size")

    def __init__(self) -> None:
        self.size = 0
        self._store = b""  # compiled
        if not cython.compiled:
            self._pieces = bytearray()

    def append(self, data: memoryview, mask: int, coming: int) -> None:
        """Adds a piece of payload with its mask taken off.

        Args:
            data: the piece as it came from the wire.
            mask: its mask, the first byte lowest; 0 for none.
            coming: bytes of this frame that are announced to follow the piece.
        """
        if cython.compiled:
            count = data.shape[0]
            if count:
                self._make_room(self.size + count, coming)
                room = cython.cast(p_uchar, PyBytes_AS_STRING(self._store))
                lineman_mask(room + self.size, cython.address(data[0]), count, mask)
                self.size += count
        else:
            self._pieces += apply_mask(data, mask.to_bytes(4, "little"))
            self.size = len(self._pieces)

    def _make_room(self, needed: int, coming: int) -> None:
        """Compiled only. No message but one that outgrows its room is ever copied."""
        assert cython.compiled
        have = len(self._store)
        if needed <= have:
            return
        room = max(needed + min(coming, (TRUST - 1) * needed), have + have // 2)
        larger = PyBytes_FromStringAndSize(cython.NULL, room)
        memcpy(PyBytes_AS_STRING(larger), PyBytes_AS_STRING(self._store), self.size)
        self._store = larger

    def __len__(self) -> int:
        return self.size

    def capacity(self) -> int:
        """Bytes of memory that it takes."""
        return len(self._store) if cython.compiled else self._pieces.__sizeof__()

    def take(self) -> bytes:
        """The whole payload; the assembly is not used again."""
        if cython.compiled:
            store = self._store
            return store if len(store) == self.size else store[: self.size]
        return bytes(self._pieces)
