"""Durable histories in Redis or a Redis Cluster: a stream for each group, by `redis-py`.

A script gives out the offsets, so that there is one numbering for each group, however many nodes
append. An entry's id is its offset and the time. The epoch, the last offset and the server's run id
are kept in a hash beside the stream. Another run id means that the server was started again, or
that a replica has taken its place: its last entries may be missing, so a new epoch begins. It also
does if the hash is gone. Both keys of a group have the same hash tag, for a cluster.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

from lineman.brokers.hash_slots import Address
from lineman.brokers.history_store import HistoryStore, StoredEntries, StoreLimits
from lineman.brokers.redis_cluster import EXAMPLE
from lineman.brokers.redis_connection import make_client
from lineman.brokers.redis_sentinel import LOOK
from lineman.brokers.sentinels import Sentinels
from lineman.brokers.several_hosts import SeveralHosts
from lineman.errors import ConfigError

# Seconds for which a group's epoch is remembered at least after its last entry.
PLACE_AGE = 86400.0

# The keys are the hash and the stream. The arguments begin with a name for a new epoch and the
# greatest age in milliseconds.
_BEGIN = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local place = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'run', 'bytes')
local epoch, offset, bytes = place[1], tonumber(place[2]), tonumber(place[4])
local function split(id)
  local first, second = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(first), tonumber(second)
end
"""
_APPEND = (
    _BEGIN
    + """
local messages, most, place_age = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local is_damaged = not epoch or (last and split(last[1]) ~= offset)
if is_damaged or place[3] ~= run then epoch = ARGV[1] end
-- The first command that writes must be one that a server without memory refuses.
redis.call('HSET', KEYS[1], 'epoch', epoch, 'run', run)
if is_damaged then
  redis.call('DEL', KEYS[2])
  offset, last = offset or 0, nil
end
if not last then bytes = 0 end
for index = 6, #ARGV do
  offset = offset + 1
  bytes = bytes + #ARGV[index]
  redis.call('XADD', KEYS[2], string.format('%.0f-%.0f', offset, now), 'd', ARGV[index])
end
while true do
  local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  if not first then break end
  local at, kept_at = split(first[1])
  if offset - at < messages and now - kept_at <= tonumber(ARGV[2]) and bytes <= most then break end
  bytes = bytes - #first[2][2]
  redis.call('XDEL', KEYS[2], first[1])
end
redis.call('HSET', KEYS[1], 'offset', string.format('%.0f', offset),
  'bytes', string.format('%.0f', bytes))
redis.call('PEXPIRE', KEYS[1], place_age)
redis.call('PEXPIRE', KEYS[2], ARGV[2] + 1000)
return {epoch, offset}
"""
)
_READ = (
    _BEGIN
    + """
if not epoch then return {'', 0, 1, {}} end
if place[3] ~= run then
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'run', run)
end
local first, found = offset + 1, {}
local after = -1
if ARGV[3] == epoch then after = tonumber(ARGV[4]) end
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+')) do
  local at, kept_at = split(entry[1])
  if now - kept_at <= tonumber(ARGV[2]) then
    if at < first then first = at end
    if at > after then
      found[#found + 1] = at
      found[#found + 1] = entry[2][2]
    end
  end
end
return {epoch, offset, first, found}
"""
)


