"""The interface of all brokers; `tests/brokers` tests each of them against the same contract."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subscriber:
    """The subscriber that a broker serves.

    Attributes:
        on_message: gets the topic and the bytes, in the event loop; also those of messages that
            the same broker published, if it has subscribed to their topic.
        on_state: called with whether the broker is connected, when this is first known and when it
            changes; and again with True if messages may have been lost.
        topics: all topics that must be subscribed to now; it may be read in pieces, while topics
            change.
    """

    on_message: Callable[[str, bytes], None]
    on_state: Callable[[bool], None]
    topics: Callable[[], Iterable[str]]


class Broker(abc.ABC):
    """Carries bytes from each publisher of a topic to all its subscribers.

    A message arrives at most once, and messages from one publisher to one subscriber on one topic
    keep their order. Nothing is stored: while the broker is not connected, published messages are
    dropped and counted. When it is connected again, it subscribes to all `topics`.

    Args:
        subscriber: the subscriber that it serves.

    Attributes:
        is_connected: whether the broker is connected.
        dropped: messages that were published while it was not connected, or too fast.
        taken: messages that it has taken to be sent.
        trouble: why it is not connected, as text; empty while it is connected.
        partial: what of it is not reached while it is connected, as text; empty for nothing.
        patience: seconds after the start; a broker that has not answered within them is reported as
            away.
        shown: its address without the password; empty if it has no address.
        is_leaving: whether it has announced its end, as it does when the whole service stops.
        keeps_order: whether messages of one publisher also keep their order on different topics.
    """

    patience = 1.5
    keeps_order = True

    def __init__(
        self,
        subscriber: Subscriber,
    ) -> None:
        self._on_message = subscriber.on_message
        self._on_state = subscriber.on_state
        self._topics = subscriber.topics
        self.is_connected = False
        self.dropped = self.taken = 0
        self.trouble = "it has not answered yet"
        self.partial = ""
        self.is_leaving = False
        self.shown = ""
        self._told: bool | None = None  # the argument of the last call of `on_state`

    @abc.abstractmethod
    async def start(self) -> None:
        """Begins to connect to the broker, and keeps trying; returns at once.

        Raises:
            ConfigError: it can never work: a package is missing, or the address is invalid.
        """

    @abc.abstractmethod
    def publish(self, topic: str, payload: bytes) -> None:
        """Sends to all subscribers of a topic; drops and counts a message that cannot be sent."""

    @abc.abstractmethod
    def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribes to the topics."""

    @abc.abstractmethod
    def unsubscribe(self, topics: Iterable[str]) -> None:
        """Unsubscribes from the topics."""

    @property
    def has_room(self) -> bool:
        """Whether more can be published without being dropped."""
        return True

    @property
    def settled(self) -> int:
        """Of those that it has taken, the messages that have left this process, or were dropped."""
        return self.taken

    @property
    def takes_all(self) -> bool:
        """Whether more can be published on every topic without being dropped."""
        return self.has_room and not self.partial

    async def drain(self) -> None:  # noqa: B027
        """Returns when there is room for more, or waiting messages were dropped."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Sends what was published, then ends."""

    def _end(self) -> None:
        """Notes that it was closed on purpose; `on_state` is not called for that."""
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
