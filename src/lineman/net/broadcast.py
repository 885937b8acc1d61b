"""One message to many connections: made into a frame, and compressed, once for all of them."""

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
    plain = frames.whole(first, payload)
    compressed: dict[int, bytes] = {}  # by the window that they share
    taken = 0
    for connection in list(to):  # a callback may change a set that is being walked
        agreement = connection.agreement
        if agreement is None:
            taken += connection.send_encoded(plain)
            continue
        key = agreement.share_key
        if key is None:  # its messages build on those before them
            taken += connection.send(message)
            continue
        frame = compressed.get(key)
        if frame is None and connection.is_open:
            frame = compressed[key] = connection.encode_shared(message)
        taken += connection.send_encoded(plain if frame is None else frame)
    return taken
