"""What the tests of brokers share: ends of a broker, and whether they reach each other."""

from __future__ import annotations

import asyncio

from kit.waiting import DEADLINE
from lineman.brokers.base import Broker, Subscriber


class Heard:
    """What one end of a broker hears, and what it wants to."""

    def __init__(self, *topics: str) -> None:
        self.topics = set(topics)
        self.messages: list[tuple[str, bytes]] = []
        self.states: list[bool] = []
        self.broker: Broker | None = None

    @property
    def subscriber(self) -> Subscriber:
        return Subscriber(self.take, self.states.append, lambda: self.topics)

    def take(self, topic: str, payload: bytes) -> None:
        self.messages.append((topic, payload))


async def reaches(sender: Heard, receiver: Heard, topic: str) -> None:
    """Returns when something published by one is heard by the other."""
    mark = (topic, b"does it reach you?")

    async def again() -> None:
        while mark not in receiver.messages:
            sender.broker.publish(*mark)
            await asyncio.sleep(0.02)

    await asyncio.wait_for(again(), DEADLINE)
