"""A Redis Cluster as the broker: its sharded pub/sub, by `redis-py`.

A channel belongs to a hash slot, as a key does, and a message stays within the shard that serves
the slot, so more shards carry more messages. redis-py's own cluster client reads one node after the
other. Here each primary has a connection that is always read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from lineman.base.loglimit import LogLimit
from lineman.brokers.base import Subscriber
from lineman.brokers.hash_slots import Address, SlotMap, by_slot, moved_to
from lineman.brokers.redis_connection import Command, RedisBroker, RedisLine, make_client
from lineman.brokers.remote import DEFAULT_LIMITS, PendingWrite, RemoteLimits, end_tasks
from lineman.brokers.several_hosts import SeveralHosts

logger = logging.getLogger("lineman")

# Seconds between attempts for a slot that moves: its nodes may disagree for a moment.
RETRY = 0.05
MAX_TRIES = 100
# Seconds between attempts for a shard without a primary that answers.
AWAY_RETRY = 0.5
EXAMPLE = "redis+cluster://user:password@host:6379,host2:6379"


class RedisCluster(RedisBroker):
    """A gateway process' end of a Redis Cluster, of Redis 7 or newer.

    When a slot moves, its channels are subscribed to at the new node, and `on_state` reports that
    messages may have been lost. While a shard has no primary that answers, messages to its channels
    are dropped and counted, and all others pass; the session ends when no shard answers.

    Args:
        url: `redis+cluster://[user:password@]host:6379[,host:6379…]`, or `rediss+cluster://…` for
            TLS, with redis-py's options after a question mark. One live node is enough.
        name: the service's name; services with different names do not get each other's messages.
        subscriber: see `Broker`.
        limits: see `Remote`.
    """

    keeps_order = False  # each shard has a connection of its own

    def __init__(
        self,
        url: str,
        name: str,
        subscriber: Subscriber,
        limits: RemoteLimits = DEFAULT_LIMITS,
    ) -> None:
        super().__init__(url, name, subscriber, limits)
        self._parts = SeveralHosts.read(url, 6379, EXAMPLE)
        self._seeds = list(self._parts.hosts)
        self._known = self._seeds  # the nodes to ask for the map
        self._slot_of: Callable[[bytes], int] = lambda channel: 0
        self._map: SlotMap | None = None
        self._clients: dict[Address, Any] = {}
        self._lines: dict[Address, RedisLine] = {}
        self._reaching = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()  # of the open session
        self._ended: asyncio.Future[None] | None = None  # done when the open session ends
        self._wanted: dict[int, set[bytes]] = {}  # channels by slot
        self._held_by: dict[int, Address] = {}  # the node of each subscribed slot
        self._moved: set[int] = set()
        self._has_moved = asyncio.Event()
        self._away: set[Address] = set()  # primaries that do not answer
        self._unsent = 0  # messages of the work that is being written, to their channels
        self._log = LogLimit(logger)

    async def start(self) -> None:
        """Begins to connect to the cluster, and keeps trying.

        Raises:
            ConfigError: redis-py is missing, or cannot read the address.
        """
        make_client(self._url_of(self._known[0]), self.timeout)
        from redis.crc import key_slot

        self._slot_of = key_slot
        await super().start()

    def _url_of(self, address: Address) -> str:
        return self._parts.url_of(address, self._parts.scheme.partition("+")[0])

    # A session.

    async def _open(self, topics: tuple[str, ...]) -> None:
        self._wanted.clear()
        self._held_by.clear()
        self._moved.clear()
        slots = await self._find_slots()
        self._map = slots
        for slot, channels in by_slot(map(self._channel, topics), self._slot_of).items():
            self._wanted[slot] = set(channels)
            self._held_by[slot] = slots.owner(slot)
        self._away.clear()
        self.partial = ""
        primaries = list(slots.primaries)
        begun = await asyncio.gather(*map(self._subscribe_all, primaries), return_exceptions=True)
        for address, error in zip(primaries, begun, strict=True):
            if isinstance(error, Exception):
                await self._lose(address, error)

    async def _find_slots(self) -> SlotMap:
        trouble: Exception = ConnectionError("no node of the cluster is known")
        for address in list(self._known):
            client = self._clients.get(address) or make_client(self._url_of(address), self.timeout)
            try:
                found = SlotMap(await client.execute_command("CLUSTER", "SLOTS"), address)
            except Exception as error:  # any error of redis-py: another node may answer
                trouble = error
            else:
                self._known = [address, *(found.known | set(self._seeds) - {address})]
                return found
            finally:
                if address not in self._clients:
                    await client.aclose()
        raise trouble

    async def _reach(self, address: Address) -> RedisLine:
        if address in self._lines:
            return self._lines[address]
        async with self._reaching:
            if address in self._lines:  # opened meanwhile
                return self._lines[address]
            line = RedisLine(self._client(address), self.timeout, self._take, self._on_moved)
            try:
                await line.open()
            except BaseException:
                await line.close()
                raise
            self._lines[address] = line
            if self._ended is not None:
                self._run(self._listen(address))
            return line

    def _client(self, address: Address) -> Any:
        if address not in self._clients:
            self._clients[address] = make_client(self._url_of(address), self.timeout)
        return self._clients[address]

    async def _subscribe_all(self, address: Address) -> None:
        line = await self._reach(address)
        await line.subscribe(
            [
                (b"SSUBSCRIBE", *channels)
                for slot, channels in self._wanted.items()
                if self._held_by[slot] == address
            ]
        )

    async def _read(self) -> None:
        ended = self._ended = asyncio.get_running_loop().create_future()
        try:
            self._run(self._follow_slots())
            for address in self._lines:
                self._run(self._listen(address))
            await ended
        finally:
            self._ended = None
            await end_tasks(list(self._tasks))

    def _run(self, side: Coroutine[Any, Any, None]) -> None:
        def on_end(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            error = None if task.cancelled() else task.exception()
            if error is not None and self._ended is not None and not self._ended.done():
                self._ended.set_exception(error)

        task = asyncio.get_running_loop().create_task(side)
        task.add_done_callback(on_end)
        self._tasks.add(task)

    async def _listen(self, address: Address) -> None:
        while True:
            try:
                await self._lines[address].listen()
            except Exception as error:
                moved = moved_to(error)
                if moved is None:
                    await self._lose(address, error)
                    return
                self._note_moved(moved[0])  # the slot of a channel that was just subscribed to

    # Shards that are away.

    async def _lose(self, address: Address, error: Exception) -> None:
        """A primary does not answer: its channels are away until it does, or its replica.

        Raises:
            ConnectionError: no other one answers either.
        """
        line, client = self._lines.pop(address, None), self._clients.pop(address, None)
        for one in (line.close() if line else None, client.aclose() if client else None):
            if one is not None:
                with contextlib.suppress(Exception):
                    await one
        if not self._lines:
            raise ConnectionError(f"node {address[0]}:{address[1]}: {error}") from error
        if address not in self._away:
            self._away.add(address)
            text = "the broker's node %s:%d does not answer, messages to its channels are lost: %s"
            self._log.log(logging.WARNING, "lost nodes of the broker", text, *address, error)
        self._tell_partial()
        for slot in [slot for slot, held in self._held_by.items() if held == address]:
            del self._held_by[slot]
            self._moved.add(slot)
        self._has_moved.set()

    def _tell_partial(self) -> None:
        nodes = ", ".join(f"{host}:{port}" for host, port in sorted(self._away))
        self.partial = f"nodes of the broker do not answer: {nodes}" if nodes else ""

    async def _look_again(self) -> None:
        """Tries again to reach the primaries that are away; replaced ones are forgotten."""
        assert self._map is not None
        for address in list(self._away):
            if address in self._map.primaries:
                with contextlib.suppress(Exception):
                    await self._reach(address)
            if address in self._lines or address not in self._map.primaries:
                self._away.discard(address)
                text = "the shard of the broker's node %s:%d is reached again"
                self._log.log(logging.INFO, "nodes of the broker that are back", text, *address)
        self._tell_partial()

    def _is_away(self, slot: int) -> bool:
        assert self._map is not None
        return self._map.owner(slot) in self._away

    # Slots that move.

    def _on_moved(self, channel: bytes) -> None:
        slot = self._slot_of(channel)
        if channel in self._wanted.get(slot, ()):
            self._note_moved(slot)

    def _note_moved(self, slot: int) -> None:
        self._moved.add(slot)
        self._has_moved.set()

    async def _follow_slots(self) -> None:
        """Subscribes again at the new nodes of moved slots."""
        tries = 0
        while True:
            await self._has_moved.wait()
            # More slots may move, and all nodes must know it.
            await asyncio.sleep(AWAY_RETRY if self._away else RETRY)
            self._has_moved.clear()
            moved, self._moved = self._moved, set()
            self._map = await self._find_slots()
            if self._away:
                await self._look_again()
            held = {slot: self._map.owner(slot) for slot in moved if slot in self._wanted}
            for slot in [slot for slot in held if self._is_away(slot)]:
                del held[slot]
                self._moved.add(slot)
            if self._away:
                self._has_moved.set()
            was_missed = any(self._held_by.get(slot) != owner for slot, owner in held.items())
            await self._tell((slot, (b"SSUBSCRIBE", *self._wanted[slot])) for slot in held)
            self._held_by.update(held)
            if was_missed:
                self._on_state(True)  # messages in between may be lost
            tries = tries + 1 if self._moved & moved and not self._away else 0
            if tries > MAX_TRIES:
                raise ConnectionError(f"its nodes disagree about the owner of slot {min(moved)}")

    async def _tell(self, commands: Iterable[tuple[int, Command]]) -> None:
        """Sends each command to the node that serves its slot."""
        assert self._map is not None
        told: dict[Address, list[Command]] = {}
        for slot, command in commands:
            told.setdefault(self._map.owner(slot), []).append(command)
        for address, its in told.items():
            if address in self._away:
                continue  # all that is wanted there is subscribed to when it is back
            try:
                await (await self._reach(address)).tell(its)
            except Exception as error:
                await self._lose(address, error)

    # Subscriptions and messages.

    async def _write(self, work: list[PendingWrite]) -> None:
        messages = []
        for one in work:
            if one.topic is not None:
                channel = self._channel(one.topic)
                messages.append((self._slot_of(channel), channel, one.payload))
            await self._change_channels(one)
        self._unsent = 0
        while messages:
            messages = await self._publish_all(messages)
        self.dropped += self._unsent

    async def _change_channels(self, work: PendingWrite) -> None:
        assert self._map is not None
        commands: list[tuple[int, Command]] = []
        for slot, channels in by_slot(map(self._channel, work.subscribe), self._slot_of).items():
            self._wanted.setdefault(slot, set()).update(channels)
            if self._is_away(slot):
                self._note_moved(slot)  # it is subscribed to when its shard is back
            else:
                self._held_by.setdefault(slot, self._map.owner(slot))
            commands.append((slot, (b"SSUBSCRIBE", *channels)))
        for slot, channels in by_slot(map(self._channel, work.unsubscribe), self._slot_of).items():
            wanted = self._wanted.get(slot, set())
            wanted.difference_update(channels)
            if not wanted:
                self._wanted.pop(slot, None)
                self._held_by.pop(slot, None)
            commands.append((slot, (b"SUNSUBSCRIBE", *channels)))
        await self._tell(commands)

    async def _publish_all(
        self, messages: list[tuple[int, bytes, bytes]]
    ) -> list[tuple[int, bytes, bytes]]:
        """Publishes messages; returns those whose slot has moved meanwhile, in order."""
        assert self._map is not None
        shares: dict[Address, list[tuple[int, bytes, bytes]]] = {}
        for message in messages:
            shares.setdefault(self._map.owner(message[0]), []).append(message)
        left = await asyncio.gather(
            *(self._publish_share(address, share) for address, share in shares.items())
        )
        moved = [message for share in left for message in share]
        if moved:
            await asyncio.sleep(RETRY)
        return moved

    async def _publish_share(
        self, address: Address, share: list[tuple[int, bytes, bytes]]
    ) -> list[tuple[int, bytes, bytes]]:
        if address in self._away:
            self._unsent += len(share)
            return []
        pipeline = self._client(address).pipeline(transaction=False)
        for _, channel, payload in share:
            pipeline.execute_command("SPUBLISH", channel, payload)
        try:
            # A node that takes nothing must not use up the time of all.
            results = await asyncio.wait_for(pipeline.execute(False), self.timeout / 2)
        except Exception as error:
            self._unsent += len(share)  # some of them may have arrived
            # The error of `wait_for` says nothing.
            await self._lose(address, error if str(error) else TimeoutError("it took nothing"))
            return []
        return [
            message
            for message, result in zip(share, results, strict=True)
            if isinstance(result, Exception) and self._is_for_later(address, result)
        ]

    def _is_for_later(self, address: Address, error: Exception) -> bool:
        """Whether a message can be published in a moment: its slot moves, or gets a new primary."""
        if "CLUSTERDOWN" in f"{type(error).__name__} {error}".upper():
            return True
        moved = moved_to(error)
        if moved is None:
            raise error
        assert self._map is not None
        host, port = moved[1]
        self._map.move(moved[0], (host or address[0], port))
        return True

    async def _shut(self) -> None:
        lines, clients = list(self._lines.values()), list(self._clients.values())
        self._lines.clear()
        self._clients.clear()
        for line in lines:
            await line.close()
        for client in clients:
            await client.aclose()
