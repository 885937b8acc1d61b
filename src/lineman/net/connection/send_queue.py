"""What waits for a peer that reads slowly, and which messages are given up; pure.

A queue is there only while the kernel takes no more from a connection, and holds whole messages
only: what has begun to leave is the stream's, and control frames never wait here.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from enum import StrEnum

from lineman.errors import ConfigError
from lineman.net.stream.stream import Stream
from lineman.protocols.events import Reply
from lineman.protocols.interface import Session

# What a message costs in memory besides its bytes: the object, its place, its key. Counted, or a
# flood of tiny messages would take many times the limit.
OVERHEAD = 160

# A whole frame; or, where it is to be compressed with what was sent before it, the frame's first
# byte and its payload, which are made into a frame when they really leave.
Waiting = bytes | tuple[int, bytes]


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
        reply: what the peer must be answered. Earlier ones that could not leave need no answer
            (RFC 6455, section 5.5.3, for pings), so that a flood of them takes no memory.
        waiters: those who wait for all to have left.
    """

    __slots__ = (
        "_by_key", "_entries", "_last", "_replaces", "given_up", "is_full", "reply", "size",
        "waiters",
    )  # fmt: skip

    def __init__(self, replaces: bool) -> None:
        # By a number of their own: a key's own __hash__ and __eq__ may do anything, send included,
        # and must not come upon half a change.
        self._entries: OrderedDict[int, tuple[Waiting, object]] = OrderedDict()
        self._by_key: dict[object, int] = {}  # the number of the newest message of a key
        self._last = 0
        self._replaces = replaces
        self.size = 0
        self.given_up = 0
        self.is_full = False
        self.reply: Reply | None = None
        self.waiters: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        """How many messages wait."""
        return len(self._entries)

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        return self.size + OVERHEAD * len(self._entries)

    def put(self, entry: Waiting, key: object, room: int) -> int:
        """Takes a message in, and drops the oldest ones until all have room.

        The newest stays, also where it has no room: the caller sees to it that it is not larger
        than what may wait at all.

        Args:
            entry: the message.
            key: what it is about, hashable; None for a message that replaces none.
            room: bytes that may be used, `OVERHEAD` for each message included.

        Returns:
            How many messages were dropped for want of room; one that is replaced is not among
            them, but both are in `given_up`.
        """
        if not self._replaces:
            key = None
        number = None if key is None else self._by_key.get(key)
        replaced = None if number is None else self._entries.get(number)
        if number is None or replaced is None:
            self._last = number = self._last + 1
        else:
            self.size -= size_of(replaced[0])
            self.given_up += 1
        self._entries[number] = entry, key
        self.size += size_of(entry)
        if key is not None and replaced is None:
            self._by_key[key] = number
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
        number, (entry, key) = self._entries.popitem(last=False)
        self.size -= size_of(entry)
        if key is not None and self._by_key.get(key) == number:
            self._by_key.pop(key, None)
        return entry

    # Leaving.

    def pour(self, stream: Stream, session: Session, now: float) -> None:
        """Writes what waits, as far as the kernel takes it."""
        self._answer(stream, session, now)
        while self._entries and not stream.is_blocked:
            stream.write(session.leaving(self.pop()))

    def release(self, stream: Stream, session: Session, now: float) -> None:
        """Hands everything that waits to the socket, whether the kernel takes it or not."""
        self._answer(stream, session, now)
        while self._entries:
            stream.write(session.leaving(self.pop()))
        self.given_up = 0  # nobody is told any more that it reads again

    def _answer(self, stream: Stream, session: Session, now: float) -> None:
        reply, self.reply = self.reply, None
        answer = None if reply is None else session.answer_to(reply, now)
        if answer is not None:
            stream.write(answer)

    def clear(self) -> None:
        """Forgets what waits, since nothing leaves any more."""
        self._entries.clear()
        self._by_key.clear()
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
