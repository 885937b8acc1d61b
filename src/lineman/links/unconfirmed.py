"""What one end of a link has sent, and the other end has not confirmed as handled. Pure.

Nothing is counted while messages pass: the bytes of each turn are kept as they were sent, until the
other end says how many bytes it has handled. When the link is lost, the kept bytes are read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from lineman.links import records
from lineman.links.framing import LENGTH, Message, WireFormat
from lineman.links.records import DONE, HEAD_SIZE, RECORD, Record

# Bytes that are kept. Of what is sent beyond them only a summary is, which costs time.
MAX_KEPT = 8 * 1024 * 1024
# Names in a summary.
NAMES = 6


class Summary:
    """How many orders some bytes contain, and for whom the first of them are.

    Attributes:
        count: the number of orders.
        names: of users, groups and clients, in order, each once; `NAMES` at most.
    """

    def __init__(self) -> None:
        self.count = 0
        self.names: dict[str, None] = {}

    def add(self, count: int, names: Iterator[str] | dict[str, None]) -> None:
        """Adds orders and their names."""
        self.count += count
        for name in names:
            if len(self.names) < NAMES:
                self.names[name] = None


# Adds what a piece of a link's bytes contains; it begins and ends between two messages.
Read = Callable[[bytes, Summary], None]


class Unconfirmed:
    """The bytes that were sent and are not confirmed.

    Args:
        sent: bytes that were sent before.
        read: tells what bytes contain.
        limit: bytes that are kept.
    """

    def __init__(self, sent: int, read: Read, limit: int = MAX_KEPT) -> None:
        self._sent = self._confirmed = sent
        self._read = read
        self._limit = limit
        self._size = 0
        self._parts: deque[tuple[int, bytes | bytearray | Summary]] = deque()  # each with its end

    @property
    def is_empty(self) -> bool:
        """Whether all that was sent is confirmed."""
        return not self._parts

    def add(self, data: bytes | bytearray) -> None:
        """Notes what is sent: whole messages, which nobody changes from now on."""
        size = len(data)
        if not size:
            return
        self._sent += size
        if self._size + size > self._limit:
            summary = Summary()
            self._read(bytes(data), summary)
            self._parts.append((self._sent, summary))
        else:
            self._size += size
            self._parts.append((self._sent, data))

    def confirm(self, handled: int) -> None:
        """The other end has handled so many bytes since the link began."""
        self._confirmed = max(self._confirmed, min(handled, self._sent))
        while self._parts and self._parts[0][0] <= self._confirmed:
            _, part = self._parts.popleft()
            if not isinstance(part, Summary):
                self._size -= len(part)

    def summary(self) -> Summary:
        """What is not confirmed now; of a part that is confirmed in part, the rest."""
        found = Summary()
        for end, part in self._parts:
            if isinstance(part, Summary):
                found.add(part.count, part.names)
            else:
                begin = max(0, self._confirmed - (end - len(part)))
                self._read(bytes(part[begin:]), found)
        return found


def contents(data: bytes, wire: WireFormat) -> Iterator[Record | Message]:
    """The messages of some bytes of a link, and the heads of its records, in order."""
    start, size = 0, len(data)
    while start < size:
        if data[start] >= RECORD:
            head = records.read(data, start)
            yield Record(head.kind, head.size, head.number)
            start += HEAD_SIZE + (0 if head.kind == DONE else head.size)
        else:
            end = start + LENGTH + int.from_bytes(data[start : start + LENGTH], "big")
            yield from wire.decode_batch(data[start + LENGTH : end])
            start = end
