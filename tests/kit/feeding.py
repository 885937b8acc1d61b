"""Feeds a session with bytes, cut in every way that must not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lineman.errors import ProtocolError
from lineman.protocols.events import LATER
from lineman.protocols.interface import Session


def events_of(session: Session, parts: list[bytes]) -> list[Any]:
    """What the session gives for these parts of a stream; a broken rule as its code."""
    found: list[Any] = []
    for part in parts:
        data = memoryview(part)
        found += _taken(session, data)
    # What waits for the clock is asked for as well.
    return found + (_taken(session, memoryview(b"")) if session.ask_now() else [])


def _taken(session: Session, data: memoryview) -> list[Any]:
    found: list[Any] = []
    while (event := session.next(data)) is not None:
        if event is not LATER:
            found.append(event.code if isinstance(event, ProtocolError) else event)
        if not session.has_more:
            break
    return found


def put_off(session: Session, stream: bytes) -> list[Any]:
    """The same where the caller asks for the rest after each event, and goes on with it later."""
    found: list[Any] = []
    while True:
        event = session.next(memoryview(stream))
        if event is not None:
            found.append(event.code if isinstance(event, ProtocolError) else event)
        if not session.has_more:
            return found
        stream = session.rest(memoryview(stream))


def all_cuts(make: Callable[[], Session], stream: bytes) -> Iterator[list[Any]]:
    """The events of the stream: whole, byte by byte, cut in two at each place, and put off."""
    yield events_of(make(), [stream])
    yield events_of(make(), [bytes([byte]) for byte in stream])
    for at in range(1, len(stream)):
        yield events_of(make(), [stream[:at], stream[at:]])
    yield put_off(make(), stream)
