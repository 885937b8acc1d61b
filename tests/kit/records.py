"""Records of a link as bytes, made without the code that is tested."""

from __future__ import annotations

from lineman.links.records import BINARY, DONE, HEAD, TEXT


def message_record(number: int, message: str | bytes) -> bytes:
    """A message from or to the client with this number."""
    kind, payload = (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
    return HEAD.pack(kind, len(payload), number) + payload


def done_record(number: int, count: int) -> bytes:
    """A record: `count` events of the client with this number were handled."""
    return HEAD.pack(DONE, count, number)
