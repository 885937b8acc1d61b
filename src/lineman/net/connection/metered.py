"""A decoder that counts what a client sends: one is made only where something is limited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from lineman.errors import ProtocolError
from lineman.net.connection.rates import Meter
from lineman.protocols.websocket.close import POLICY_VIOLATION
from lineman.protocols.websocket.decoder import PROGRESS, Decoder, Event
from lineman.protocols.websocket.deflate import Inflater


class MeteredDecoder(Decoder):
    """Gives a `ProtocolError` with 1008 as soon as a client sends more than it may.

    Bytes count as they come, before they are inflated; everything that is decoded is a message,
    pings and pongs too.

    Args:
        max_message_size: see `Decoder`.
        inflater: see `Decoder`.
        meter: of the client, and its address.
        hits: where the limits that were passed are counted.
        clock: seconds that only go forward.
    """

    __slots__ = ("_clock", "_hits", "_is_begun", "_is_over", "_meter")

    def __init__(
        self,
        max_message_size: int,
        inflater: Inflater | None,
        meter: Meter,
        hits: Counter[str],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(max_message_size, True, inflater)
        self._meter = meter
        self._hits = hits
        self._clock = clock
        self._is_begun = False  # these bytes were counted
        self._is_over = False

    def next(self, data: memoryview) -> Event | None:
        """See `Decoder`."""
        if self._is_over:
            return None
        now = self._clock()
        passed = None
        if not self._is_begun:
            self._is_begun = True
            passed = self._meter.bytes(len(data), now)
        event = None
        if passed is None:
            event = super().next(data)
            if event is None:
                self._is_begun = False
                return None
            if event is PROGRESS:
                return event
            passed = self._meter.message(now)
        if passed is None:
            return event
        self._is_over = True
        self._hits[passed[0]] += 1
        return ProtocolError(POLICY_VIOLATION, passed[1])

    def has_taken(self, data: memoryview) -> bool:
        """See `Decoder`; what is left of these bytes comes again, and is not counted again."""
        has_taken = super().has_taken(data)
        if has_taken:
            self._is_begun = False
        return has_taken
