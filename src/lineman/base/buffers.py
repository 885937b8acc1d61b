"""Access to bytes in memory without copies and without new objects.

This is the variant for plain Python, which does make some objects. Compiled modules use the same
functions from `buffers.h`, by `buffers.pxd`. There a `Memory` is a pointer, which is valid while
the object exists that it was taken from.
"""

from __future__ import annotations

from typing import NamedTuple

Memory = bytes | bytearray | memoryview
# Memory that is written to.
Room = bytearray | memoryview
# Memory that becomes a `bytes` object, in C without a copy.
Store = bytearray


class Payload(NamedTuple):
    """The bytes of a message.

    Attributes:
        data: the memory of the bytes.
        size: their number; -1 for an object that is neither exactly `str` nor exactly `bytes`, and
            for a text that cannot be encoded as UTF-8.
        is_text: whether the message is a text.
    """

    data: Memory
    size: int
    is_text: bool


def payload_of(message: object) -> Payload:
    """The bytes of a message; `Payload` says which objects have none."""
    if type(message) is bytes:
        return Payload(message, len(message), False)
    if type(message) is str:
        try:
            data = message.encode()
        except UnicodeEncodeError:
            return Payload(b"", -1, True)
        return Payload(data, len(data), True)
    return Payload(b"", -1, False)


def room_of(room: bytearray) -> Room:
    """The memory of a bytearray, which must not change its size meanwhile."""
    return room


def room_from(room: Room, start: int) -> Room:
    """The memory of a room from `start` on."""
    return memoryview(room)[start:]


def data_of(data: bytes) -> Memory:
    """The memory of these bytes."""
    return data


def part(data: memoryview, start: int) -> Memory:
    """The memory from `start` on; there must be at least one byte.

    Raises:
        IndexError: there is none (compiled).
    """
    return data[start:]


def start_of(data: memoryview) -> Memory:
    """The memory of the data, which may be empty."""
    return data


def beyond(data: Memory, start: int) -> Memory:
    """The memory of the data from `start` on."""
    return memoryview(data)[start:]


def copy(to: Room, at: int, data: Memory, start: int, size: int) -> None:
    """Copies `size` bytes of the data, from `start` on, to position `at`; there must be room."""
    whole = start == 0 and size == len(data)
    to[at : at + size] = data if whole else memoryview(data)[start : start + size]


def append(to: bytearray, data: Memory, start: int, size: int) -> None:
    """Adds `size` bytes of the data, from `start` on."""
    to += memoryview(data)[start : start + size]


def find(data: Memory, start: int, stop: int, byte: int) -> int:
    """Where the byte stands first, from `start` on and before `stop`; -1 where it does not."""
    at = bytes(data[start:stop]).find(byte)
    return at if at < 0 else at + start


def text_of(data: Memory, start: int, size: int) -> str | None:
    """The `size` bytes from `start` on as a text; None where they are not UTF-8."""
    try:
        return str(data[start : start + size], "utf-8")
    except UnicodeDecodeError:
        return None


def bytes_of(data: Memory, start: int, size: int) -> bytes:
    """The `size` bytes from `start` on."""
    return bytes(data[start : start + size])


def number_of(data: Memory, start: int) -> int:
    """The unsigned number in the four bytes from `start` on, the highest first."""
    return int.from_bytes(data[start : start + 4], "big")


def put_number(room: Room, number: int) -> None:
    """Writes an unsigned number into the first four bytes of a room, the highest first."""
    room[:4] = number.to_bytes(4, "big")


def new_store(size: int) -> Store:
    """A store; in C its content is undefined until something is put into it."""
    return bytearray(size)


def store_room(store: Store) -> Room:
    """The memory of a store; no other code may hold the store yet."""
    return store


def fill_store(to: Store, source: Store, size: int) -> None:
    """Copies the first `size` bytes of another store."""
    to[:size] = memoryview(source)[:size]


def take_store(store: Store, size: int) -> bytes:
    """The first `size` bytes of the store, which must not be used again."""
    return bytes(memoryview(store)[:size])


def taken(data: bytes | memoryview, size: int) -> bytes:
    """The first `size` bytes of the data; `size` is at least 1, and the data has as many."""
    return bytes(data[:size])


def view(data: Memory, start: int, size: int) -> memoryview:
    """`size` bytes of the data from `start` on, as an object; release it with a `with` block."""
    return memoryview(data)[start : start + size]
