"""How much somebody may do in a second. Pure: it decides, others act."""

from __future__ import annotations

# Past a rate somebody may do what was saved up in so many seconds, and no more.
BURST = 2.0


class Bucket:
    """A token bucket: what may be spent now, filled at a rate.

    Args:
        rate: units a second.
        now: seconds on a clock that only goes forward.
    """

    __slots__ = ("_at", "_left", "_most", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._most = max(1.0, BURST * rate)  # else a rate below one in two seconds were none
        self._left = self._most
        self._at = now

    @property
    def refill(self) -> float:
        """Seconds in which an empty one is full again."""
        return self._most / self.rate

    def spend(self, amount: float, now: float) -> bool:
        """Takes so much out; False where it is not there, and nothing is taken."""
        left = min(self._most, self._left + (now - self._at) * self.rate)
        self._at = now
        # What is larger than all that can be saved up must come through at times.
        is_enough = left >= min(amount, self._most)
        self._left = left - amount if is_enough else left
        return is_enough


def bucket(rate: float, now: float) -> Bucket | None:
    """A full bucket; None where the rate is 0, which is no limit."""
    return Bucket(rate, now) if rate else None


class Meter:
    """What one client sends: the limits of its own, and those that it shares with its address.

    Args:
        messages: buckets for messages, each with the name of its limit; None for no limit.
        sizes: buckets for bytes, likewise.
    """

    __slots__ = ("_messages", "_sizes")

    def __init__(
        self,
        messages: list[tuple[str, Bucket | None]],
        sizes: list[tuple[str, Bucket | None]],
    ) -> None:
        self._messages = [(name, found) for name, found in messages if found is not None]
        self._sizes = [(name, found) for name, found in sizes if found is not None]

    def message(self, now: float) -> tuple[str, str] | None:
        """Counts a message; the limit that it passes, by name and in words."""
        return _first(self._messages, 1, now, "messages")

    def bytes(self, count: int, now: float) -> tuple[str, str] | None:
        """Counts bytes; the limit that they pass, by name and in words."""
        return _first(self._sizes, count, now, "bytes")


def _first(
    buckets: list[tuple[str, Bucket]], amount: int, now: float, unit: str
) -> tuple[str, str] | None:
    for name, each in buckets:
        if not each.spend(amount, now):
            whose = " of one address" if name.endswith("_per_ip") else ""
            return name, f"more than {each.rate:g} {unit} a second{whose} ({name})"
    return None
