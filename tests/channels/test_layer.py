"""The layer as a program uses it: what it takes, what it refuses, and how long things last."""

from __future__ import annotations

import asyncio
import datetime
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.exceptions import ChannelFull

from kit.channel_hubs import hub_at, layers_at, new_name
from kit.waiting import until
from lineman.channels import Layer
from lineman.channels.layer import ForeignChannelError
from lineman.errors import UsageError


def with_layer(
    directory: Path, test: Callable[[Layer], Awaitable[None]], **options: object
) -> None:
    """Runs a test with a layer and its hub."""

    async def main() -> None:
        path = directory / "hub"
        async with hub_at(path), layers_at(path, 1, **options) as (layer,):
            await test(layer)

    asyncio.run(main())


class SafeText(str):
    """A text of another class, as Django's templates return it."""


def test_what_is_received_is_equal_and_nobody_elses(tmp_path: Path) -> None:
    async def test(layer: Layer) -> None:
        sent: dict[str, Any] = {
            "type": "chat.message",
            "html": SafeText("<b>"),
            "list": [1, 2.5, None, True, "ü"],
            "bytes": b"\x00",
            "big": 2**63,
        }
        own = await layer.new_channel()
        for channel in (own, "general"):
            await layer.send(channel, sent)
            got = await layer.receive(channel)
            assert got == sent
            assert type(got["html"]) is str
            assert got["list"] is not sent["list"]

    with_layer(tmp_path, test)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("text", "is a dictionary, got str"),
        (None, "is a dictionary, got NoneType"),
        ({"at": datetime.datetime(2026, 1, 1)}, "is a datetime"),
        ({"set": {1}}, "is a set"),
        ({1: "a"}, "is a key and no text"),
        ({"n": 2**64}, "cannot be sent"),
        ({"text": "\ud800"}, "cannot be sent"),
        ({"data": "x" * 1_000_000}, "1,000,000 are allowed"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is_sent(
    tmp_path: Path, message: Any, said: str
) -> None:
    async def test(layer: Layer) -> None:
        for sending in (layer.send("general", message), layer.group_send("g", message)):
            with pytest.raises(UsageError, match=re.escape(said)):
                await sending
        assert layer._line._socket is None

    with_layer(tmp_path, test)


def test_a_message_that_holds_itself_is_refused(tmp_path: Path) -> None:
    async def test(layer: Layer) -> None:
        message: dict[str, Any] = {}
        message["again"] = message
        with pytest.raises(UsageError, match="holds itself"):
            await layer.send("general", message)

    with_layer(tmp_path, test)


@pytest.mark.parametrize("name", ["", "a b", "ü", "a!b c", "x" * 100, None, 7, "a/b"])
def test_a_name_that_is_none_is_a_type_error(tmp_path: Path, name: Any) -> None:
    async def test(layer: Layer) -> None:
        for call in (
            layer.send(name, {}),
            layer.receive(name),
            layer.group_add("g", name),
            layer.group_add(name, "a"),
            layer.group_discard(name, "a"),
            layer.group_send(name, {}),
        ):
            with pytest.raises(TypeError):
                await call

    with_layer(tmp_path, test)


def test_a_channel_of_another_process_cannot_be_received_from(tmp_path: Path) -> None:
    async def test(layer: Layer) -> None:
        with pytest.raises(ForeignChannelError, match="belongs to another process"):
            await layer.receive("specific.other!abc")

    with_layer(tmp_path, test)


def test_patterns_give_channels_other_capacities(tmp_path: Path) -> None:
    async def test(layer: Layer) -> None:
        own = await layer.new_channel(prefix="big")
        for channel, capacity in ((own, 3), ("tiny", 1), ("t3", 4), ("rest", 2)):
            for _ in range(capacity):
                await layer.send(channel, {})
            with pytest.raises(ChannelFull):
                await layer.send(channel, {})

    patterns = {"big.*": 3, "tiny": 1, re.compile(r"t\d$"): 4}
    with_layer(tmp_path, test, capacity=2, channel_capacity=patterns)


def test_messages_and_memberships_expire(tmp_path: Path) -> None:
    async def test(layer: Layer) -> None:
        own = await layer.new_channel()
        await layer.group_add("g", own)
        await layer.group_add("g", "general")
        for channel in (own, "general"):
            await layer.send(channel, {"n": 1})
        await asyncio.sleep(0.3)  # longer than both
        await layer.group_send("g", {"n": 2})
        await layer.send(own, {"n": 3})
        await layer.send("general", {"n": 3})
        assert await layer.receive(own) == {"n": 3}
        assert await layer.receive("general") == {"n": 3}

    with_layer(tmp_path, test, expiry=0.2, group_expiry=0.2)


def test_after_the_last_discard_and_a_new_add_the_group_is_there(tmp_path: Path) -> None:
    async def test(layer: Layer) -> None:
        own = await layer.new_channel()
        other = Layer("test", path=str(tmp_path / "hub"))
        for number in range(50):
            await layer.group_add("g", own)
            await layer.group_discard("g", own)
            await asyncio.gather(layer.group_add("g", own), layer.group_add("g", own))
            await other.group_send("g", {"n": number})
            assert await layer.receive(own) == {"n": number}
        await other.close()

    with_layer(tmp_path, test)


def test_plain_code_uses_the_layer_from_threads_and_without_a_loop() -> None:
    layer = Layer(new_name())
    async_to_sync(layer.send)("general", {"n": 1})
    assert async_to_sync(layer.receive)("general") == {"n": 1}

    async def main() -> None:
        channel = await layer.new_channel()
        await layer.group_add("g", channel)
        waiting = asyncio.create_task(layer.receive(channel))
        await until(lambda: layer._own.is_awaited)
        await sync_to_async(async_to_sync(layer.group_send))("g", {"n": 2})
        assert await waiting == {"n": 2}

    asyncio.run(main())
    async_to_sync(layer.flush)()
    async_to_sync(layer.close)()


def test_a_closed_layer_connects_again_when_it_is_used(tmp_path: Path) -> None:
    async def test(layer: Layer) -> None:
        await layer.send("general", {"n": 1})
        await layer.close()
        assert layer._line._socket is None
        assert await layer.receive("general") == {"n": 1}

    with_layer(tmp_path, test)


def test_djangos_settings_make_the_layer() -> None:

    program = """
import asyncio, sys
from django.conf import settings
settings.configure(
    SECRET_KEY=sys.argv[1],
    CHANNEL_LAYERS={"default": {"BACKEND": "lineman.channels.Layer", "CONFIG": {"capacity": 7}}},
)
from channels.layers import get_channel_layer
layer = get_channel_layer()
async def main():
    await layer.send("a", {"n": 1})
    print(await layer.receive("a"), layer.capacity, layer.extensions)
asyncio.run(main())
"""
    command = [sys.executable, "-W", "error", "-c", program, new_name()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "{'n': 1} 7 ['groups', 'flush']\n", done.stderr
    assert done.stderr == ""