class _Script:
    """A script, which a server knows by its digest after the first call."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Any, keys: tuple[str, ...], *arguments: Any) -> Any:
        from redis.exceptions import NoScriptError

        try:
            return await client.evalsha(self._digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return await client.eval(self._text, len(keys), *keys, *arguments)


class RedisHistory(HistoryStore):
    """The durable histories of a service in Redis, 5.0 or newer.

    Args:
        url: as for `Redis`, `RedisSentinel` or `RedisCluster`.
        name: the service's name.
        limits: how much is kept.
    """

    def __init__(self, url: str, name: str, limits: StoreLimits) -> None:
        super().__init__(url, limits)
        self._prefix = f"lineman:{name}:history:"
        self._client: Any = None
        self._sentinels: Sentinels | None = None
        self._master: Address | None = None
        self._asked_at = 0.0  # when the sentinels were asked for the master
        self._reaching = asyncio.Lock()
        self._append = _Script(_APPEND)
        self._read = _Script(_READ)

    async def _reach(self) -> Any:
        kind = self._url.partition("://")[0].partition("+")[2]
        if kind == "sentinel":
            async with self._reaching:
                await self._follow_master()
        elif self._client is None:
            make = _cluster_client if kind == "cluster" else make_client
            self._client = make(self._url, self._limits.timeout)
        return self._client

    async def _follow_master(self) -> None:
        """Sees that the client is that of the server which the sentinels name as the master.

        One that was cut off from the sentinels and goes on would lose what it keeps.
        """
        now = asyncio.get_running_loop().time()
        if self._client is not None and now < self._asked_at + LOOK:
            return
        self._sentinels = self._sentinels or Sentinels(self._url, self._limits.timeout)
        self._asked_at = now
        try:
            master = await self._sentinels.master()
        except ConnectionError:
            if self._client is None:
                raise
            return  # what is connected goes on if no sentinel answers
        if self._client is None or master != self._master:
            before, self._master = self._client, master
            self._client = make_client(self._sentinels.url_of(master), self._limits.timeout)
            if before is not None:
                await before.aclose()

    def _keys(self, group: str) -> tuple[str, str]:
        # The letter: braces with nothing between them would be no hash tag.
        tag = "g" + base64.urlsafe_b64encode(group.encode()).decode()
        return f"{self._prefix}{{{tag}}}:place", f"{self._prefix}{{{tag}}}:entries"

    @property
    def _age(self) -> int:
        return round(1000 * self._limits.seconds)

    async def check(self) -> None:
        """Returns if entries can be kept: it tries both scripts."""
        keys = self._keys("")  # a group's name is never empty
        await self._append.run(await self._reach(), keys, *self._limit_arguments())
        await self._read.run(await self._reach(), keys, _new_epoch(), self._age, "", 0)

    def _limit_arguments(self) -> tuple[Any, ...]:
        limits = self._limits
        place_age = round(1000 * max(PLACE_AGE, limits.seconds))
        return _new_epoch(), self._age, limits.messages, limits.max_bytes, place_age

    async def append(self, group: str, contents: Sequence[bytes]) -> list[tuple[str, int]]:
        """Keeps entries of a group, in order; returns the epoch and the offset of each."""
        arguments = self._limit_arguments()
        client = await self._reach()
        found = await self._append.run(client, self._keys(group), *arguments, *contents)
        epoch, last = found[0].decode(), int(found[1])
        return [(epoch, offset) for offset in range(last - len(contents) + 1, last + 1)]

    async def read(self, group: str, epoch: str, offset: int) -> StoredEntries:
        """The entries of a group behind a place; all if the epoch is another one."""
        arguments = (_new_epoch(), self._age, epoch, offset)
        found = await self._read.run(await self._reach(), self._keys(group), *arguments)
        flat = found[3]
        entries = [(int(flat[at]), flat[at + 1]) for at in range(0, len(flat), 2)]
        return StoredEntries(found[0].decode(), int(found[1]), int(found[2]), entries)

    async def close(self) -> None:
        """Closes the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
        if self._sentinels is not None:
            await self._sentinels.close()


def _new_epoch() -> str:
    return secrets.token_hex(8)


def _cluster_client(url: str, timeout: float) -> Any:
    """A client for a Redis Cluster; redis-py follows its slots by itself."""
    parts = SeveralHosts.read(url, 6379, EXAMPLE)
    single = parts.url_of(parts.hosts[0], parts.scheme.partition("+")[0])
    make_client(single, timeout)  # errors in the address are reported as for the other broker
    from redis.asyncio.cluster import ClusterNode, RedisCluster
    from redis.asyncio.connection import SSLConnection, parse_url
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    options: dict[str, Any] = dict(parse_url(single))
    if options.pop("connection_class", None) is SSLConnection:
        options["ssl"] = True
    options.pop("host", None)
    options.pop("port", None)
    try:
        return RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in parts.hosts],
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),  # an append that was repeated might be kept twice
            **options,
        )
    except TypeError as error:
        raise ConfigError(
            f"redis-py cannot read the broker's address: {error}",
            "leave options out of it that a Redis Cluster does not know",
        ) from None
