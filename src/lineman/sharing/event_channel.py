"""Messages between the processes of a program on their way out and in: numbers, stamps, signatures.

Without a secret they are passed on as they are. With one each has a number and a stamp, which are
signed with it, as those of a gateway's nodes are: who has recorded a message reaches nobody twice.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from lineman.brokers.cluster_clock import ClusterClock
from lineman.brokers.heard_senders import HeardSenders
from lineman.brokers.sequences import Freshness
from lineman.brokers.signing import Signer
from lineman.links.framing import BadMessageError, encode
from lineman.sharing.event_messages import FROM_OTHERS, ClockBeat, Event, ToAllClients

CLOCK_TOPIC = "clock"
# Seconds for which `trouble` reports a message that was signed with another secret, and between two
# answers to processes whose clock is behind.
REFUSED_LATELY = 60.0
BEAT = 1.0
# How far the numbers of one sender may come out of order, with one connection and with several.
IN_ORDER, OUT_OF_ORDER = 1_000, 10_000

AnyMessage = Event | ToAllClients | ClockBeat


class EventChannel:
    """Seals what this process sends, and opens what others have sent.

    Args:
        signer: signs and verifies.
        publish: hands a topic and bytes to the broker.
        keeps_order: whether messages of one sender keep their order on different topics.
        clock: the time that the processes share; None for a new one.

    Attributes:
        refused: messages that were not obeyed: not signed with this secret, repeated, or too old.
    """

    def __init__(
        self,
        signer: Signer,
        publish: Callable[[str, bytes], object],
        keeps_order: bool = True,
        clock: ClusterClock | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._signer = signer
        self._publish = publish
        self._window = IN_ORDER if keeps_order else OUT_OF_ORDER
        self._clock = clock or ClusterClock(self._loop.time)
        self._senders: HeardSenders[bytes] = HeardSenders(
            self._clock, self._on_stranger, lambda sender, age: self._repeat(f"is {age:.0f} s old")
        )
        self._origin = os.urandom(8)
        self._number = 0
        self._why = ""
        self._refused_at: float | None = None
        self._beat_at = -BEAT
        self.refused = 0

    @property
    def is_signed(self) -> bool:
        """Whether there is a secret."""
        return self._signer.has_secret

    def seal(self, topic: str, message: AnyMessage) -> bytes:
        """The bytes of a message for the broker."""
        message.origin = self._origin
        if self.is_signed:
            self._number += 1
            message.number, message.stamp = self._number, self._clock.now()
        return self._signer.sign(topic, encode(message))

    def open(self, topic: str, data: bytes) -> Event | ToAllClients | None:
        """The message in these bytes; None if it is this process' own, or about clocks.

        Raises:
            BadMessageError: it is not to be obeyed, and is counted; the text says why.
        """
        try:
            opened = self._signer.verify(topic, data)
            if opened is None:
                self._refused_at = self._loop.time()
                raise BadMessageError("it was not signed with this program's secret")
            message: AnyMessage = FROM_OTHERS.decode(opened)
            if message.origin == self._origin:
                return None
            if self.is_signed and not self._is_fresh(message):
                raise BadMessageError(self._why)
        except BadMessageError:
            self.refused += 1
            raise
        return None if isinstance(message, ClockBeat) else message

    def _is_fresh(self, message: AnyMessage) -> bool:
        sender, number = message.origin, message.number
        freshness = self._senders.take(sender, number, message.stamp, 0)
        if freshness is Freshness.NEW:
            heard = self._senders.by_sender[sender]
            if number - heard.covered > 2 * self._window:
                heard.cover(number - self._window)
        elif freshness is Freshness.REPEATED:
            self._repeat("has come before")
        return freshness is Freshness.NEW

    def _repeat(self, why: str) -> None:
        self._why = f"it {why}"

    def _on_stranger(self, sender: bytes, why: str) -> None:
        self._why = why
        self.beat()  # if its clock is behind, it is right from now on

    def beat(self) -> None:
        """Tells the others the time, so that clocks which are behind follow; once in a second."""
        now = self._loop.time()
        if self.is_signed and now - self._beat_at >= BEAT:
            self._beat_at = now
            self._publish(CLOCK_TOPIC, self.seal(CLOCK_TOPIC, ClockBeat(b"")))

    @property
    def trouble(self) -> str:
        """Why this process may not understand others; empty if it does."""
        refused = self._refused_at
        if refused is None or self._loop.time() - refused >= REFUSED_LATELY:
            return ""
        return (
            "the broker delivers events that are not signed with this program's secret; fix: give "
            "Worker.secret the same value on every machine, or another Worker.service_name to the "
            "other program"
        )
