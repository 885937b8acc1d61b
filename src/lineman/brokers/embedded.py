"""The broker of one machine: a hub process of the program itself, with nothing to install."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from typing import Any

from lineman.brokers.base import Broker, Subscriber
from lineman.links.framing import Message, WireFormat
from lineman.links.link import Link
from lineman.links.rendezvous import Listeners, dial

logger = logging.getLogger("lineman")

RETRY = 0.2
# Topics in one frame, so that it stays well below the limit of a link.
TOPICS_AT_ONCE = 10_000


# These messages stay as they are, byte by byte: a hub is replaced by a restart alone, and a process
# that starts later, of a newer version, dials the hub of before.


class Publish(Message, tag=1):
    """Bytes on a topic, to the hub and from the hub to subscribers."""

    topic: str
    payload: bytes


class Subscribe(Message, tag=2):
    """Subscribes to the topics."""

    topics: tuple[str, ...]


class Unsubscribe(Message, tag=3):
    """Unsubscribes from the topics."""

    topics: tuple[str, ...]


class HubLeaving(Message, tag=4):
    """The hub stops normally, together with the whole service."""


TO_HUB = WireFormat(Publish | Subscribe | Unsubscribe)
FROM_HUB = WireFormat(Publish | HubLeaving)


class Hub:
    """Passes published messages on to subscribers; it stores nothing.

    A subscriber that reads too slowly loses messages, and does not delay others.

    Attributes:
        dropped: messages that slow subscribers have lost.
    """

    def __init__(self) -> None:
        self._subscribers: dict[str, set[Link]] = {}
        self._topics: dict[Link, set[str]] = {}
        self._listeners = Listeners()
        self.dropped = 0

    async def start(self, path: str) -> None:
        """Listens at a unix socket; a socket that an earlier process has left there is replaced."""
        await self._listeners.add(lambda: Link(TO_HUB, self._on_batch, self._on_end), path)

    async def stop(self) -> None:
        """Ends all links."""
        self._listeners.close()
        for link in list(self._topics):
            link.post(HubLeaving())
            link.close()

    def _on_batch(self, link: Link, batch: list[Any]) -> None:
        topics = self._topics.get(link)
        if topics is None:
            if link.peer_uid() not in (None, 0, os.getuid()):
                link.fail(f"it runs as user {link.peer_uid()}, not as {os.getuid()}")
                return
            topics = self._topics[link] = set()
        for message in batch:
            if isinstance(message, Publish):
                self._pass_on(message)
            elif isinstance(message, Subscribe):
                topics.update(message.topics)
                for topic in message.topics:
                    self._subscribers.setdefault(topic, set()).add(link)
            else:
                self._forget(link, topics.intersection(message.topics))
                topics.difference_update(message.topics)

    def _pass_on(self, message: Publish) -> None:
        for link in self._subscribers.get(message.topic, ()):
            if link.is_clogged:
                self.dropped += 1
            else:
                link.post(message, len(message.payload))

    def _forget(self, link: Link, topics: Iterable[str]) -> None:
        for topic in topics:
            subscribers = self._subscribers[topic]
            subscribers.discard(link)
            if not subscribers:
                del self._subscribers[topic]

    def _on_end(self, link: Link, reason: str) -> None:
        self._forget(link, self._topics.pop(link, ()))


class Embedded(Broker):
    """A gateway process' end of the hub.

    Args:
        path: the hub's unix socket.
        subscriber: see `Broker`.
    """

    patience = 5.0  # it starts together with this process

    def __init__(
        self,
        path: str,
        subscriber: Subscriber,
    ) -> None:
        super().__init__(subscriber)
        self._path = path
        self.shown = path
        self._link: Link | None = None
        self._settled = 0
        self._task: asyncio.Task[None] | None = None
        self._reached_at = 0.0
        self._loop = asyncio.get_running_loop()

    async def start(self) -> None:
        """Begins to dial the hub, and keeps trying."""
        self._dial(self._loop.time() + self.patience)

    def _dial(self, quiet_until: float, pause: float = 0.0) -> None:
        self._task = self._loop.create_task(self._keep_dialling(quiet_until, pause))

    async def _keep_dialling(self, quiet_until: float, pause: float) -> None:
        await asyncio.sleep(pause)
        while True:
            try:
                link = await dial(lambda: Link(FROM_HUB, self._on_batch, self._on_end), self._path)
            except OSError as error:
                if self._loop.time() >= quiet_until:
                    self._enter(False, f"the hub at {self._path} is not reached: {error.strerror}")
                await asyncio.sleep(RETRY)
                continue
            self._link = link
            self._reached_at = self._loop.time()
            self.is_leaving = False
            self._enter(True)
            self.subscribe(self._topics())
            return

    def _on_batch(self, link: Link, batch: list[Publish | HubLeaving]) -> None:
        for message in batch:
            if isinstance(message, HubLeaving):
                self.is_leaving = True
            else:
                self._on_message(message.topic, message.payload)

    def _on_end(self, link: Link, reason: str) -> None:
        if self._link is link:
            self._link = None
            left = "has ended" if self.is_leaving else f"is gone: {reason}"
            self._enter(False, f"the hub {left}")
            is_refused = self._loop.time() - self._reached_at < RETRY
            self._dial(self._loop.time(), RETRY if is_refused else 0.0)

    @property
    def has_room(self) -> bool:
        """Whether the hub can take more messages."""
        return self._link is None or not self._link.is_clogged

    @property
    def settled(self) -> int:
        """See `Broker`."""
        if self._link is None or not self._link.unsent:
            self._settled = self.taken
        return self._settled

    def publish(self, topic: str, payload: bytes) -> None:
        """Sends to all subscribers of a topic."""
        if self._link is None or self._link.is_clogged:
            self.dropped += 1
        else:
            self.taken += 1
            self._link.post(Publish(topic, payload), len(payload))

    def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribes to the topics."""
        self._post_topics(Subscribe, topics)

    def unsubscribe(self, topics: Iterable[str]) -> None:
        """Unsubscribes from the topics."""
        self._post_topics(Unsubscribe, topics)

    def _post_topics(
        self, kind: type[Subscribe] | type[Unsubscribe], topics: Iterable[str]
    ) -> None:
        if self._link is None:
            return  # all topics are sent when the hub is back
        wanted = tuple(topics)
        for start in range(0, len(wanted), TOPICS_AT_ONCE):
            self._link.post(kind(wanted[start : start + TOPICS_AT_ONCE]))

    async def close(self) -> None:
        """Sends what was published, then ends."""
        link, self._link = self._link, None
        if self._task is not None:
            self._task.cancel()
        if link is not None:
            link.close()
        self._end()
