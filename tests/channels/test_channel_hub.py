"""The hub between layers: who gets what, and what a layer that misbehaves costs."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from channels.exceptions import ChannelFull

from kit.channel_hubs import hub_at, layers_at
from kit.waiting import DEADLINE, until
from lineman.channels.layer_messages import GroupSend, HubAnswer, LayerHello
from lineman.links.framing import encode_frames


def test_a_message_for_a_general_channel_is_received_once_by_any_layer(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path), layers_at(path, 3) as (one, two, three):
            waiting = [asyncio.create_task(each.receive("jobs")) for each in (two, three)]
            for number in range(4):
                await one.send("jobs", {"n": number})
            got = [await task for task in waiting] + [await one.receive("jobs") for _ in range(2)]
            assert sorted(each["n"] for each in got) == [0, 1, 2, 3]

    asyncio.run(main())


def test_another_process_channel_that_is_full_raises_and_keeps_what_it_has(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path), layers_at(path, 2, capacity=2) as (one, two):
            channel = await one.new_channel()
            receiving = asyncio.create_task(one.receive(channel))
            await until(lambda: one._own.is_awaited)
            await two.send(channel, {"n": 0})
            assert await receiving == {"n": 0}
            await two.send(channel, {"n": 1})
            await two.send(channel, {"n": 2})
            with pytest.raises(ChannelFull):
                await two.send(channel, {"n": 3})
            assert [await one.receive(channel) for _ in range(2)] == [{"n": 1}, {"n": 2}]

    asyncio.run(main())


def test_a_group_reaches_channels_of_all_kinds_once(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path) as hub, layers_at(path, 2) as (one, two):
            mine, also_mine, theirs = (
                await one.new_channel(),
                await one.new_channel(),
                await two.new_channel(),
            )
            waiting = asyncio.create_task(two.receive(theirs))
            await until(lambda: len(hub._layers) == 1 and two._own.is_awaited)
            for channel in (mine, also_mine, "general"):
                await one.group_add("g", channel)
            await one.group_add("g", theirs)  # the channel of another process
            await until(lambda: len(hub._groups.get("g", ())) == 2)
            await one.group_send("g", {"n": 1})
            assert await asyncio.wait_for(waiting, DEADLINE) == {"n": 1}
            for channel in (mine, also_mine, "general"):
                assert await one.receive(channel) == {"n": 1}
                assert one._own.take(channel) is None
            for channel in (mine, also_mine, theirs, "general"):
                await one.group_discard("g", channel)
            await until(lambda: not hub._groups and not hub._members.groups(0.0))

    asyncio.run(main())


def test_a_layer_that_goes_away_leaves_nothing_behind(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path) as hub, layers_at(path, 2) as (one, two):
            channel = await one.new_channel()
            await one.group_add("g", channel)
            receiving = asyncio.create_task(one.receive("jobs"))
            await until(lambda: hub.wants("jobs"))
            receiving.cancel()
            await until(lambda: not hub.wants("jobs"))
            one._line.cut()
            await until(lambda: not hub._layers and not hub._groups and not hub._owners)
            await two.send(channel, {"n": 1})  # at most once: nobody gets it, and nobody waits
            await two.group_send("g", {"n": 1})
            await until(lambda: len(hub._layers) == 1)
            assert hub._tickets == {}

    asyncio.run(main())


def test_who_waits_for_the_answer_of_a_layer_that_goes_away_is_answered(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path) as hub, layers_at(path, 1) as (one,):
            silent = await connect(path, LayerHello("silent"))
            await until(lambda: "silent" in hub._owners)
            sending = asyncio.create_task(one.send("a.silent!b", {"n": 1}))
            await until(lambda: hub._tickets)
            silent.close()
            await asyncio.wait_for(sending, DEADLINE)
            assert hub._tickets == {}

    asyncio.run(main())


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x01\xc1",
        encode_frames([HubAnswer(1, "done")])[0][0],
        b"\x81\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01x",
    ],
)
def test_garbage_costs_only_the_connection_that_sends_it(tmp_path: Path, garbage: bytes) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path) as hub, layers_at(path, 1) as (one,):
            await one.send("a", {"n": 1})
            stranger = await connect(path)
            await asyncio.get_running_loop().sock_sendall(stranger, garbage)
            said = await asyncio.wait_for(ended(stranger), DEADLINE)
            assert said == b""
            stranger.close()
            assert await one.receive("a") == {"n": 1}
            assert len(hub._layers) == 1

    asyncio.run(main())


def test_a_layer_that_does_not_read_loses_messages_and_delays_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path) as hub, layers_at(path, 3, capacity=5000) as (slow, one, two):
            for layer in (slow, one):
                await layer.group_add("g", await layer.new_channel())
            fd = next(iter(slow._line._ends.values())).descriptor
            asyncio.get_running_loop().remove_reader(fd)
            for _ in range(30):
                await two.group_send("g", {"data": "x" * 500_000})
                await asyncio.sleep(0.01)
            layer_end = hub._layers[next(iter(hub._layers))]
            assert layer_end.lost > 0
            (channel, _), *_ = one._members.of("g", 0.0)
            for _ in range(30):
                assert (await one.receive(channel))["data"][:1] == "x"
            end = next(iter(slow._line._ends.values()))
            asyncio.get_running_loop().add_reader(fd, slow._line._on_readable, end)
            await until(lambda: "messages for it were lost" in caplog.text)

    asyncio.run(main())


def test_flushing_empties_all_layers(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path) as hub, layers_at(path, 2) as (one, two):
            channel = await one.new_channel()
            await one.group_add("g", channel)
            await one.group_add("g", "general")
            await one.send(channel, {"n": 1})
            await one.send("general", {"n": 1})
            await two.flush()
            await until(lambda: not one._joined and one._own.take(channel) is None)
            await two.group_send("g", {"n": 2})
            assert hub.take("general") is None
            await one.group_add("g", channel)
            await two.group_send("g", {"n": 3})
            assert await one.receive(channel) == {"n": 3}

    asyncio.run(main())


def test_a_layer_that_connects_again_has_its_channels(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path) as hub, layers_at(path, 2) as (one, other):
            channel = await other.new_channel()
            for _ in range(3):
                receiving = asyncio.create_task(other.receive(channel))
                await until(lambda: other.client_prefix in hub._owners)
                await one.send(channel, {"n": 1})
                assert await asyncio.wait_for(receiving, DEADLINE) == {"n": 1}
                other._line.cut()
                await until(lambda: other.client_prefix not in hub._owners)

    asyncio.run(main())


async def connect(path: Path, *messages: LayerHello | GroupSend) -> socket.socket:
    """A raw connection to a hub."""
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    end.connect(str(path))
    for message in messages:
        end.send(encode_frames([message])[0][0])
    return end


async def ended(end: socket.socket) -> bytes:
    """What comes before the other side has ended; nothing if it has reset the connection."""
    try:
        return await asyncio.get_running_loop().sock_recv(end, 1000)
    except ConnectionResetError:
        return b""
