"""What goes over the broker between processes of a program: events, and messages for all clients.

Pure.
"""

from __future__ import annotations

from lineman.errors import UsageError
from lineman.links.framing import Message, WireFormat

# The size of an event's data or of a message for all clients, in bytes. NATS takes 1 MiB.
MAX_DATA = 1_000_000
MAX_NAME = 256


class Event(Message, tag=1):
    """An event, with its data as MessagePack.

    Attributes:
        origin: the process that sent it.
        number, stamp: of a process with a secret: counts its messages, and the time in
            milliseconds since 1970.
    """

    origin: bytes
    data: bytes
    number: int = 0
    stamp: int = 0


class ToAllClients(Message, tag=2):
    """A message for all clients of a worker; it and its key are MessagePack.

    Attributes:
        origin: the process that sent it; its own clients have it already.
        number, stamp: as of an `Event`.
    """

    origin: bytes
    message: bytes
    key: bytes
    number: int = 0
    stamp: int = 0


class ClockBeat(Message, tag=3):
    """The time of a process with a secret."""

    origin: bytes
    number: int = 0
    stamp: int = 0


FROM_OTHERS = WireFormat(Event | ToAllClients | ClockBeat)


def event_topic(event: object) -> str:
    """The broker's topic of an event.

    Raises:
        UsageError: the event's name is no text of 1 to 256 bytes.
    """
    if not isinstance(event, str):
        if callable(event):
            raise UsageError('on_event needs a name: write @worker.on_event("name") above it')
        raise UsageError(f"the name of an event is a text, got {type(event).__name__}")
    try:
        size = len(event.encode())
    except UnicodeEncodeError:
        raise UsageError(f"the name of an event is no Unicode text: {event!r:.80}") from None
    if not 0 < size <= MAX_NAME:
        raise UsageError(f"the name of an event has {size} bytes; give 1 to {MAX_NAME}")
    return f"event:{event}"


def clients_topic(worker: str) -> str:
    """The broker's topic of messages for all clients of a worker."""
    return f"clients:{worker}"
