"""How much each sender of datagrams may send in a second. Its tables have a bound.

A sender is an address with its port; an address is what `client_key` makes of it. Both may be
forged, so that an attacker has as many as there are: the table of each keeps the latest ones only.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from lineman.net.connection.limits import Limits
from lineman.net.connection.networks import client_key
from lineman.net.connection.rates import Bucket, Meter, bucket

# Senders that are known at once, and addresses: about 40 MB if all are.
MOST = 65_536

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LatestOnly(Generic[K, V]):
    """A table that forgets who was not asked for the longest when it is full.

    Args:
        make: makes the value of a new key.
        most: keys that it keeps.
    """

    __slots__ = ("_found", "_make", "_most")

    def __init__(self, make: Callable[[K], V], most: int = MOST) -> None:
        self._make = make
        self._most = most
        self._found: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: K) -> V:
        """The value of a key, which counts as the latest now."""
        found = self._found
        value = found.pop(key, None)
        if value is None:
            value = self._make(key)
            if len(found) >= self._most:
                del found[next(iter(found))]
        found[key] = value
        return value


class SenderMeters:
    """Counts what senders send.

    Args:
        limits: of the service.
        clock: seconds that only go forward.
        most: senders and addresses that are known at once.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float], most: int = MOST) -> None:
        self._limits = limits
        self._clock = clock
        self._meters: LatestOnly[tuple[str, int], Meter] = LatestOnly(self._meter, most)
        self._addresses: LatestOnly[bytes, tuple[Bucket | None, Bucket | None]]
        self._addresses = LatestOnly(self._buckets, most)

    def __len__(self) -> int:
        return max(len(self._meters), len(self._addresses))

    def passed(self, sender: tuple[str, int], size: int) -> tuple[str, str] | None:
        """Counts a datagram; the limit that it passes, by name and in words.

        Args:
            sender: address and port.
            size: bytes of the datagram.
        """
        meter = self._meters.get(sender)
        now = self._clock()  # not before its buckets were made
        return meter.message(now) or meter.bytes(size, now)

    def _meter(self, sender: tuple[str, int]) -> Meter:
        limits, now = self._limits, self._clock()
        key = client_key(sender[0], limits.ipv6_prefix)
        messages, sizes = (None, None) if key is None else self._addresses.get(key)
        return Meter(
            [
                ("messages_per_second", bucket(limits.messages_per_second, now)),
                ("messages_per_second_per_ip", messages),
            ],
            [
                ("bytes_per_second", bucket(limits.bytes_per_second, now)),
                ("bytes_per_second_per_ip", sizes),
            ],
        )

    def _buckets(self, key: bytes) -> tuple[Bucket | None, Bucket | None]:
        limits, now = self._limits, self._clock()
        return (
            bucket(limits.messages_per_second_per_ip, now),
            bucket(limits.bytes_per_second_per_ip, now),
        )
