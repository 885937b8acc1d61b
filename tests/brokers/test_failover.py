"""A server of several is lost: the others carry the messages, and what was lost is counted."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from brokers.support import Heard, open_ends, reaches
from kit.brokers import NatsClusterServers, RedisSentinelServers, nats_server, running
from kit.waiting import until
from lineman.brokers.remote import RemoteLimits

LIMITS = RemoteLimits(timeout=2.0, last_retry=0.3)


async def carries_on(url: str, lose: Callable[[list[Heard]], None]) -> list[Heard]:
    """Loses a server under two ends; both must reach each other again.

    What was published meanwhile has arrived, or is counted.
    """
    ends = one, other = await open_ends(url, ("a",), ("b",), limits=LIMITS)
    try:
        await reaches(one, other, "b")
        await reaches(other, one, "a")
        lose(ends)
        await until(lambda: any(not end.states[-1] for end in ends))
        away = next(end for end in ends if not end.states[-1])
        before = away.broker.dropped
        for _ in range(100):
            away.broker.publish("a", b"nobody gets it")
        assert away.broker.dropped == before + 100
        one.topics.add("c")
        one.broker.subscribe(["c"])
        await until(lambda: all(end.broker.is_connected for end in ends))
        await reaches(other, one, "c")
        await reaches(one, other, "b")
        assert away.states[-2:] == [False, True]
        assert away.broker.trouble == ""
    finally:
        for end in ends:
            await end.broker.close()
    return ends


def test_the_replica_that_a_sentinel_makes_the_master_is_used(tmp_path: Path) -> None:
    with running(RedisSentinelServers(tmp_path)) as servers:
        url = f"redis+sentinel://{servers.hosts}/mymaster"
        asyncio.run(carries_on(url, lambda ends: servers.servers[0].stop()))


def test_a_master_that_stands_still_is_left(tmp_path: Path) -> None:
    with running(RedisSentinelServers(tmp_path)) as servers:
        master = servers.servers[0]
        url = f"redis+sentinel://{servers.hosts}/mymaster"
        asyncio.run(carries_on(url, lambda ends: master.signal(signal.SIGSTOP)))
        master.signal(signal.SIGCONT)


def test_a_master_that_the_sentinels_have_replaced_is_left_though_it_serves(tmp_path: Path) -> None:
    """Its machine reaches this one and not the sentinels: the nodes would be split."""

    async def test() -> None:
        (end,) = await open_ends(url, ("a",), limits=LIMITS)
        try:
            assert end.broker._master == ("127.0.0.1", servers.servers[0].port)
            end.broker._master = ("127.0.0.1", 1)  # as if another one had been the master before
            await until(lambda: end.states == [True, False, True])
        finally:
            await end.broker.close()

    with running(RedisSentinelServers(tmp_path)) as servers:
        url = f"redis+sentinel://{servers.hosts}/mymaster"
        asyncio.run(test())


def test_passwords_of_the_servers_and_of_the_sentinel_are_two(tmp_path: Path) -> None:
    async def test(url: str) -> None:
        ends = await open_ends(url, ("a",), ("a",), limits=LIMITS)
        await reaches(*ends, "a")
        for end in ends:
            await end.broker.close()

    lines = [f"sentinel auth-pass {RedisSentinelServers.SERVICE} right", "requirepass another"]
    words = ("--requirepass", "right", "--masterauth", "right")
    with running(RedisSentinelServers(tmp_path, *words, lines=lines)) as servers:
        url = f"redis+sentinel://:right@{servers.hosts}/mymaster"
        asyncio.run(test(f"{url}?sentinel_password=another"))
        assert "the sentinels refuse the login" in trouble(f"{url}?sentinel_password=wrong")
        assert "the sentinels refuse the login" in trouble(url)
        unknown = url.replace("mymaster", "unknown") + "?sentinel_password=another"
        told = trouble(unknown)
        assert told.startswith("the sentinels name no master (ConnectionError: no sentinel names")
        assert "of 'unknown': those that answer know none that works, 127.0.0.1:" in told
        wrong = url.replace("right", "wrong") + "?sentinel_password=another"
        assert trouble(wrong).startswith("it refuses the login")


def trouble(url: str) -> str:
    """Why a broker is not reached."""

    async def test() -> str:
        from lineman.brokers.choice import broker_maker

        broker = broker_maker(url, "test", LIMITS)(Heard().subscriber)
        await broker.start()
        try:
            await until(lambda: "not answered" not in broker.trouble)
            return broker.trouble
        finally:
            await broker.close()

    return asyncio.run(test())


def test_sentinels_that_are_not_there_are_reported() -> None:
    told = trouble("redis+sentinel://127.0.0.1:1,[::1]:2/mymaster")
    assert told.startswith("no sentinel answers (")
    assert "127.0.0.1:1: " in told
    assert "[::1]:2: " in told


def test_another_server_of_a_nats_cluster_is_used(caplog: pytest.LogCaptureFixture) -> None:
    def lose(ends: list[Heard]) -> None:
        """Stops the server of the first end."""
        used = ends[0].broker._servers[0]
        next(each for each in servers.servers if used.endswith(f":{each.port}")).stop()

    with running(NatsClusterServers("--user", "me", "--pass", "right")) as servers:
        asyncio.run(carries_on(f"nats://me:right@{servers.hosts}", lose))
    assert "NATS cluster" not in caplog.text


def test_servers_that_do_not_know_each_other_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        where = f"127.0.0.1:{one.port},127.0.0.1:{other.port}"
        (end,) = await open_ends(f"nats://{where}", ("a",), limits=LIMITS)
        await end.broker.close()

    with running(nats_server()) as one, running(nats_server()) as other:
        asyncio.run(test())
    assert "nodes at different servers do not reach each other" in caplog.text
