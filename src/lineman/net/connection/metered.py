"""Counts what one client sends: one is made only where something is limited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from lineman.errors import ProtocolError
from lineman.net.connection.rates import Meter
from lineman.protocols.websocket.close import POLICY_VIOLATION


class TrafficMeter:
    """Gives a `ProtocolError` with 1008 as soon as a client sends more than it may.

    Bytes count as they come, before they are inflated; everything that is decoded is a message,
    pings and pongs too.

    Args:
        meter: of the client, and its address.
        hits: where the limits that were passed are counted.
        clock: seconds that only go forward.
    """

    __slots__ = ("_clock", "_hits", "_meter")

    def __init__(self, meter: Meter, hits: Counter[str], clock: Callable[[], float]) -> None:
        self._meter = meter
        self._hits = hits
        self._clock = clock

    def bytes(self, count: int) -> ProtocolError | None:
        """Counts bytes; what the client has done wrong, or None."""
        return self._broken(self._meter.bytes(count, self._clock()))

    def message(self) -> ProtocolError | None:
        """Counts a message; what the client has done wrong, or None."""
        return self._broken(self._meter.message(self._clock()))

    def _broken(self, passed: tuple[str, str] | None) -> ProtocolError | None:
        if passed is None:
            return None
        self._hits[passed[0]] += 1
        return ProtocolError(POLICY_VIOLATION, passed[1])
