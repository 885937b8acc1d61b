"""Frames that a program has made itself, and that are sent as they are. Pure."""

from __future__ import annotations

from lineman.errors import ProtocolError, UsageError
from lineman.protocols.websocket.messages import Close, Decoder

MAX_SIZE = 64 * 1024 * 1024


def to_frames(given: object) -> bytes:
    """Bytes that may stand between any two messages of any client.

    They are one or more whole frames as a server writes them: not masked, not compressed (what a
    client agreed on differs from the next one's), and a message that is begun is ended.

    Args:
        given: what the program gave with `raw=True`.

    Raises:
        UsageError: they would spoil what is sent after them, or say what the program does not.
    """
    if not isinstance(given, (bytes, bytearray, memoryview)):
        raise UsageError(
            "with raw=True give bytes that are whole websocket frames, got "
            f"{type(given).__name__}; without it a text or bytes are sent as a message"
        )
    data = bytes(given)
    decoder = Decoder(MAX_SIZE, expects_mask=False)
    events = decoder.feed(data)
    last = events[-1] if events else None
    if isinstance(last, ProtocolError):
        raise UsageError(
            f"these raw bytes are no frames that every client can take: {last.reason}; give whole "
            "frames, not masked and not compressed, or leave raw=True out"
        )
    if isinstance(last, Close):
        raise UsageError(
            "there is a close frame among the raw bytes; use close_client(client, code=…), which "
            "waits for the answer as well, or destroy_client(client)"
        )
    if decoder.is_mid_message:
        raise UsageError(
            f"these {len(data)} raw bytes end within a frame or a message: a client would take "
            "what is sent next for the rest of it; give whole frames, the last one with FIN"
        )
    if last is None:
        raise UsageError("0 raw bytes are no frame; to send an empty message leave raw=True out")
    return data
