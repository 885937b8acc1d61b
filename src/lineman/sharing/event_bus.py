"""The event bus of one process: it sends to the other processes of the program, and gets theirs."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from lineman.base.loglimit import LogLimit
from lineman.brokers.base import Broker, MakeBroker, Subscriber
from lineman.brokers.signing import Secret, Signer
from lineman.errors import UsageError
from lineman.links.framing import BadMessageError
from lineman.links.plain_values import decode_plain, encode_plain
from lineman.sharing.event_channel import CLOCK_TOPIC, EventChannel
from lineman.sharing.event_messages import (
    MAX_DATA,
    Event,
    ToAllClients,
    clients_topic,
    event_topic,
)
from lineman.sharing.event_queue import EventQueue
from lineman.sharing.store import LocalStore, Store

logger = logging.getLogger("lineman")

# Seconds that a worker waits for the broker before its on_worker_start.
START_PATIENCE = 2.0

OnBroadcast = Callable[[Any, Any], object]
MakeStore = Callable[[], Store]


class EventBus:
    """Sends and gets the events of one process.

    Args:
        make_broker: makes the broker; None if the program has this process only.
        make_store: makes the store of shared values.
        secret: signs what is sent, as of a `Gateway`; None for no signatures.

    Attributes:
        published: events and messages for all clients that this process has sent.
        lost: those that could not be sent, and events that waited for a function that is too slow.
        users: workers of this process that use it.
    """

    def __init__(
        self,
        make_broker: MakeBroker | None,
        make_store: MakeStore = LocalStore,
        secret: Secret = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._queues: dict[str, list[EventQueue]] = {}
        self._receivers: dict[str, list[OnBroadcast]] = {}
        self._log = LogLimit(logger)
        self._is_reached = asyncio.Event()
        self._was_away = False
        self._slow = 0
        self._unsent = 0
        self.published = 0
        self.users = 0
        self._make_store = make_store
        self._store: Store | None = None
        self._broker: Broker | None = None
        if make_broker is not None:
            subscriber = Subscriber(self._on_message, self._on_state, self._topics)
            self._broker = make_broker(subscriber)
        keeps_order = self._broker is None or self._broker.keeps_order
        self._channel = EventChannel(Signer(secret), self._put_out, keeps_order)

    @property
    def is_connected(self) -> bool:
        """Whether the other processes are reached now."""
        return self._broker is None or self._broker.is_connected

    @property
    def store(self) -> Store:
        """The store of shared values, made at its first use.

        Raises:
            ConfigError: the broker has none.
        """
        if self._store is None:
            self._store = self._make_store()
        return self._store

    @property
    def lost(self) -> int:
        """Events that could not be sent, or that waited for a function that is too slow."""
        return self._unsent + self._slow

    @property
    def refused(self) -> int:
        """Messages of the broker that were not obeyed."""
        return self._channel.refused

    @property
    def trouble(self) -> str:
        """Why the other processes are not reached, or not understood; empty if they are."""
        if self._broker is None or self.is_connected:
            return self._channel.trouble
        return self._broker.trouble

    async def start(self) -> None:
        """Connects to the broker; waits until it is reached, two seconds at most.

        Raises:
            ConfigError: the broker can never work.
        """
        if self._broker is None:
            return
        await self._broker.start()
        try:
            async with asyncio.timeout(START_PATIENCE):
                await self._is_reached.wait()
        except TimeoutError:
            self._was_away = True
            logger.warning(
                "events reach only this process until the broker answers: %s", self.trouble
            )

    async def close(self) -> None:
        """Sends what was published, then ends."""
        if self._store is not None:
            await self._store.close()
        if self._broker is not None:
            await self._broker.close()
        self._log.tell()

    # What this process sends.

    def publish(self, event: object, data: object) -> bool:
        """Sends an event to every process; returns whether it is on its way to the others.

        Raises:
            UsageError: the name or the data cannot be sent, or this is another thread.
        """
        topic = event_topic(event)
        self._check_thread("publish")
        encoded = encode_plain("the data of the event", data, MAX_DATA)
        for queue in self._queues.get(topic, ()):
            self._put(queue, topic, encoded)
        return self._send(topic, Event(b"", encoded))

    def send_to_all_clients(self, worker: str, message: object, key: object) -> bool:
        """Sends a message to the clients of a worker in the other processes.

        Returns:
            Whether it is on its way.

        Raises:
            UsageError: the message or the key cannot be sent, or this is another thread.
        """
        self._check_thread("broadcast")
        if isinstance(message, memoryview):
            message = bytes(message)
        if not isinstance(key, str | bytes | int | None):
            raise UsageError(
                f"key is a {type(key).__name__}; with everywhere=True it is a text, bytes or a "
                "whole number"
            )
        encoded = encode_plain("the message", message, MAX_DATA)
        of_key = encode_plain("the key", key, MAX_DATA)
        return self._send(clients_topic(worker), ToAllClients(b"", encoded, of_key))

    def _send(self, topic: str, message: Event | ToAllClients) -> bool:
        self.published += 1
        broker = self._broker
        if broker is None:
            return True
        before = broker.dropped
        broker.publish(topic, self._channel.seal(topic, message))
        is_sent = broker.dropped == before
        self._unsent += not is_sent
        return is_sent

    def _put_out(self, topic: str, data: bytes) -> None:
        if self._broker is not None:
            self._broker.publish(topic, data)

    def _check_thread(self, call: str) -> None:
        if threading.get_ident() != self._thread:
            raise UsageError(
                f"{call}() belongs to the thread of the event loop; from another one write "
                "loop.call_soon_threadsafe(function)"
            )

    # What this process gets.

    def add_queue(self, event: str, queue: EventQueue) -> None:
        """Hands the events of this name to a queue."""
        topic = event_topic(event)
        self._queues.setdefault(topic, []).append(queue)
        self._subscribe(topic)

    def remove_queue(self, event: str, queue: EventQueue) -> None:
        """Hands over no further events to a queue."""
        self._remove(self._queues, event_topic(event), queue)

    def add_receiver(self, worker: str, on_broadcast: OnBroadcast) -> None:
        """Hands over messages for the clients of a worker, each with its key."""
        topic = clients_topic(worker)
        self._receivers.setdefault(topic, []).append(on_broadcast)
        self._subscribe(topic)

    def remove_receiver(self, worker: str, on_broadcast: OnBroadcast) -> None:
        """Hands over no further messages for the clients of a worker."""
        self._remove(self._receivers, clients_topic(worker), on_broadcast)

    def _subscribe(self, topic: str) -> None:
        if self._broker is not None:
            self._broker.subscribe([topic])

    def _remove(self, of: dict[str, list[Any]], topic: str, what: object) -> None:
        of[topic].remove(what)
        if not of[topic]:
            del of[topic]
            if self._broker is not None:
                self._broker.unsubscribe([topic])

    def _topics(self) -> Iterable[str]:
        clock = [CLOCK_TOPIC] if self._channel.is_signed else []
        return [*self._queues, *self._receivers, *clock]

    def _on_state(self, is_connected: bool) -> None:
        if is_connected:
            self._is_reached.set()
            self._channel.beat()
            if self._was_away:
                logger.info("events reach the other processes again; %d were lost", self.lost)
        elif self._broker is not None and not self._broker.is_leaving:
            logger.warning("events do not reach the other processes: %s", self.trouble)
        self._was_away = not is_connected

    def _on_message(self, topic: str, payload: bytes) -> None:
        try:
            message = self._channel.open(topic, payload)
            if message is None:
                return
            if isinstance(message, ToAllClients):
                whole, key = decode_plain(message.message), decode_plain(message.key)
                for receive in list(self._receivers.get(topic, ())):
                    receive(whole, key)
            else:
                decode_plain(message.data)  # raises here for what is no value
                for queue in self._queues.get(topic, ()):
                    self._put(queue, topic, message.data)
        except (BadMessageError, ValueError) as error:
            self._log.log(
                logging.WARNING,
                "bad events",
                "topic %.80r: a message is refused: %s",
                topic,
                error,
            )

    def _put(self, queue: EventQueue, topic: str, encoded: bytes) -> None:
        if not queue.put(encoded):
            self._slow += 1
            self._log.log(
                logging.WARNING, "slow events", "an event is lost: too many wait for %s", queue
            )


# The bus of each event loop: a process of a service has one loop.
_of_loop: dict[asyncio.AbstractEventLoop, EventBus] = {}


def here() -> EventBus | None:
    """The bus of the running event loop; None if no worker there uses one."""
    try:
        return _of_loop.get(asyncio.get_running_loop())
    except RuntimeError:
        return None


async def join(
    make_broker: MakeBroker | None, make_store: MakeStore = LocalStore, secret: Secret = None
) -> EventBus:
    """The bus of this process; the first worker that needs it starts it, and `leave` ends it.

    Raises:
        ConfigError: the broker can never work.
    """
    loop = asyncio.get_running_loop()
    bus = _of_loop.get(loop)
    if bus is None:
        bus = _of_loop[loop] = EventBus(make_broker, make_store, secret)
        bus.users = 1
        try:
            await bus.start()
        except BaseException:
            await leave(bus)
            raise
    else:
        bus.users += 1
    return bus


async def leave(bus: EventBus) -> None:
    """Ends the bus with its last worker."""
    bus.users -= 1
    if bus.users == 0:
        _of_loop.pop(bus._loop, None)
        await bus.close()
