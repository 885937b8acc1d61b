"""The shared values in NATS JetStream: a stream for the service, a subject with one message a key.

An operation reads the message, applies itself to it, and publishes the result with the sequence
number that it has read (`Nats-Expected-Last-Subject-Sequence`): the server refuses it if another
process was faster, and then it begins again. A key is deleted by the number of its message.

When a key expires is a header of its message, by the clocks of the machines. Nobody reads it from
then on; the process that has set it deletes it. What processes that have ended leave is deleted
when the stream is full.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from lineman.brokers.broker_address import explain
from lineman.brokers.jetstream import EXPECTED, WRONG_LAST, JetStream
from lineman.brokers.nats import token_of
from lineman.brokers.remote import end_tasks
from lineman.errors import RefusedError
from lineman.sharing.remote_store import RemoteStore
from lineman.sharing.store import TIMEOUT
from lineman.sharing.store_messages import StoreReply, StoreRequest
from lineman.sharing.value_store import MAX_BYTES, MAX_KEYS, StoredValue, ValueStore

UNTIL = "Lineman-Until"  # milliseconds since 1970
# The server's codes for a message number that is not there, as others were faster: of its versions.
NO_MESSAGE = {10037, 10043, 10057}
# Seconds between looks for keys of this process that have expired, and between looks at all keys.
SWEEP = 10.0
AT_A_TIME = 1000


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the server has of a key: the number of its message; 0 and None if there is none."""

    seq: int = 0
    entry: StoredValue | None = None


