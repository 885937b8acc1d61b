"""Durable histories in Redis or a Redis Cluster: a stream for each group, by `redis-py`.

A script gives out the offsets, so that there is one numbering for each group, however many nodes
append. An entry's id is its offset and the time. The epoch, the last offset and the server's run id
are kept in a hash beside the stream. Another run id means that the server was started again, or
that a replica has taken its place: its last entries may be missing, so a new epoch begins. It also
does if the hash is gone. Both keys of a group have the same hash tag, for a cluster.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

from lineman.base.joined_names import joined
from lineman.brokers.history_store import HistoryStore, StoredEntries, StoreLimits
from lineman.brokers.redis_commands import RedisCommands

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
        self._prefix = f"lineman:{joined(name, 'history', '')}"
        self._server = RedisCommands(url, limits.timeout)
        self._append = _Script(_APPEND)
        self._read = _Script(_READ)

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
        await self._append.run(await self._server.reach(), keys, *self._limit_arguments())
        await self._read.run(await self._server.reach(), keys, _new_epoch(), self._age, "", 0)

    def _limit_arguments(self) -> tuple[Any, ...]:
        limits = self._limits
        place_age = round(1000 * max(PLACE_AGE, limits.seconds))
        return _new_epoch(), self._age, limits.messages, limits.max_bytes, place_age

    async def append(self, group: str, contents: Sequence[bytes]) -> list[tuple[str, int]]:
        """Keeps entries of a group, in order; returns the epoch and the offset of each."""
        arguments = self._limit_arguments()
        client = await self._server.reach()
        found = await self._append.run(client, self._keys(group), *arguments, *contents)
        epoch, last = found[0].decode(), int(found[1])
        return [(epoch, offset) for offset in range(last - len(contents) + 1, last + 1)]

    async def read(self, group: str, epoch: str, offset: int) -> StoredEntries:
        """The entries of a group behind a place; all if the epoch is another one."""
        arguments = (_new_epoch(), self._age, epoch, offset)
        found = await self._read.run(await self._server.reach(), self._keys(group), *arguments)
        flat = found[3]
        entries = [(int(flat[at]), flat[at + 1]) for at in range(0, len(flat), 2)]
        return StoredEntries(found[0].decode(), int(found[1]), int(found[2]), entries)

    async def close(self) -> None:
        """Closes the connections."""
        await self._server.close()


def _new_epoch() -> str:
    return secrets.token_hex(8)
