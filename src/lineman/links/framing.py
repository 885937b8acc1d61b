"""The encoding of messages between processes: MessagePack in frames with their length. Pure.

Every message is a struct whose fields have types. Decoding checks the types, and makes only the
structs of one union: everything else is refused.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lineman.errors import LinemanError

MAX_FRAME = 64 * 1024 * 1024
LENGTH = 4  # bytes, big-endian, before each frame


class BadMessageError(LinemanError):
    """The other side sent bytes that are no valid message: the link is closed."""


class Message(msgspec.Struct, array_like=True, gc=False):
    """The base of all messages."""

    def in_place(self, problem: str) -> Message | None:
        """The message that is sent in place of this one if no frame can carry it; None for none.

        Args:
            problem: the reason, as text.
        """
        return None


_encoder = msgspec.msgpack.Encoder()
encode_value = _encoder.encode


class WireFormat:
    """One direction of a link, or a broker's topics: the messages that are allowed.

    Args:
        kinds: the union of the allowed messages.
    """

    def __init__(self, kinds: Any) -> None:
        self._one = msgspec.msgpack.Decoder(kinds)
        self._batch = msgspec.msgpack.Decoder(list[kinds])

    def decode(self, data: bytes) -> Any:
        """One message.

        Raises:
            BadMessageError: the bytes are no message, or one that this direction does not allow.
        """
        return _decode(self._one, data)

    def decode_batch(self, data: bytes | bytearray) -> list[Any]:
        """The messages of one frame.

        Raises:
            BadMessageError: as for `decode`.
        """
        found: list[Any] = _decode(self._batch, data)
        return found


def _decode(decoder: msgspec.msgpack.Decoder[Any], data: bytes | bytearray) -> Any:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessageError(f"not a message of this version: {error}") from None


def encode(message: Message) -> bytes:
    """One message, for a broker."""
    return _encoder.encode(message)


def encode_frames(
    batch: list[Message], max_frame: int = MAX_FRAME
) -> tuple[list[bytes], list[tuple[Message, str]]]:
    """Frames with their lengths before them, for a link.

    Returns:
        One frame, or several if it would be too large; and the messages that no frame can carry,
        each with the reason. The other messages are sent all the same.
    """
    try:
        body = _encoder.encode(batch)
        problem = f"it has {len(body)} bytes, {max_frame} are allowed"
        if len(body) <= max_frame:
            return [len(body).to_bytes(LENGTH, "big") + body], []
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        problem = str(error)
    if len(batch) == 1:
        return [], [(batch[0], problem)]
    middle = len(batch) // 2
    frames, bad = encode_frames(batch[:middle], max_frame)
    more, worse = encode_frames(batch[middle:], max_frame)
    return frames + more, bad + worse
