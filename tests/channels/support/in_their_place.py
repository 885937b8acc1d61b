"""A pytest plugin for the tests of channels_redis: they find the layer of Lineman in its place.

It is loaded by `-p`, in the process of those tests alone.
"""

from __future__ import annotations

import asyncio
import os
import sys
import types
from typing import Any

import channels_redis.core
import channels_redis.pubsub
import channels_redis.utils
import pytest

from lineman.channels import Layer
from lineman.links.plain_values import decode_plain, encode_plain

# The tests of what only channels_redis has inside: names of Redis keys, and its own objects.
INSIDE = {
    "test_default_group_key_format",
    "test_custom_group_key_format",
    "test_receive_buffer_respects_capacity",
    "test_loop_instance_channel_layer_reference",
}

# Their tests use this package where asyncio had no such thing.
timeouts = types.ModuleType("async_timeout")
timeouts.timeout = asyncio.timeout  # type: ignore[attr-defined]
sys.modules["async_timeout"] = timeouts


class InTheirPlace(Layer):
    """The layer, made by their options and with their names for closing and for encoding."""

    def __init__(self, hosts: object = None, prefix: str = "asgi", **options: Any) -> None:
        super().__init__(f"{prefix} {os.getpid()}", **options)

    async def send(self, channel: str, message: Any) -> None:
        """One test sends a text, and others expect an assertion to fail."""
        assert "__text__" not in message
        await super().send(channel, {"__text__": message} if isinstance(message, str) else message)

    async def receive(self, channel: str) -> Any:
        message = await super().receive(channel)
        return message.get("__text__", message)

    async def close_pools(self) -> None:
        self._line.cut()

    def serialize(self, message: object) -> bytes:
        return encode_plain("the message", message, 1000)

    def deserialize(self, encoded: bytes) -> Any:
        return decode_plain(encoded)

    @property
    def _layers(self) -> dict[object, object]:
        """What it has for each event loop that is open."""
        return {loop: end for loop, end in self._line._ends.items() if not loop.is_closed()}

    @property
    def _shards(self) -> list[Any]:
        """What a test closes to see whether it is opened again."""
        return [types.SimpleNamespace(_redis=self)]


async def close(layer: InTheirPlace) -> None:
    """The connection ends, as when the other side goes away."""
    line = layer._line
    with line.lock:
        line._lose("a test has cut it")


for module in (channels_redis.core, channels_redis.pubsub, channels_redis.utils):
    for name in ("RedisChannelLayer", "RedisPubSubChannelLayer"):
        setattr(module, name, InTheirPlace)
    module._close_redis = close


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    inside = [item for item in items if item.name in INSIDE]
    config.hook.pytest_deselected(items=inside)
    items[:] = [item for item in items if item not in inside]
