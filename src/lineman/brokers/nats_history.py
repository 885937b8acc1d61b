"""Durable histories in NATS JetStream: one stream for the service, a subject for each group.

An entry carries its epoch and offset in its headers. It is published with the sequence number that
the last entry of its subject must have (`Nats-Expected-Last-Subject-Sequence`), so the server
refuses it if another node was faster; then the last entry is read again. So there is one numbering
for each group, however many nodes append.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lineman.brokers.history_store import HistoryStore, StoredEntries, StoreLimits
from lineman.brokers.jetstream import EXPECTED, WRONG_LAST, JetStream
from lineman.brokers.nats import token_of

EPOCH, OFFSET, TOTAL = "Lineman-Epoch", "Lineman-Offset", "Lineman-Total"

# Groups of which the last entry is remembered.
REMEMBERED = 10_000
# Attempts to be the next entry of a group. A node that has lost asks for the last entry first, so
# that another one which appends all the time is ahead of it for as long as it appends.
MAX_TRIES = 500
# Seconds for which entries are awaited before the server is asked whether there are any.
FETCH = 0.5
# The server removes entries that are too large together when they have so much more than the limit.
SLACK = 1.25


@dataclass(slots=True)
class _Last:
    """The last entry of a group.

    Attributes:
        seq: its number in the stream; 0 if there is none.
        total: the size of all entries of this epoch, the removed ones included.
        kept_at: when it was appended, by the clock that only goes forward.
        sizes: numbers in the stream and totals of the last entries.
    """

    seq: int = 0
    epoch: str = field(default_factory=lambda: secrets.token_hex(8))
    offset: int = 0
    total: int = 0
    kept_at: float = 0.0
    sizes: deque[tuple[int, int]] = field(default_factory=deque)


class NatsHistory(HistoryStore):
    """The durable histories of a service in NATS 2.9 or newer, with JetStream.

    Args:
        url: as for `Nats`.
        name: the service's name.
        limits: how much is kept.
    """

    def __init__(self, url: str, name: str, limits: StoreLimits) -> None:
        super().__init__(url, limits)
        self._server = JetStream(url, limits.timeout, self._make_stream)
        self._stream = f"lineman-history-{token_of(name)}"
        self._prefix = f"lineman-history.{token_of(name)}."
        self._last: OrderedDict[str, _Last] = OrderedDict()

    async def _make_stream(self, jetstream: Any) -> None:
        """Makes the stream, or gives it the limits; replicas and all else stay as they are."""
        from nats.js.api import StreamConfig
        from nats.js.errors import NotFoundError, ServiceUnavailableError

        limits = self._limits
        ours: dict[str, Any] = {
            "subjects": [f"{self._prefix}>"],
            "max_age": limits.seconds,
            "max_msgs_per_subject": limits.messages,
            "duplicate_window": min(120.0, limits.seconds),
        }
        try:
            found = await jetstream.stream_info(self._stream)
        except NotFoundError:
            await jetstream.add_stream(StreamConfig(name=self._stream, **ours))
            return
        except ServiceUnavailableError as error:
            raise ConnectionError(f"JetStream is not enabled: {error}") from None
        if any(getattr(found.config, key) != value for key, value in ours.items()):
            await jetstream.update_stream(found.config.evolve(**ours))

    def _subject(self, group: str) -> str:
        return self._prefix + token_of(group)

    async def check(self) -> None:
        """Returns if entries can be kept: the stream is there."""
        await (await self._server.reach()).stream_info(self._stream)

    # Appending.

    async def append(self, group: str, contents: Sequence[bytes]) -> list[tuple[str, int]]:
        """Keeps entries of a group, in order; returns the epoch and the offset of each."""
        return await self._server.while_connected(
            self._append(await self._server.reach(), group, contents)
        )

    async def _append(
        self, jetstream: Any, group: str, contents: Sequence[bytes]
    ) -> list[tuple[str, int]]:
        last = self._last.pop(group, None)  # remembered again when all are kept
        if last is None:
            last = await self._find_last(jetstream, group, None)
        places = []
        for content in contents:
            last = await self._append_one(jetstream, group, content, last)
            places.append((last.epoch, last.offset))
        self._last[group] = last
        if len(self._last) > REMEMBERED:
            self._last.popitem(last=False)
        await self._trim(jetstream, group, last)
        return places

    async def _append_one(self, jetstream: Any, group: str, content: bytes, last: _Last) -> _Last:
        from nats.js.errors import APIError

        for _ in range(MAX_TRIES):
            offset, total = last.offset + 1, last.total + len(content)
            headers = {
                EXPECTED: str(last.seq), EPOCH: last.epoch, OFFSET: str(offset), TOTAL: str(total)
            }  # fmt: skip
            try:
                told = await jetstream.publish(
                    self._subject(group), content, stream=self._stream, headers=headers
                )
            except APIError as error:
                if error.err_code != WRONG_LAST:
                    raise
                last = await self._find_last(jetstream, group, last)
            else:
                last.sizes.append((told.seq, total))
                return _Last(told.seq, last.epoch, offset, total, _now(), last.sizes)
        raise ConnectionError(f"other nodes were faster {MAX_TRIES} times")

    async def _find_last(self, jetstream: Any, group: str, known: _Last | None) -> _Last:
        """The last entry of a group by the server.

        A new epoch begins if there is none, or if entries are lost that this node has appended.
        """
        from nats.js.errors import NotFoundError

        try:
            found = await jetstream.get_last_msg(self._stream, self._subject(group))
        except NotFoundError:
            if known is not None and known.seq:
                if _now() - known.kept_at > self._limits.seconds:
                    return _Last(0, known.epoch, known.offset, known.total)  # all are too old
                return _Last(0, offset=known.offset)
            return _Last()
        headers = found.headers or {}
        epoch, offset = headers.get(EPOCH, ""), int(headers.get(OFFSET, 0))
        if not epoch:
            return _Last(found.seq)
        if known is not None and known.epoch == epoch and found.seq < known.seq:
            return _Last(found.seq, offset=known.offset)
        return _Last(found.seq, epoch, offset, int(headers.get(TOTAL, 0)), _now())

    async def _trim(self, jetstream: Any, group: str, last: _Last) -> None:
        """Removes the oldest entries, if all together are much too large."""
        sizes, most = last.sizes, self._limits.max_bytes
        while len(sizes) > self._limits.messages:
            sizes.popleft()
        if not sizes or last.total - sizes[0][1] <= SLACK * most:
            return
        while sizes and last.total - sizes[0][1] > most:
            sizes.popleft()
        keep_from = sizes[0][0] if sizes else last.seq + 1
        await jetstream.purge_stream(self._stream, seq=keep_from, subject=self._subject(group))

    # Reading.

    async def read(self, group: str, epoch: str, offset: int) -> StoredEntries:
        """The entries of a group behind a place; all if the epoch is another one."""
        fetching = self._fetch(await self._server.reach(), self._subject(group))
        found = [_entry(message) for message in await self._server.while_connected(fetching)]
        if not found:
            return StoredEntries()
        last, last_offset, end, _ = found[-1]
        # From the last one on, as far as they follow each other and are not too large together.
        kept: list[tuple[int, bytes]] = []
        wanted = last_offset
        for its_epoch, its_offset, total, data in reversed(found):
            size = end - total + len(data)
            if (its_epoch, its_offset) != (last, wanted) or size > self._limits.max_bytes:
                break
            kept.append((its_offset, data))
            wanted -= 1
        kept.reverse()
        after = offset if epoch == last else -1
        entries = [entry for entry in kept if entry[0] > after]
        return StoredEntries(last, last_offset, wanted + 1, entries)

    async def _fetch(self, jetstream: Any, subject: str) -> list[Any]:
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

        consumer = await jetstream.pull_subscribe(
            subject,
            stream=self._stream,
            config=ConsumerConfig(
                deliver_policy=DeliverPolicy.ALL,
                ack_policy=AckPolicy.NONE,
                inactive_threshold=2 * self._limits.timeout,  # if this node ends before
                mem_storage=True,
            ),
        )
        try:
            info = await consumer.consumer_info()
            return await self._fetch_all(consumer, info.num_pending)
        finally:
            await consumer.unsubscribe()
            await jetstream.delete_consumer(self._stream, info.name)

    async def _fetch_all(self, consumer: Any, waiting: int) -> list[Any]:
        """As many entries as waited; fewer if some are removed meanwhile.

        Raises:
            TimeoutError: the server does not give them.
        """
        late_at = _now() + self._limits.timeout
        found: list[Any] = []
        while len(found) < waiting:
            try:
                found += await consumer.fetch(waiting - len(found), timeout=FETCH)
            except TimeoutError:
                if not (await consumer.consumer_info()).num_pending:
                    break
                if _now() >= late_at:
                    raise
            else:
                if found and not found[-1].metadata.num_pending:
                    break
        return found

    async def close(self) -> None:
        """Closes the connection."""
        await self._server.close()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _entry(message: Any) -> tuple[str, int, int, bytes]:
    """What an entry is: its epoch and offset, the total size until it, and its content."""
    headers = message.headers or {}
    place = headers.get(EPOCH, ""), int(headers.get(OFFSET, 0))
    return *place, int(headers.get(TOTAL, 0)), message.data
