"""The most frequent data on a link: messages, and reports that they were handled. Pure.

A frame of MessagePack (see `framing.py`) begins with the first byte of its length, which is small.
If that byte is RECORD or more, a record begins:

    kind (1 byte) | size (4) | number of the client (8) | payload (size bytes)

with numbers big-endian. TEXT and BINARY are a message of the client, or to it, by direction. DONE
has no payload, and `size` says how many events of the client were handled, the oldest first.

Compiled modules use `records.h`, by `records.pxd`, for the work of every message.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from lineman.base.buffers import Memory
from lineman.errors import UsageError

MessageData = str | bytes | bytearray | memoryview

RECORD = 0x80
TEXT, BINARY, DONE = 0x81, 0x82, 0x83

HEAD = struct.Struct(">BIQ")
HEAD_SIZE = 13


class Record(NamedTuple):
    """The head of a record.

    Attributes:
        kind: `TEXT`, `BINARY` or `DONE`; any other value is an error of the sender.
        size: bytes of the payload behind the head; for `DONE` the number of events.
        number: the client's number.
    """

    kind: int
    size: int
    number: int


def read(data: Memory, start: int) -> Record:
    """Reads the head at `start`; all its bytes must be there."""
    return Record._make(HEAD.unpack_from(data, start))


def put(out: bytearray, kind: int, number: int, payload: Memory, size: int) -> None:
    """Adds a message of, or to, a client: the first `size` bytes of the payload."""
    out += HEAD.pack(kind, size, number)
    out += memoryview(payload)[:size]


def put_done(out: bytearray, number: int, count: int) -> None:
    """Adds a report that `count` events of a client were handled."""
    out += HEAD.pack(DONE, count, number)


def is_ascii(data: Memory, start: int, size: int) -> bool:
    """Whether `size` bytes from `start` on are ASCII."""
    return bytes(data[start : start + size]).isascii()


def to_payload(message: object) -> str | bytes:
    """A message as links carry it.

    Raises:
        UsageError: it is neither text nor bytes.
    """
    if isinstance(message, bytes):
        return message
    if isinstance(message, str):
        try:
            return message if message.isascii() or message.encode() else ""
        except UnicodeEncodeError as error:
            raise UsageError(f"the message cannot be written as UTF-8: {error}") from None
    if isinstance(message, (bytearray, memoryview)):
        return bytes(message)
    raise UsageError(
        f"a message is str or bytes, got {type(message).__name__}; "
        "for structured data use json.dumps(...)"
    )
