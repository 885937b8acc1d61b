"""What waits for a peer that reads slowly, and which messages are given up; pure.

A queue is there only while the kernel takes no more from a connection, and holds whole messages
only: what has begun to leave is the stream's, and control frames never wait here.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from enum import StrEnum

from lineman.errors import ConfigError, UsageError
from lineman.net.stream.stream import Stream
from lineman.protocols.interface import Session

# What a message costs in memory besides its bytes: the object, its place, its key. Counted, or a
# flood of tiny messages would take many times the limit.
OVERHEAD = 160

# A whole frame; or, where it is to be compressed with what was sent before it, the frame's first
# byte and its payload, which are made into a frame when they really leave.
Waiting = bytes | tuple[int, bytes]

# A key, its hash, and the number of the message of this key that waits; 0 where none does.
Place = tuple[object, int, int]
NO_PLACE: Place = (None, 0, 0)  # of a message that replaces none


class SlowReaders(StrEnum):
    """What happens to a client with more waiting bytes than allowed."""

    CLOSE = "close"  # it is closed with 1013
    DROP_OLDEST = "drop_oldest"
    LATEST = "latest"  # as before, and a message replaces one of its key that still waits


def policy(value: object) -> SlowReaders:
    """The policy of this name.

    Raises:
        ConfigError: there is none.
    """
    if isinstance(value, str) and value in SlowReaders.__members__.values():
        return SlowReaders(value)
    names = ", ".join(f'"{name}"' for name in SlowReaders)
    raise ConfigError(f"slow_readers is {value!r}", f"give one of {names}")


class SendQueue:
    """Holds the newest messages, as many as there is room for.

    Args:
        replaces: whether a message takes the place of one with the same key.

    Attributes:
        size: bytes of the messages that wait.
        given_up: messages that were dropped or replaced so far.
        is_full: whether the program was told that as much waits as may.
        reply: the answer that the peer is owed; None for none. Its earlier questions whose answers
            could not leave need none (RFC 6455, section 5.5.3, for pings), so that a flood of them
            takes no memory.
        waiters: those who wait for all to have left.
    """

    __slots__ = (
        "_by_hash", "_entries", "_last", "_replaces", "given_up", "is_full", "reply", "size",
        "waiters",
    )  # fmt: skip

    def __init__(self, replaces: bool) -> None:
        # Each message has a number of its own, and stands under it with its key and the key's hash.
        # The methods of a key may do anything, close the connection included: `find` alone calls
        # them, and changes nothing.
        self._entries: OrderedDict[int, tuple[Waiting, object, int]] = OrderedDict()
        self._by_hash: dict[int, tuple[int, ...]] = {}  # the numbers of the messages with a key
        self._last = 0
        self._replaces = replaces
        self.size = 0
        self.given_up = 0
        self.is_full = False
        self.reply: bytes | None = None
        self.waiters: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        """How many messages wait."""
        return len(self._entries)

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        return self.size + OVERHEAD * len(self._entries)

    def find(self, key: object, hashed: int) -> int:
        """The number of the message of this key that waits; 0 where none does. Changes nothing.

        Args:
            key: what a message is about; its `__eq__` is called.
            hashed: its hash.
        """
        for number in reversed(self._by_hash.get(hashed, ())):
            found = self._entries.get(number)
            if found is not None and (found[1] is key or found[1] == key):
                return number
        return 0

    def put(self, entry: Waiting, place: Place, room: int) -> int:
        """Takes a message in, and drops the oldest ones until all have room.

        The newest stays, also where it has no room: the caller sees to it that it is not larger
        than what may wait at all.

        Args:
            entry: the message.
            place: its key, the key's hash, and what `find` returned for them. The message that was
                found may have left since.
            room: bytes that may be used, `OVERHEAD` for each message included.

        Returns:
            How many messages were dropped for want of room; one that is replaced is not among
            them, but both are in `given_up`.
        """
        key, hashed, number = place if self._replaces else NO_PLACE
        replaced = self._entries.get(number)
        if replaced is None:
            self._last = number = self._last + 1
            if key is not None:
                self._by_hash[hashed] = (*self._by_hash.get(hashed, ()), number)
        else:
            self.size -= size_of(replaced[0])
            self.given_up += 1
        self.size += size_of(entry)
        self._entries[number] = entry, key, hashed
        dropped = 0
        while self.weight > room and len(self._entries) > 1:
            if next(iter(self._entries)) == number:  # the new one, in the place of the oldest
                self._entries.move_to_end(number)
            self.given_up += 1
            dropped += 1
            self.pop()
        return dropped

    def pop(self) -> Waiting:
        """The oldest message, which leaves.

        Raises:
            KeyError: there is none.
        """
        return self._take()[0]

    def _take(self) -> tuple[Waiting, object, int]:
        number, found = self._entries.popitem(last=False)
        self.size -= size_of(found[0])
        if found[1] is not None:
            others = tuple(each for each in self._by_hash[found[2]] if each != number)
            if others:
                self._by_hash[found[2]] = others
            else:
                del self._by_hash[found[2]]
        return found

    # Leaving.

    def pour(self, stream: Stream, session: Session) -> None:
        """Writes what waits, as far as the kernel takes it."""
        self._answer(stream)
        while self._entries and not stream.is_blocked:
            self._leave(stream, session)

    def release(self, stream: Stream, session: Session) -> None:
        """Hands everything that waits to the socket, whether the kernel takes it or not."""
        self._answer(stream)
        while self._entries:
            self._leave(stream, session)
        self.given_up = 0  # nobody is told any more that it reads again

    def _leave(self, stream: Stream, session: Session) -> None:
        found = self._take()  # its key goes last, since a key may do anything when it is freed
        stream.write(session.leaving(found[0]))

    def _answer(self, stream: Stream) -> None:
        reply, self.reply = self.reply, None
        if reply is not None:
            stream.write(reply)

    def clear(self) -> None:
        """Forgets what waits, since nothing leaves any more."""
        self._entries.clear()
        self._by_hash.clear()
        self.size = self.given_up = 0
        self.reply = None

    def end_waiting(self) -> None:
        """Wakes the callers of `drain` when all bytes have been sent."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


def size_of(entry: Waiting) -> int:
    """Bytes of a message that waits."""
    return len(entry) if isinstance(entry, bytes) else len(entry[1])


def check_key(key: object) -> None:
    """Refuses what cannot tell messages apart.

    Raises:
        UsageError: it cannot be hashed.
    """
    try:
        hash(key)
    except TypeError:
        raise UsageError(f"key is {key!r}; give a text, a number or a tuple of them") from None
