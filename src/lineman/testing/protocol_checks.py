"""Checks a protocol: bytes give the same messages however they are cut, and limits hold."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lineman.errors import ProtocolError
from lineman.net.connection.limits import Limits
from lineman.protocols.codecs.chosen import check, sessions_of
from lineman.protocols.events import LATER, Progress
from lineman.protocols.interface import Session
from lineman.protocols.websocket.close import INTERNAL_ERROR, MESSAGE_TOO_BIG

# Places at which a long stream is cut in two; a shorter one is cut at each.
CUTS = 2000
# Streams of garbage, and the largest size of one.
GARBAGE = 200
GARBAGE_SIZE = 300
# The limit with which an endless package must be given up, and what may be kept of it.
SMALL = 4096


def check_protocol(
    protocol: Any, messages: Sequence[Any], *, max_message_size: int = 1024 * 1024
) -> None:
    """Feeds a protocol in every way that must not matter; returns if it has passed.

    The messages are encoded; their bytes must be decoded to equal messages if they arrive whole,
    byte by byte, cut in two at every place, put off to a later turn, and with a part of another
    message behind them, which must stay. Garbage, and valid bytes that were changed, must give
    messages or a `ProtocolError`, however they are cut, and no other exception. A package that
    does not end must be given up at the limit.

    Args:
        protocol: as the option `protocol` of a `Worker`; or `text`, `frame` or `tcp`. The messages
            of `tcp` are cut anywhere, so it is compared by its bytes.
        messages: what `decode` returns and `encode` takes, one message or more.
        max_message_size: the limit for the messages.

    Raises:
        ConfigError: this is no protocol.
        AssertionError: what was fed, what was expected, and what came.
    """
    check(protocol)
    _Check(protocol, list(messages), max_message_size).run()


class _Check:
    def __init__(self, protocol: Any, messages: list[Any], most: int) -> None:
        assert messages, "give at least one message"
        self._make: Callable[[int], Session] = lambda size: sessions_of(protocol)(
            Limits(max_message_size=size)
        )
        self._is_cut_anywhere = protocol == "tcp"
        self._most = most
        self._messages = messages

    def run(self) -> None:
        encoded = [self._make(self._most).encode(message) for message in self._messages]
        stream = b"".join(encoded)
        for how, parts in _cuts(stream):
            self._expect(how, self._events(parts), self._messages)
        self._expect("put off after each message", self._put_off(stream), self._messages)
        if not self._is_cut_anywhere:
            for size in range(1, min(len(encoded[0]), CUTS)):
                self._check_tail(stream, encoded[0][:size])
        self._check_garbage(stream)
        self._check_limit()

    def _events(self, parts: list[bytes], most: int = 0) -> list[Any]:
        session = self._make(most or self._most)
        return [event for part in [*parts, b""] for event in events_of(session, part)]

    def _put_off(self, stream: bytes) -> list[Any]:
        session, found = self._make(self._most), []
        while (event := session.next(memoryview(stream))) is not None:
            found += _known(event)
            if not session.has_more:
                break
            stream = session.rest(memoryview(stream))
        return found

    def _check_tail(self, stream: bytes, tail: bytes) -> None:
        session = self._make(self._most)
        how = f"whole, with {len(tail)} bytes of another message behind"
        self._expect(how, events_of(session, stream + tail), self._messages)
        left = session.left(memoryview(b""))
        assert left == tail, f"{how}: {tail!r:.100} must be left for later, and it is {left!r:.100}"

    def _check_garbage(self, stream: bytes) -> None:
        chance = random.Random(stream)
        for number in range(GARBAGE):
            data = chance.randbytes(chance.randrange(1, GARBAGE_SIZE))
            if number % 2:
                data = _changed(stream[:GARBAGE_SIZE], chance)
            whole = self._events([data], SMALL)
            slow = self._events([bytes([byte]) for byte in data], SMALL)
            for event in whole:
                is_fault = isinstance(event, ProtocolError) and event.code == INTERNAL_ERROR
                assert not is_fault, (
                    f"the bytes {data!r}: {event}; for bytes that are no message, raise "
                    'ProtocolError(1007, "why")'
                )
            if not self._same(whole, slow):
                raise AssertionError(
                    f"the bytes {data!r} give {_shown(whole)} as a whole, and byte by byte they "
                    f"give {_shown(slow)}"
                )

    def _check_limit(self) -> None:
        """Sends each byte again and again: it must be given up, or be messages."""
        for byte in (0, 1, 0x20, 0x41, 0x7F, 0xFF):
            session = self._make(SMALL)
            events = events_of(session, bytes([byte]) * (4 * SMALL))
            ended = [event for event in events if isinstance(event, ProtocolError)]
            assert ended or events or session.held() <= SMALL, (
                f"{4 * SMALL} bytes {byte:#04x}, and {SMALL} are the limit: they must end it with "
                f"{MESSAGE_TOO_BIG}, and {session.held()} bytes are kept"
            )

    def _expect(self, how: str, found: list[Any], expected: list[Any]) -> None:
        if self._same(found, expected):
            return
        count = 0
        while count < min(len(found), len(expected)) and found[count] == expected[count]:
            count += 1
        here = next(repr(each)[:200] for each in (*found[count:], "nothing more"))
        right = next(repr(each)[:200] for each in (*expected[count:], "nothing more"))
        raise AssertionError(
            f"{how}: message {count + 1} of {len(expected)} must be {right}, and it is {here}"
        )

    def _same(self, found: list[Any], expected: list[Any]) -> bool:
        if self._is_cut_anywhere:
            return _joined(found) == _joined(expected)
        return list(map(_comparable, found)) == list(map(_comparable, expected))


def events_of(session: Session, data: bytes) -> list[Any]:
    """The messages that a session gives for these bytes, and the error that ends it.

    What waits for the clock is asked for as well.
    """
    found: list[Any] = []
    view = memoryview(data)
    while True:
        event = session.next(view)
        if event is not None:
            found += _known(event)
        if event is None or not session.has_more:
            if not session.ask_now():
                return found
            view = memoryview(b"")


def _known(event: Any) -> list[Any]:
    return [] if event is LATER or isinstance(event, Progress) else [event]


def _cuts(stream: bytes) -> Iterator[tuple[str, list[bytes]]]:
    size = len(stream)
    yield "whole", [stream]
    yield "byte by byte", [bytes([byte]) for byte in stream]
    step = size // CUTS + 1
    for at in range(1, size, step):
        around = f"{stream[max(0, at - 20) : at]!r} | {stream[at : at + 20]!r}"
        yield f"cut at {at} of {size} bytes, {around}", [stream[:at], stream[at:]]


def _changed(stream: bytes, chance: random.Random) -> bytes:
    data = bytearray(stream)
    for _ in range(chance.randrange(1, 5)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data[: chance.randrange(1, len(data) + 1)])


def _joined(events: list[Any]) -> bytes:
    return b"".join(event for event in events if isinstance(event, bytes))


def _comparable(event: Any) -> Any:
    return event.code if isinstance(event, ProtocolError) else event


def _shown(events: list[Any]) -> str:
    return repr([str(e) if isinstance(e, ProtocolError) else e for e in events])[:300]