class NatsStore(RemoteStore):
    """Does operations on the values of a service in NATS 2.9 or newer, with JetStream.

    Args:
        url: as of the broker.
        name: the service's name; others have another stream.
        timeout: seconds that an answer may take.
    """

    def __init__(self, url: str, name: str, timeout: float = TIMEOUT) -> None:
        super().__init__("NATS", timeout)
        self._server = JetStream(url, timeout / 2, self._make_stream)
        self._stream = f"lineman-shared-{token_of(name)}"
        self._prefix = f"lineman-shared.{token_of(name)}."
        # Operations of this process on one key wait for each other: they need not race.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._expiring: dict[str, tuple[float, int]] = {}  # deadline and number by subject
        self._sweeping: asyncio.Task[None] | None = None
        self._looked_at = -SWEEP  # when all keys were looked at
        self._looking = asyncio.Lock()

    async def _make_stream(self, jetstream: Any) -> None:
        """Makes the stream; its limits and replicas are the administrator's from then on."""
        from nats.js.api import DiscardPolicy, StreamConfig
        from nats.js.errors import NotFoundError

        needed: dict[str, Any] = {
            "subjects": [f"{self._prefix}>"],
            "max_msgs_per_subject": 1,
            "discard": DiscardPolicy.NEW,
        }
        try:
            found = await jetstream.stream_info(self._stream)
        except NotFoundError:
            limits: dict[str, Any] = {"max_msgs": MAX_KEYS, "max_bytes": MAX_BYTES}
            await jetstream.add_stream(StreamConfig(name=self._stream, **needed, **limits))
            return
        if any(getattr(found.config, key) != value for key, value in needed.items()):
            await jetstream.update_stream(found.config.evolve(**needed))

    async def _do(self, request: StoreRequest) -> StoreReply:
        from nats.errors import Error
        from nats.js.errors import APIError, ServiceUnavailableError

        lock = self._locks.setdefault(request.key, asyncio.Lock())
        try:
            async with lock:
                jetstream = await self._server.reach()
                return await self._server.while_connected(self._operate(jetstream, request))
        except ServiceUnavailableError as error:
            why = error.description or "JetStream is not enabled; start it with -js"
            raise self._unreached(why) from None
        except APIError as error:
            raise RefusedError(
                f"JetStream refuses: {error.description}", "look at its users and limits"
            ) from None
        except (Error, OSError) as error:
            raise self._unreached(explain(error)) from None

    async def _operate(self, jetstream: Any, request: StoreRequest) -> StoreReply:
        subject = self._prefix + token_of(request.key)
        may_look = True
        while True:  # until nobody else was faster; somebody is ahead each time
            kept = _Kept() if request.operation == "set" else await self._find(jetstream, subject)
            values = ValueStore(time.time)
            if kept.entry is not None:
                values.keep(request.key, StoredValue(kept.entry.value, kept.entry.deadline))
            reply = values.apply(request)
            after = values.find(request.key)
            if request.operation == "get" or after == kept.entry or reply.outcome != "done":
                return reply
            expected = None if request.operation == "set" else kept.seq
            outcome = await self._write(jetstream, subject, after, expected)
            if outcome == "done":
                return reply
            if outcome == "full":
                if not may_look or not await self._look_at_all(jetstream):
                    return StoreReply(request.number, "full")
                may_look = False

    async def _find(self, jetstream: Any, subject: str) -> _Kept:
        from nats.js.errors import NotFoundError

        try:
            found = await jetstream.get_last_msg(self._stream, subject)
        except NotFoundError:
            return _Kept()
        return _Kept(found.seq, StoredValue(found.data or b"", _deadline(found.headers)))

    async def _write(
        self, jetstream: Any, subject: str, entry: StoredValue | None, expected: int | None
    ) -> str:
        """Keeps or deletes a key; `done`, `full`, or `late` if another process was faster."""
        from nats.js.errors import APIError

        try:
            if entry is None:
                await jetstream.delete_msg(self._stream, expected)
                self._expiring.pop(subject, None)
                return "done"
            headers = {} if expected is None else {EXPECTED: str(expected)}
            if entry.deadline is not None:
                headers[UNTIL] = str(round(entry.deadline * 1000))
            told = await jetstream.publish(
                subject, entry.value, stream=self._stream, headers=headers or None
            )
        except APIError as error:
            if error.err_code == WRONG_LAST or (entry is None and error.err_code in NO_MESSAGE):
                return "late"
            if "maximum" in (error.description or "") or "insufficient" in (
                error.description or ""
            ):
                return "full"
            raise
        self._note(subject, entry, told.seq)
        return "done"

    # Keys that expire.

    def _note(self, subject: str, entry: StoredValue, seq: int) -> None:
        if entry.deadline is None:
            self._expiring.pop(subject, None)
        elif subject in self._expiring or len(self._expiring) < MAX_KEYS:
            self._expiring[subject] = entry.deadline, seq
            if self._sweeping is None:
                self._sweeping = asyncio.get_running_loop().create_task(self._sweep())

    async def _sweep(self) -> None:
        from nats.errors import Error

        while True:
            await asyncio.sleep(SWEEP)
            now = time.time()
            over = [name for name, (deadline, _) in self._expiring.items() if deadline <= now]
            numbers = [self._expiring.pop(name)[1] for name in over]
            if numbers:
                with contextlib.suppress(Error, OSError, TimeoutError):
                    jetstream = await self._server.reach()
                    await self._server.while_connected(self._delete(jetstream, numbers))

    async def _delete(self, jetstream: Any, numbers: Iterable[int]) -> None:
        """Deletes messages; a key that was set again has another one, which stays."""
        from nats.js.errors import APIError

        for number in numbers:
            with contextlib.suppress(APIError):
                await jetstream.delete_msg(self._stream, number)

    async def _look_at_all(self, jetstream: Any) -> bool:
        """Deletes all keys that have expired, also of other processes; at most once in `SWEEP`.

        Returns:
            Whether there may be room now.
        """
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() - self._looked_at < SWEEP:
                return False
            self._looked_at = loop.time()
            await self._delete(jetstream, await self._expired(jetstream))
            return True

    async def _expired(self, jetstream: Any) -> list[int]:
        """The numbers of all messages whose keys have expired."""
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

        consumer = await jetstream.pull_subscribe(
            f"{self._prefix}>",
            stream=self._stream,
            config=ConsumerConfig(
                deliver_policy=DeliverPolicy.ALL,
                ack_policy=AckPolicy.NONE,
                headers_only=True,
                inactive_threshold=self._timeout,  # if this process ends before
                mem_storage=True,
            ),
        )
        try:
            info = await consumer.consumer_info()
            left, found, now = info.num_pending, [], time.time()
            while left > 0:
                part = await consumer.fetch(min(left, AT_A_TIME), timeout=self._timeout)
                left -= len(part)
                for message in part:
                    deadline = _deadline(message.headers)
                    if deadline is not None and deadline <= now:
                        found.append(message.metadata.sequence.stream)
            return found
        finally:
            await consumer.unsubscribe()
            await jetstream.delete_consumer(self._stream, info.name)

    async def close(self) -> None:
        """Ends the connection."""
        if self._sweeping is not None:
            await end_tasks([self._sweeping])
        await self._server.close()


def _deadline(headers: dict[str, str] | None) -> float | None:
    """When a key expires, in seconds since 1970; None for never."""
    until = (headers or {}).get(UNTIL)
    return None if until is None or not until.isdecimal() else int(until) / 1000
