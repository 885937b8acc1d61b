"""What brokers that are services of their own have in common: reaching them, again and again."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lineman.errors import ConfigError
from lineman.gateway.brokers.base import Broker

logger = logging.getLogger("lineman")

# Published and not taken yet; what is past it is dropped.
MAX_WAITING = 8 * 1024 * 1024
FIRST_RETRY = 0.2
LAST_RETRY = 5.0
# A server that says nothing for so long is given up, and reached anew.
TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Work:
    """What waits to be told to the broker, in order.

    Attributes:
        topic: of a message to publish; None for a change of subscriptions.
        payload: of the message.
        subscribe: topics that are wanted from now on.
        unsubscribe: topics that are wanted no more.
    """

    topic: str | None = None
    payload: bytes = b""
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()


class Remote(Broker):
    """A broker behind a client library whose calls are awaited.

    A subclass opens one session (`_open`), reads from it until it ends (`_read`), tells it what
    waits (`_write`), and shuts it (`_shut`). Whatever any of these raises ends the session, and
    another is opened after a pause that grows to five seconds.
    """

    def __init__(
        self,
        on_message: Callable[[str, bytes], None],
        on_state: Callable[[bool], None],
        topics: Callable[[], Iterable[str]],
    ) -> None:
        super().__init__(on_message, on_state, topics)
        self._work: list[Work] = []
        self._waiting = 0
        self._has_work = asyncio.Event()
        self._takes_work = False
        self._task: asyncio.Task[None] | None = None

    @abc.abstractmethod
    async def _open(self, topics: tuple[str, ...]) -> None:
        """Opens a session that has subscribed to these topics when this returns."""

    @abc.abstractmethod
    async def _read(self) -> None:
        """Hands messages to `_on_message` until the session ends."""

    @abc.abstractmethod
    async def _write(self, work: list[Work]) -> None:
        """Does what waits; returns when the broker has it."""

    @abc.abstractmethod
    async def _shut(self) -> None:
        """Frees what the session holds, in whatever state it is."""

    async def start(self) -> None:
        """Begins to reach the broker, and goes on trying."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        pause = FIRST_RETRY
        while True:
            try:
                # From here on what is subscribed to waits, and all before it is among the topics.
                self._takes_work = True
                await asyncio.wait_for(self._open(tuple(self._topics())), 2 * TIMEOUT)
                self._enter(True)
                pause = FIRST_RETRY
                await self._talk()
            except ConfigError:
                raise
            except Exception as error:  # the libraries raise whatever their sockets do, and more
                self._enter(False, f"{type(error).__name__}: {error}"[:300])
            finally:
                self._forget_work()
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(self._shut(), TIMEOUT)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LAST_RETRY)

    async def _talk(self) -> None:
        loop = asyncio.get_running_loop()
        sides = [loop.create_task(self._read()), loop.create_task(self._work_off())]
        try:
            done, _ = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for side in sides:
                side.cancel()
            await asyncio.gather(*sides, return_exceptions=True)
        for side in done:
            side.result()
        raise ConnectionError("the broker ended the connection")

    async def _work_off(self) -> None:
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            work, self._work = self._work, []
            self._waiting = 0
            await self._write(work)

    def _forget_work(self) -> None:
        self.dropped += sum(work.topic is not None for work in self._work)
        self._work.clear()
        self._waiting = 0
        self._has_work.clear()
        self._takes_work = False

    def publish(self, topic: str, payload: bytes) -> None:
        """Sends to all subscribers of a topic."""
        if not self.is_connected or self._waiting + len(payload) > MAX_WAITING:
            self.dropped += 1
            return
        self._waiting += len(payload)
        self._add(Work(topic, payload))

    def subscribe(self, topics: Iterable[str]) -> None:
        """Wants what is published on the topics from now on."""
        if self._takes_work:
            self._add(Work(subscribe=tuple(topics)))

    def unsubscribe(self, topics: Iterable[str]) -> None:
        """Wants no more of it."""
        if self._takes_work:
            self._add(Work(unsubscribe=tuple(topics)))

    def _refuse(self, work: Work, limit: int) -> None:
        self.dropped += 1
        logger.error(
            "a message of %d bytes was dropped, the broker takes %d: raise its limit, or send less",
            len(work.payload), limit,
        )  # fmt: skip

    def _add(self, work: Work) -> None:
        self._work.append(work)
        self._has_work.set()

    async def drain(self) -> None:
        """Returns when there is room for more."""
        while self.is_connected and self._waiting > MAX_WAITING // 2:
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Sends what is under way, then ends."""
        if self._task is None:
            return
        if self.is_connected and self._work:
            work, self._work = self._work, []
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._write(work), TIMEOUT)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._end()
