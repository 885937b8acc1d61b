"""A layer's connection to the hub: many event loops and threads, cut at any moment."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kit.channel_hubs import hub_at, layers_at, new_name
from kit.waiting import DEADLINE, until
from lineman.channels import Layer
from lineman.errors import NotReachedError


def in_thread(layer: Layer, count: int, problems: list[BaseException]) -> threading.Thread:
    """A thread that asks in event loops of its own, one after the other."""

    async def once(number: int) -> None:
        channel = await layer.new_channel()
        await layer.group_add("g", channel)
        await layer.send("jobs", {"n": number})
        await layer.group_discard("g", channel)

    def run() -> None:
        try:
            for number in range(count):
                asyncio.run(once(number))
        except BaseException as error:
            problems.append(error)

    return threading.Thread(target=run)


def test_threads_with_event_loops_of_their_own_use_one_layer(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path) as hub, layers_at(path, 1, capacity=1000) as (layer,):
            problems: list[BaseException] = []
            threads = [in_thread(layer, 20, problems) for _ in range(4)]
            for thread in threads:
                thread.start()
            for _ in range(80):
                await asyncio.wait_for(layer.receive("jobs"), DEADLINE)
            await until(lambda: not any(thread.is_alive() for thread in threads))
            assert problems == []
            await until(lambda: not hub._groups)
            await layer._line.watch()
            assert len(hub._layers) == 1
            layer._line._watch_in(asyncio.get_running_loop())
            assert set(layer._line._asked) == set()

    asyncio.run(main())


def test_descriptors_of_event_loops_that_ended_are_closed(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path), layers_at(path, 1) as (layer,):
            for _ in range(5):
                await asyncio.to_thread(asyncio.run, layer.send("a", {"n": 1}))
            assert len(layer._line._ends) <= 1
            await layer._line.watch()
            assert list(layer._line._ends) == [asyncio.get_running_loop()]

    asyncio.run(main())


def test_a_message_whose_answer_is_lost_with_the_hub_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path) as hub, layers_at(path, 1) as (layer,):
            await layer._line.watch()
            hub._do.clear()  # it answers nothing more: each message is an error there
            with pytest.raises(NotReachedError, match="this one may be lost"):
                await layer.send("a", {"n": 1})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asyncio.base_events.BaseEventLoop.call_exception_handler", lambda *_: None)
        asyncio.run(main())


def test_a_large_message_is_sent_in_parts_and_others_after_it(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path), layers_at(path, 2, capacity=100) as (one, two):
            sending = [
                asyncio.create_task(one.send("a", {"n": number, "data": b"x" * 900_000}))
                for number in range(20)
            ]
            for number in range(20):
                message = await asyncio.wait_for(two.receive("a"), DEADLINE)
                assert (message["n"], len(message["data"])) == (number, 900_000)
            await asyncio.gather(*sending)
            for _ in range(20):
                await one.group_send("g", {"data": b"x" * 900_000})
            assert not one._line._out

    asyncio.run(main())


def test_a_cancelled_receiver_loses_no_message(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "hub"
        async with hub_at(path), layers_at(path, 2, capacity=1000) as (one, two):
            got: list[int] = []

            async def receive() -> None:
                got.append((await two.receive("a"))["n"])

            for number in range(200):
                task = asyncio.create_task(receive())
                await asyncio.sleep(0)
                await one.send("a", {"n": number})
                if number % 3 == 0:
                    await asyncio.sleep(0.0005 * (number % 4))
                task.cancel()
                await asyncio.wait([task])
            while len(got) < 200:
                await asyncio.wait_for(receive(), DEADLINE)
            assert sorted(got) == list(range(200))

    asyncio.run(main())


def test_after_a_fork_the_child_is_a_layer_of_its_own() -> None:
    # Each line is written at once: the output of two processes must not mix within one.
    program = """
import asyncio, os, sys
from lineman.channels import Layer
layer = Layer(sys.argv[1])
async def first():
    await layer.send("a", {"n": 1})
    return layer.client_prefix, await layer.receive("a")
async def talk(name):
    channel = await layer.new_channel()
    await layer.group_add("g", channel)
    await layer.send(name, {"from": name})
    return layer.client_prefix, await layer.receive(name)
before = asyncio.run(first())
child = os.fork()
after = asyncio.run(talk("child" if child == 0 else "parent"))
os.write(1, f"{child == 0} {before[0] == after[0]} {after[1]}\\n".encode())
if child:
    os.waitpid(child, 0)
    os.write(1, f"{asyncio.run(talk('parent'))[1]}\\n".encode())
"""
    command = [sys.executable, "-c", program, new_name()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert sorted(done.stdout.splitlines()) == [
        "False True {'from': 'parent'}",
        "True False {'from': 'child'}",
        "{'from': 'parent'}",
    ], done.stderr
