"""Two machines: two hubs that meet at Redis or NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from kit.brokers import nats_server, redis_server, running
from kit.channel_hubs import hub_at, layers_at
from kit.waiting import DEADLINE, until
from lineman.brokers.choice import broker_maker
from lineman.channels import Layer
from lineman.channels.channel_hub import ChannelHub
from lineman.channels.layer_messages import AddMember


@asynccontextmanager
async def two_machines(
    url: str, directory: Path, **options: object
) -> AsyncIterator[tuple[list[ChannelHub], list[Layer]]]:
    """Two hubs that have found each other, each with a layer."""
    async with AsyncExitStack() as stack:
        hubs, layers = [], []
        for name in ("one", "two"):
            path = directory / name
            hubs.append(await stack.enter_async_context(hub_at(path, broker_maker(url, "test"))))
            layers += await stack.enter_async_context(layers_at(path, 1, **options))
        await until(lambda: all(hub._others._broker.is_connected for hub in hubs))
        for layer in layers:
            await layer._line.watch()
        yield hubs, layers


async def tell(sending: Layer, receiving: asyncio.Task[dict[str, object]], group: str) -> None:
    """Sends to a group until its subscription has reached the broker."""
    while not receiving.done():
        await sending.group_send(group, {"n": 1})
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("kind", ["redis", "nats"])
def test_groups_channels_and_general_channels_reach_the_other_machine(
    kind: str, tmp_path: Path
) -> None:
    async def main(url: str) -> None:
        async with two_machines(url, tmp_path) as (hubs, (one, two)):
            # A group.
            channel = await two.new_channel()
            await two.group_add("g", channel)
            receiving = asyncio.create_task(two.receive(channel))
            await asyncio.wait_for(tell(one, receiving, "g"), DEADLINE)
            assert await receiving == {"n": 1}
            await two.group_discard("g", channel)
            # A channel that belongs to a layer there: its topic was subscribed to before the group.
            await until(lambda: two._own.take(channel) is None)
            await one.send(channel, {"n": 2})
            assert await asyncio.wait_for(two.receive(channel), DEADLINE) == {"n": 2}
            # General channels: who waits there gets what waits here, in order, and once.
            for number in range(5):
                await one.send("jobs", {"n": number})
            got = [await asyncio.wait_for(two.receive("jobs"), DEADLINE) for _ in range(5)]
            assert [each["n"] for each in got] == list(range(5))
            receiving = asyncio.create_task(two.receive("jobs"))
            await until(lambda: hubs[1].wants("jobs"))
            await one.send("jobs", {"n": 9})
            assert await asyncio.wait_for(receiving, DEADLINE) == {"n": 9}
            # A general channel in a group gets a message once, whoever has added it.
            await one.group_add("h", "mail")
            await two.group_add("h", "mail")
            await until(lambda: all(hub._members.of("h", 0.0) for hub in hubs))
            await one.group_send("h", {"n": 3})
            assert await asyncio.wait_for(two.receive("mail"), DEADLINE) == {"n": 3}
            assert all(hub.take("mail") is None for hub in hubs)
            # Flushing, there too.
            await one.send("rest", {"n": 4})
            await two.flush()
            await until(lambda: not hubs[0]._channels.expire(0.0))
            assert all(hub._members.groups(0.0) == [] for hub in hubs)

    server = redis_server(tmp_path) if kind == "redis" else nats_server()
    with running(server):
        asyncio.run(main(f"{kind}://127.0.0.1:{server.port}"))


def test_a_machine_that_comes_later_knows_the_general_channels_of_groups(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        path = tmp_path / "one"
        async with hub_at(path, broker_maker(url, "test")) as first, layers_at(path, 1) as (one,):
            await until(lambda: first._others._broker.is_connected)
            await one.group_add("g", "mail")
            async with hub_at(tmp_path / "two", broker_maker(url, "test")) as second:
                await until(lambda: second._members.of("g", 0.0))
                assert second.members()[0].capacity == 100

    with running(redis_server(tmp_path)) as server:
        asyncio.run(main(f"redis://127.0.0.1:{server.port}"))


def test_while_the_broker_is_away_one_machine_goes_on_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(url: str) -> None:
        async with two_machines(url, tmp_path) as (hubs, (one, two)):
            server.stop()
            await until(lambda: "messages do not reach other machines" in caplog.text)
            channel = await one.new_channel()
            await one.group_add("g", channel)
            await one.group_send("g", {"n": 1})
            assert await one.receive(channel) == {"n": 1}
            await one.send("jobs", {"n": 2})  # it waits here for the other machine
            waiting = asyncio.create_task(two.receive("jobs"))
            await until(lambda: hubs[1].wants("jobs"))
            server.start()
            assert await asyncio.wait_for(waiting, DEADLINE) == {"n": 2}
            await until(lambda: "reach other machines again" in caplog.text)

    caplog.set_level("INFO", "lineman")
    server = redis_server(tmp_path)
    with running(server):
        asyncio.run(main(f"redis://127.0.0.1:{server.port}"))


def test_garbage_on_the_brokers_topics_is_told_and_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(url: str) -> None:
        async with hub_at(tmp_path / "hub", broker_maker(url, "test")) as hub:
            for payload in (b"", b"\xc1", b"\x93\x01\x02\x03"):
                hub._others._on_message("hubs", payload)
            hub.add_member(AddMember(0, "g", "mail", 10.0, 1))
            assert hub.members()

    asyncio.run(main(f"redis://127.0.0.1:{1}"))
    assert "no message of a hub" in caplog.text
