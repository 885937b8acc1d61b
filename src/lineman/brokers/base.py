"""The one face of every broker; `tests/brokers` holds each to the same contract."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subscriber:
    """The subscriber that a broker serves.

    Attributes:
        on_message: gets the topic and the bytes, in the event loop; also of what was published by
            the same broker, where that has subscribed to it.
        on_state: called with whether the broker is reached, as soon as that is known, and when it
            changes; and again with True where messages may have been missed meanwhile.
        topics: everything that must be subscribed to now; it may be read a piece at a time, while
            some of it changes.
    """

    on_message: Callable[[str, bytes], None]
    on_state: Callable[[bool], None]
    topics: Callable[[], Iterable[str]]


class Broker(abc.ABC):
    """Carries bytes from each publisher of a topic to all its subscribers.

    A message arrives at most once, and messages from one publisher to one subscriber on one topic
    keep their order. Nothing is
    kept: while a broker is cut off, what is published is dropped and counted, and nothing grows.
    When it is back, it subscribes again to all that `topics` gives.

    Args:
        subscriber: whom it serves.

    Attributes:
        is_connected: whether the broker is reached.
        dropped: messages that were published while it was not, or faster than it took them.
        trouble: why it is not reached, as text; empty while it is reached.
        patience: seconds after the start; a broker that has not answered within them is reported as
            away.
        shown: its address, without a password; empty for one that has none.
        is_leaving: whether it has said that it ends, as it does when the whole service stops.
    """

    patience = 1.5

    def __init__(
        self,
        subscriber: Subscriber,
    ) -> None:
        self._on_message = subscriber.on_message
        self._on_state = subscriber.on_state
        self._topics = subscriber.topics
        self.is_connected = False
        self.dropped = 0
        self.trouble = "it has not answered yet"
        self.is_leaving = False
        self.shown = ""
        self._told: bool | None = None  # what `on_state` was called with last

    @abc.abstractmethod
    async def start(self) -> None:
        """Begins to reach the broker, and goes on trying; returns at once.

        Raises:
            ConfigError: it can never work: a package is missing, an address is none.
        """

    @abc.abstractmethod
    def publish(self, topic: str, payload: bytes) -> None:
        """Sends to all subscribers of a topic; dropped and counted while it cannot."""

    @abc.abstractmethod
    def subscribe(self, topics: Iterable[str]) -> None:
        """Wants what is published on the topics from now on."""

    @abc.abstractmethod
    def unsubscribe(self, topics: Iterable[str]) -> None:
        """Unsubscribes from it."""

    @property
    def has_room(self) -> bool:
        """Whether so little waits that more may well be published."""
        return True

    async def drain(self) -> None:  # noqa: B027
        """Returns when what was published has been taken, or dropped."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Sends what is under way, then ends."""

    def _end(self) -> None:
        """Notes that it was closed on purpose, of which nobody need be told."""
        self.is_connected = False
        self.trouble = "it was closed"

    def _enter(self, is_connected: bool, trouble: str = "") -> None:
        self.trouble = trouble
        self.is_connected = is_connected
        if is_connected is not self._told:
            self._told = is_connected
            self._on_state(is_connected)


# A function that makes a broker for a subscriber.
MakeBroker = Callable[[Subscriber], Broker]
