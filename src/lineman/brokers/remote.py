"""The common part of brokers that are separate services: reconnecting."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from lineman.base.cancellation import is_cancelled_itself
from lineman.brokers.base import Broker, Subscriber
from lineman.brokers.broker_address import explain, without_login

logger = logging.getLogger("lineman")

T = TypeVar("T")

# Bytes that are handed to the client library at once; they must be sent within `timeout`.
AT_ONCE = 1024 * 1024
FIRST_RETRY = 0.2


@dataclass(frozen=True, slots=True)
class RemoteLimits:
    """How much may wait for a broker, and how long it is waited for.

    Attributes:
        timeout: seconds; if a server sends nothing for this time, the connection is closed and
            opened again.
        last_retry: the longest pause between two attempts to reach the server, in seconds.
        max_waiting: bytes that may wait for the broker; further messages are dropped and counted.
        max_messages: the number of messages that may wait, likewise.
        max_changes: changes of subscriptions that may wait; with more of them a new session begins.
        first_topics: topics that are subscribed to before a session counts as open. With a million
            of them this node's first sign of life would come too late, so the others follow.
        topics_at_once: topics that are subscribed to in one step.
    """

    timeout: float = 5.0
    last_retry: float = 5.0
    max_waiting: int = 8 * 1024 * 1024
    max_messages: int = 100_000
    max_changes: int = 1_000_000
    first_topics: int = 10_000
    topics_at_once: int = 1000


DEFAULT_LIMITS = RemoteLimits()


@dataclass(frozen=True, slots=True)
class PendingWrite:
    """A message or a change of subscriptions that waits for the broker.

    Attributes:
        topic: the topic of a message; None for a change of subscriptions.
        payload: the bytes of the message.
        subscribe: topics to subscribe to.
        unsubscribe: topics to unsubscribe from.
    """

    topic: str | None = None
    payload: bytes = b""
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()

    @property
    def changes(self) -> int:
        """The number of topics whose subscription changes."""
        return len(self.subscribe) + len(self.unsubscribe)

    @property
    def size(self) -> int:
        """Its size in bytes, approximately."""
        return len(self.payload) + 100 * self.changes


class Remote(Broker):
    """A broker behind a client library whose calls are awaited.

    A subclass opens one session (`_open`), reads from it until it ends (`_read`), sends what waits
    (`_write`), and closes it (`_shut`). Any exception of these ends the session, and another one is
    opened after a pause that grows to five seconds.

    Args:
        url: the server's address.
        subscriber: see `Broker`.
        limits: how much may wait, and how long.

    Attributes:
        timeout: see `RemoteLimits`.
    """

    def __init__(
        self, url: str, subscriber: Subscriber, limits: RemoteLimits = DEFAULT_LIMITS
    ) -> None:
        super().__init__(subscriber)
        self.timeout = limits.timeout
        self._limits = limits
        self.shown = without_login(url)
        self._work: deque[PendingWrite] = deque()
        self._messages = 0  # number of messages that wait or are being written
        self._waiting = 0  # their size in bytes
        self._changes = 0
        # Topics that an open session must still subscribe to, in parts: all at once would delay
        # messages. Later changes are sent separately.
        self._later: Iterator[str] | None = None
        self._changed: set[str] = set()
        self._has_work = asyncio.Event()
        self._takes_work = False
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None

    @abc.abstractmethod
    async def _open(self, topics: tuple[str, ...]) -> None:
        """Opens a session, and returns when it has subscribed to these topics.

        Their number is not limited; each step takes at most `timeout`.
        """

    @abc.abstractmethod
    async def _read(self) -> None:
        """Hands messages to `_on_message` until the session ends or the server is silent."""

    @abc.abstractmethod
    async def _write(self, work: list[PendingWrite]) -> None:
        """Sends what waits; returns when the broker has it."""

    @abc.abstractmethod
    async def _shut(self) -> None:
        """Closes the session, whatever state it is in."""

    async def start(self) -> None:
        """Begins to connect to the broker, and keeps trying."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        pause = FIRST_RETRY
        while not self._is_closing:
            try:
                # From here on changes of subscriptions wait; `topics` contains all earlier ones.
                self._takes_work = True
                self._later = iter(self._topics())
                await self._open(tuple(islice(self._later, self._limits.first_topics)))
                self._has_work.set()
                self._enter(True)
                pause = FIRST_RETRY
                await self._talk()
            # The libraries raise many types of exceptions, and may cancel what they are awaited in.
            except (Exception, asyncio.CancelledError) as error:
                if is_cancelled_itself():
                    raise
                self._end_session(error)
            finally:
                self._forget_work()
                await self._shut_quietly()
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, self._limits.last_retry)

    def _end_session(self, error: BaseException) -> None:
        try:
            self._enter(False, explain(error))
        except Exception:  # of who is told; the next session must begin all the same
            logger.exception("what follows from the end of the broker's session has failed")

    async def _shut_quietly(self) -> None:
        try:
            await asyncio.wait_for(self._shut(), self.timeout)
        except (Exception, asyncio.CancelledError):
            if is_cancelled_itself():
                raise

    async def _talk(self) -> None:
        loop = asyncio.get_running_loop()
        sides = [loop.create_task(self._read()), loop.create_task(self._work_off())]
        try:
            done, _ = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks(sides)
        for side in done:
            if not side.cancelled():  # by the library: this session has ended like any other
                side.result()
        raise ConnectionError("the broker ended the connection")

    async def _work_off(self) -> None:
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            while self._work or self._later is not None:
                most = self._limits.max_changes
                if self._changes > most:
                    raise ConnectionError(
                        f"{self._changes} changes of subscriptions wait, at most {most} may"
                    )
                await self._write_some()

    async def _write_some(self) -> None:
        work = self._take_later()
        messages = size = told = 0
        while self._work and told < AT_ONCE:
            one = self._work.popleft()
            work.append(one)
            messages += one.topic is not None
            size += len(one.payload)
            told += one.size
            self._changes -= one.changes
        try:
            async with asyncio.timeout(self.timeout):
                await self._write(work)
        except TimeoutError:
            self.dropped += messages
            raise ConnectionError(f"it took nothing for {self.timeout:g} s") from None
        except BaseException:
            self.dropped += messages  # some of them may have arrived
            raise
        finally:
            self._messages -= messages
            self._waiting -= size

    def _take_later(self) -> list[PendingWrite]:
        if self._later is None:
            return []
        topics = tuple(islice(self._later, self._limits.topics_at_once))
        work = PendingWrite(
            subscribe=tuple(topic for topic in topics if topic not in self._changed)
        )
        if len(topics) < self._limits.topics_at_once:
            self._later = None
            self._changed.clear()
        return [work] if work.changes else []

    def _forget_work(self) -> None:
        self.dropped += sum(work.topic is not None for work in self._work)
        self._work.clear()
        self._later = None
        self._changed.clear()
        self._messages = self._waiting = self._changes = 0
        self._has_work.clear()
        self._takes_work = False

    def publish(self, topic: str, payload: bytes) -> None:
        """Sends to all subscribers of a topic."""
        limits = self._limits
        if (
            not self.is_connected
            or self._waiting + len(payload) > limits.max_waiting
            or self._messages >= limits.max_messages
        ):
            self.dropped += 1
            return
        self._waiting += len(payload)
        self._messages += 1
        self.taken += 1
        self._add(PendingWrite(topic, payload))

    def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribes to the topics."""
        for part in parts_of(tuple(topics), self._limits.topics_at_once):
            self._change(PendingWrite(subscribe=part))

    def unsubscribe(self, topics: Iterable[str]) -> None:
        """Unsubscribes from the topics."""
        for part in parts_of(tuple(topics), self._limits.topics_at_once):
            self._change(PendingWrite(unsubscribe=part))

    def _change(self, work: PendingWrite) -> None:
        # Beyond the limit the session is about to end, and the next one subscribes to all `topics`.
        if self._takes_work and self._changes <= self._limits.max_changes:
            if self._later is not None:
                self._changed.update(work.subscribe, work.unsubscribe)
            self._changes += work.changes
            self._add(work)

    def _refuse(self, work: PendingWrite, limit: int) -> None:
        self.dropped += 1
        logger.error(
            "a message of %d bytes was dropped, the broker accepts %d: raise its limit, or send "
            "smaller messages",
            len(work.payload), limit,
        )  # fmt: skip

    def _add(self, work: PendingWrite) -> None:
        self._work.append(work)
        self._has_work.set()

    @property
    def has_room(self) -> bool:
        """Whether more may be published without being dropped."""
        most = min(AT_ONCE, self._limits.max_waiting // 2)
        return self._waiting <= most and self._messages <= self._limits.max_messages // 2

    @property
    def settled(self) -> int:
        """See `Broker`: the server has said that it has them."""
        return self.taken - self._messages

    async def drain(self) -> None:
        """Returns when there is room for more."""
        while self.is_connected and not self.has_room:
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Sends what was published, then ends."""
        if self._task is None:
            return
        if self.is_connected:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wait_for_the_last(), self.timeout)
        self._is_closing = True
        await end_tasks([self._task])
        self._end()

    async def _wait_for_the_last(self) -> None:
        while self.is_connected and (self._messages or self._work):
            await asyncio.sleep(0.001)


async def end_tasks(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancels tasks until they have ended.

    One cancellation is not enough: before Python 3.12 `asyncio.wait_for`, which the client
    libraries use, ignores it if the awaited future completes at the same moment.
    """
    is_cancelled = False
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=0.2)
        except asyncio.CancelledError:
            is_cancelled = True  # raised again when the tasks have ended
    for task in tasks:
        if not task.cancelled():
            task.exception()  # marks the exception as retrieved
    if is_cancelled:
        raise asyncio.CancelledError


def parts_of(whole: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    """A sequence in parts of at most `size` items."""
    for start in range(0, len(whole), size):
        yield tuple(whole[start : start + size])
