"""The shared values in Redis or a Redis Cluster: each value is one key."""

from __future__ import annotations

from typing import Any

from lineman.base.joined_names import joined
from lineman.brokers.broker_address import explain
from lineman.brokers.redis_commands import RedisCommands
from lineman.errors import RefusedError
from lineman.sharing.remote_store import RemoteStore
from lineman.sharing.store import TIMEOUT
from lineman.sharing.store_messages import StoreReply, StoreRequest

# KEYS[1]; ARGV: whether a value is expected, that value, the new one, milliseconds or "".
_COMPARE_AND_SET = """
local now = redis.call("GET", KEYS[1])
if ARGV[1] == "1" then
  if now ~= ARGV[2] then return 0 end
elseif now then return 0 end
if ARGV[4] == "" then redis.call("SET", KEYS[1], ARGV[3])
else redis.call("SET", KEYS[1], ARGV[3], "PX", ARGV[4]) end
return 1
"""
# KEYS[1]; ARGV: what is added, milliseconds or "". A key that is there keeps its deadline.
_INCREMENT = """
local is_new = redis.call("EXISTS", KEYS[1]) == 0
local total = redis.call("INCRBY", KEYS[1], ARGV[1])
if is_new and ARGV[2] ~= "" then redis.call("PEXPIRE", KEYS[1], ARGV[2]) end
return redis.call("GET", KEYS[1])
"""


# What the nodes of a Redis Cluster answer until all know who is the primary.
_NOT_NOW = ("CLUSTERDOWN", "MOVED", "ASK", "TRYAGAIN", "READONLY", "MASTERDOWN", "NOREPLICAS")


class RedisStore(RemoteStore):
    """Does operations on the values of a service.

    Args:
        url: the address of a server, of sentinels or of a Redis Cluster, as of the broker.
        name: the service's name; others have other keys.
        timeout: seconds that an answer may take.
    """

    def __init__(self, url: str, name: str, timeout: float = TIMEOUT) -> None:
        super().__init__("Redis", timeout)
        self._server = RedisCommands(url, timeout)
        self._prefix = f"lineman:{joined(name, 'value', '')}".encode()

    async def _do(self, request: StoreRequest) -> StoreReply:
        import redis.exceptions as of_redis

        try:
            return await self._operate(await self._server.reach(), request)
        except of_redis.ResponseError as error:
            text = str(error)
            if text.startswith(_NOT_NOW) or isinstance(error, of_redis.ClusterError):
                raise self._unreached(text) from None
            if "not an integer" in text or "overflow" in text:
                return StoreReply(request.number, "no number")
            if text.startswith("OOM") or "command not allowed when used memory" in text:
                return StoreReply(request.number, "full")
            raise RefusedError(f"Redis refuses: {text}", "look at its users and limits") from None
        except (of_redis.RedisError, of_redis.RedisClusterException, OSError) as error:
            raise self._unreached(explain(error)) from None

    async def _operate(self, client: Any, request: StoreRequest) -> StoreReply:
        key = self._prefix + request.key.encode()
        milliseconds = None if request.seconds is None else max(1, round(request.seconds * 1000))
        after = b"" if milliseconds is None else b"%d" % milliseconds
        match request.operation:
            case "get":
                found = await client.get(key)
                if found is not None:
                    return StoreReply(request.number, "done", found)
                is_done: Any = False
            case "set" | "add":
                is_done = await client.set(
                    key, request.value, px=milliseconds, nx=request.operation == "add"
                )
            case "delete":
                is_done = await client.delete(key)
            case "compare_and_set":
                has_old = b"1" if request.expected is not None else b"0"
                is_done = await client.eval(
                    _COMPARE_AND_SET, 1, key, has_old, request.expected or b"", request.value, after
                )
            case "increment":
                total = await client.eval(_INCREMENT, 1, key, request.by, after)
                return StoreReply(request.number, "done", total)
            case "expire":
                if milliseconds is None:
                    is_done = await client.persist(key) or await client.exists(key)
                else:
                    is_done = await client.pexpire(key, milliseconds)
        return StoreReply(request.number, "done" if is_done else "not done")

    async def close(self) -> None:
        """Ends the connections."""
        await self._server.close()
