"""One message to many connections: made into a frame, and compressed, once for all of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from lineman.errors import UsageError
from lineman.net.connection.connection import Connection
from lineman.net.connection.send_queue import check_key
from lineman.protocols.http.event_stream import ServerSentEvent
from lineman.protocols.websocket.session import plain, to_frame


def broadcast(
    message: Any,
    to: Iterable[Connection],
    key: Hashable | None = None,
) -> int:
    """Sends a message to each of the connections.

    A slow reader fares as with `send` and holds up nobody else; a connection that is closed, or
    not open yet, is passed over. Where only some of the connections have a protocol that cannot
    carry the message (a text of two lines and `text://`), the others get it, and it is counted and
    logged. The connections may come from a generator, be of several workers, and open and close
    meanwhile.

    Args:
        message: as for `Connection.send`.
        to: the connections.
        key: as for `Connection.send`.

    Returns:
        How many connections took the message.

    Raises:
        UsageError: the message is neither text nor bytes, `to` holds something else than
            connections, the key cannot be hashed, or all of the connections have a protocol that
            cannot carry the message; nobody has got the message then.
    """
    if key is not None:
        check_key(key)
    is_plain = isinstance(message, (str, bytes, bytearray, memoryview))
    if is_plain:
        message = plain(message)  # a callback must not change it for later receivers
        to_frame(message)
    everyone = receivers(to)
    if not is_plain and type(message) is not ServerSentEvent and _has_websocket(everyone):
        plain(message)  # which raises
    encoded: dict[object, bytes | UsageError] = {}  # by what those with the same bytes share
    last: object = None
    shared = b""
    refused: UsageError | None = None
    taken = 0
    for connection in everyone:
        if not connection.is_open:
            connection.send_encoded(b"", key)  # which counts that it was too late
            continue
        group = connection.share_key()
        if group is None:  # its messages are its own, or build on those before them
            try:
                taken += connection.send(message, key)
            except UsageError as error:
                refused = error
                connection.note_unsendable(error)
            continue
        if group is not last:
            last = group
            if group not in encoded:
                encoded[group] = _encoded(connection, message)
            found = encoded[group]
            if isinstance(found, UsageError):
                last, refused = None, found
                connection.note_unsendable(found)
                continue
            shared = found
        taken += connection.send_encoded(shared, key)
    if refused is not None and not taken and len(encoded) <= 1:
        raise refused
    return taken


def _encoded(connection: Connection, message: object) -> bytes | UsageError:
    """The message as the connection's protocol has it, or the reason why it cannot carry it."""
    try:
        return connection.encode_shared(message)
    except UsageError as error:
        return error


def _has_websocket(connections: list[Connection]) -> bool:
    return any(connection.endpoint.protocol is None for connection in connections)


def receivers(to: Iterable[Connection]) -> list[Connection]:
    """The connections in a list of their own: a callback may change a set that is being walked.

    Raises:
        UsageError: they are not connections.
    """
    try:
        found = iter(to)
    except TypeError:
        raise UsageError(f"to is {to!r}; give connections, in a list, a set or the like") from None
    connections = list(found)
    for connection in connections:
        if not isinstance(connection, Connection):
            raise UsageError(f"to holds {connection!r}; give connections, as on_connect gets them")
    return connections
