"""One message to many connections: made into a frame once, whatever their number."""

from __future__ import annotations

from collections.abc import Iterable

from lineman.net.connection import Connection, to_frame
from lineman.protocols.websocket import frames


def broadcast(message: str | bytes | bytearray | memoryview, to: Iterable[Connection]) -> int:
    """Sends a message to each of the connections.

    A slow reader is closed as by `send` and holds up nobody else; a closed connection is passed
    over. The connections may come from a generator, and may open and close meanwhile.

    Returns:
        How many connections took the message.

    Raises:
        UsageError: the message is neither text nor bytes.
    """
    first, payload = to_frame(message)
    frame = frames.encode(first & 0x0F, payload, first & 0xF0)
    taken = 0
    for connection in list(to):  # a callback may change a set that is being walked
        taken += connection.send_encoded(frame)
    return taken
