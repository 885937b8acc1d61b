"""Bytes where they lie, so that what is sent needs no object of its own.

This is the plain-Python way, where some are made; compiled modules find the same functions in
`buffers.h`, by `buffers.pxd`. There a `Memory` is a pointer, valid while the object lives that it
was taken from.
"""

from __future__ import annotations

from typing import NamedTuple

Memory = bytes | bytearray | memoryview
# Memory that is written to.
Room = bytearray | memoryview
# Memory that becomes a `bytes`, in C without a copy.
Store = bytearray


class Payload(NamedTuple):
    """The bytes of a message.

    Attributes:
        data: where they lie.
        size: how many they are; -1 for what is neither exactly `str` nor exactly `bytes`, and for a
            text that UTF-8 has no bytes for.
        is_text: whether it is a text.
    """

    data: Memory
    size: int
    is_text: bool


def payload_of(message: object) -> Payload:
    """The bytes of a message; see `Payload` for what has none."""
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
    """Where the bytes of a bytearray lie, which must not change its size meanwhile."""
    return room


def room_from(room: Room, start: int) -> Room:
    """Where the bytes of a room from `start` on lie."""
    return memoryview(room)[start:]


def data_of(data: bytes) -> Memory:
    """Where these bytes lie."""
    return data


def part(data: memoryview, start: int) -> Memory:
    """Where the bytes from `start` on lie; there must be one.

    Raises:
        IndexError: there is none (compiled).
    """
    return data[start:]


def start_of(data: memoryview) -> Memory:
    """Where the bytes lie, of which there may be none."""
    return data


def beyond(data: Memory, start: int) -> Memory:
    """Where the bytes of the data from `start` on lie."""
    return memoryview(data)[start:]


def copy(to: Room, at: int, data: Memory, start: int, size: int) -> None:
    """Copies `size` bytes of the data, from `start` on, to `at`; there must be room."""
    whole = start == 0 and size == len(data)
    to[at : at + size] = data if whole else memoryview(data)[start : start + size]


def append(to: bytearray, data: Memory, start: int, size: int) -> None:
    """Adds `size` bytes of the data, from `start` on."""
    to += memoryview(data)[start : start + size]


def find(data: Memory, start: int, stop: int, byte: int) -> int:
    """Where the byte stands first, from `start` on and before `stop`; -1 where it does not."""
    return bytes(data[start:stop]).find(byte) + start if byte in data[start:stop] else -1


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
    """Where the bytes of a store lie, which nobody else may have seen."""
    return store


def fill_store(to: Store, source: Store, size: int) -> None:
    """Copies the first `size` bytes of another store."""
    to[:size] = memoryview(source)[:size]


def take_store(store: Store, size: int) -> bytes:
    """The first `size` bytes of the store, which is not used again."""
    return bytes(memoryview(store)[:size])


def taken(data: bytes | memoryview, size: int) -> bytes:
    """The first `size` bytes of the data, of which there are as many, and at least one."""
    return bytes(data[:size])


def view(data: Memory, start: int, size: int) -> memoryview:
    """The `size` bytes of the data from `start` on as an object; to be released by `with`."""
    return memoryview(data)[start : start + size]
