"""Hubs of channel layers in the process of a test, and layers that use them."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from lineman.base.unixpeer import peer_pid
from lineman.brokers.base import MakeBroker
from lineman.channels import Layer
from lineman.channels.channel_hub import ChannelHub


def new_name() -> str:
    """A name that no other test has."""
    return f"test {secrets.token_hex(4)}"


def pid_of_hub(layer: Layer) -> int:
    """The process of the hub that a layer is connected to; 0 if it is not connected."""
    end = layer._line._socket
    return 0 if end is None else peer_pid(end)


@asynccontextmanager
async def hub_at(path: Path, make_broker: MakeBroker | None = None) -> AsyncIterator[ChannelHub]:
    """A hub in this process."""
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    path.unlink(missing_ok=True)
    end.bind(str(path))
    hub = ChannelHub(make_broker)
    await hub.start(end)
    running = asyncio.create_task(hub.run(1000))
    try:
        yield hub
    finally:
        running.cancel()
        await hub.stop()
        await asyncio.sleep(0)


@asynccontextmanager
async def layers_at(path: Path, count: int, **options: object) -> AsyncIterator[list[Layer]]:
    """Layers that talk through the hub at a path."""
    layers = [Layer("test", path=str(path), **options) for _ in range(count)]
    try:
        yield layers
    finally:
        for layer in layers:
            await layer.close()
