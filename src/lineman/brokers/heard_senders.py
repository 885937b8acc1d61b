"""What was heard of each sender at the broker: a message counts once, if it is of now. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from lineman.brokers.cluster_clock import MAX_AGE, ClusterClock
from lineman.brokers.sequences import Freshness, HeardSequence

S = TypeVar("S", bound=Hashable)

# Senders that are remembered, and for how many seconds after their last message.
SENDERS = 10_000
REMEMBERED = 3600.0


class HeardSenders(Generic[S]):
    """The numbers that were heard, by sender.

    Args:
        clock: the time that the senders share.
        on_stranger: gets the sender of a message from a session that is over, as it seems, and the
            reason in words.
        on_late: gets the sender of a message that newer ones have overtaken, and its age in s.

    Attributes:
        by_sender: the numbers of each sender.
    """

    def __init__(
        self,
        clock: ClusterClock,
        on_stranger: Callable[[S, str], object],
        on_late: Callable[[S, float], object],
    ) -> None:
        self._clock = clock
        self._on_stranger = on_stranger
        self._on_late = on_late
        self.by_sender: OrderedDict[S, HeardSequence] = OrderedDict()

    def take(self, sender: S, number: int, stamp: int, run: int) -> Freshness:
        """Notes a message, by what its sender has given to it.

        Returns:
            NEW: it is to be obeyed. REPEATED: its number was heard before, on another topic or
            because somebody repeats it; the caller knows. LATE: it is not obeyed, and was told.
        """
        heard = self.by_sender.get(sender) or self._begin(sender, number, stamp)
        if heard is None:
            return Freshness.LATE
        seconds = self._clock.hear(stamp)
        freshness = Freshness.LATE if seconds > MAX_AGE else heard.take(number, run)
        if freshness is Freshness.LATE:
            self._on_late(sender, seconds)
        return freshness

    def _begin(self, sender: S, number: int, stamp: int) -> HeardSequence | None:
        if not self._clock.may_begin(stamp):
            age = self._clock.hear(stamp)
            self._on_stranger(
                sender,
                f"it is {age:.0f} s old, and nothing was heard of this process before. If nobody "
                "repeats old messages: the clock of its machine is behind",
            )
            return None
        heard = self.by_sender[sender] = HeardSequence(number - 1)
        if len(self.by_sender) > SENDERS:
            self.by_sender.popitem(last=False)
        return heard

    def sweep(self, now: float) -> None:
        """Forgets senders that were not heard of for long; to be called again and again."""
        over = [name for name, one in self.by_sender.items() if one.is_over(now, REMEMBERED)]
        for sender in over:
            del self.by_sender[sender]
