"""Nodes with very many users inform each other in parts that fit a broker's queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.brokers import Server, nats_server, redis_server, running
from kit.waiting import until
from lineman.brokers.choice import broker_maker
from lineman.brokers.embedded import Hub
from lineman.brokers.remote import RemoteLimits
from lineman.gateway.cluster.cluster import ClusterTimes
from lineman.gateway.cluster.paced_jobs import Job, PacedJobs
from lineman.gateway.cluster.presence_sync import PresenceSync
from lineman.gateway.holder.registry import Member
from lineman.gateway.holder.routing import Routing
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.wire.node_messages import AskHeldUids, HeldUids, Hold
from lineman.links.framing import encode

USERS = 6000


# The users' names are several times what a broker's queue takes at once.
LIMITS = RemoteLimits(max_waiting=20_000, first_topics=500)
AT_ONCE = 100
TIMES = ClusterTimes(beat=0.2)


class Users:
    """The users that are online on all machines."""

    def __init__(self) -> None:
        self.online: set[str] = set()
        self.twice: list[str] = []

    def note(self, uid: str, is_online: bool) -> None:
        if is_online is (uid in self.online):
            self.twice.append(uid)
        (self.online.add if is_online else self.online.discard)(uid)


class Machine:
    """A gateway process without clients."""

    def __init__(self, name: str, url: str, users: Users) -> None:
        options = RoutingOptions(
            broker_maker(url, "gateway", LIMITS),
            tells_users=True,
            times=TIMES,
            uids_at_once=AT_ONCE,
        )
        self.routing = Routing(name, options, lambda client: None, users.note)
        self.members: dict[str, Member] = {}

    def bind(self, uids: list[str]) -> None:
        registry: Any = self.routing.orders.registry
        for uid in uids:
            self.members[uid] = Member()
            registry.bind(self.members[uid], uid)
        self.routing.note_change()

    def leave(self, uids: list[str]) -> None:
        registry: Any = self.routing.orders.registry
        for uid in uids:
            registry.remove(self.members.pop(uid))
        self.routing.note_change()

    @property
    def dropped(self) -> int:
        assert self.routing.cluster is not None
        return self.routing.cluster.broker.dropped

    @property
    def is_connected(self) -> bool:
        assert self.routing.cluster is not None
        return self.routing.cluster.broker.is_connected

    def sees(self, count: int) -> bool:
        assert self.routing.cluster is not None
        return len(self.routing.cluster.nodes) == count

    def knows(self, other: Machine) -> int:
        """The number of another node's users that it knows."""
        found: Any = self.routing._users.sync
        return len(found._presence.held_by(other.routing._node))


async def started(name: str, url: str, users: Users) -> Machine:
    machine = Machine(name, url, users)
    await machine.routing.start()
    return machine


@pytest.mark.parametrize("kind", ["redis", "nats", "hub"])
def test_a_machine_with_many_users_tells_them_to_one_that_comes_and_after_it_was_cut_off(
    kind: str, tmp_path: Path
) -> None:
    names = [f"user {number}" for number in range(USERS)]
    users = Users()

    async def test(url: str, stop: Callable[[], Any], start: Callable[[], Any]) -> None:
        big = await started("0" * 8, url, users)
        await until(lambda: big.is_connected)
        big.bind(names)
        await until(lambda: len(users.online) == USERS)
        dropped = big.dropped  # the first beats, before it was connected
        small = await started("1" * 8, url, users)
        try:
            await until(lambda: small.knows(big) == USERS)
            assert big.dropped == dropped
            await stop()
            await until(lambda: not big.is_connected and not small.is_connected)
            left, new = names[::2], [f"new {number}" for number in range(1000)]
            big.leave(left)
            big.bind(new)
            await start()
            expected = {*names, *new} - {*left}
            await until(lambda: users.online == expected)
            await until(lambda: small.knows(big) == len(expected))
            assert small.sees(2)
            assert big.sees(2)
            assert not users.twice
        finally:
            for machine in (big, small):
                await machine.routing.stop()

    run_with(kind, tmp_path, test)


def run_with(kind: str, directory: Path, test: Callable[..., Awaitable[None]]) -> None:
    if kind == "hub":
        asyncio.run(with_hub(str(directory / "hub.sock"), test))
        return
    server: Server = redis_server(directory) if kind == "redis" else nats_server()

    async def stop() -> None:
        server.stop()

    async def start() -> None:
        server.start()

    with running(server):
        asyncio.run(test(f"{kind}://127.0.0.1:{server.port}", stop, start))


async def with_hub(path: str, test: Callable[..., Awaitable[None]]) -> None:
    hub = Hub()

    async def start() -> None:
        nonlocal hub
        hub = Hub()
        await hub.start(path)

    await start()
    await test(f"hub://{path}", lambda: hub.stop(), start)
    await hub.stop()
    await asyncio.sleep(0)


# A node's users, part by part.


class Ear:
    """One node's `PresenceSync`, whose jobs are done at once."""

    def __init__(self, *nodes: str) -> None:
        self.told: list[tuple[str, Any]] = []
        self.news: list[tuple[str, bool]] = []
        self.uids: list[str] = []
        self.presence_sync = PresenceSync(
            nodes[0],
            lambda: self.uids,
            self._do,
            lambda *news: self.news.append(news),
            lambda: 0.0,
            lambda node, said: self.told.append((node, said)),
            AT_ONCE,
        )
        self.presence_sync.set_nodes(nodes)
        self.told.clear()

    def _do(self, job: Job) -> None:
        self.told += [said for said in job if said is not None]


def held_uids(names: str, part: int, is_last: bool = False) -> HeldUids:
    return HeldUids("b", tuple(names), part, is_last)


def test_a_roll_tells_who_is_there_at_once_and_who_is_gone_at_its_end() -> None:
    ear = Ear("a", "b")
    ear.presence_sync.on_hold(Hold("b", ("x", "y", "z"), False))
    ear.presence_sync.on_held_uids(held_uids("xp", 0))
    ear.presence_sync.on_hold(Hold("b", ("q",), True))  # it came after the first part
    ear.presence_sync.on_held_uids(held_uids("r", 1))
    ear.presence_sync.on_held_uids(held_uids("", 2, True))
    held = sorted(ear.presence_sync._presence.held_by("b"))
    assert held == ["p", "q", "r", "x"]
    assert {uid for uid, is_online in ear.news if is_online} <= {"p", "q", "r"}
    assert {uid for uid, is_online in ear.news if not is_online} <= {"y", "z"}
    assert not ear.presence_sync._named
    assert not ear.presence_sync._parts


@pytest.mark.parametrize("missing", [0, 1])
def test_a_roll_with_a_part_missing_sends_nobody_away_and_is_called_again(missing: int) -> None:
    ear = Ear("a", "b")
    ear.presence_sync.on_hold(Hold("b", ("x",), False))
    parts = [held_uids("p", 0), held_uids("q", 1), held_uids("r", 2), held_uids("", 3, True)]
    for part in parts:
        if part.part != missing:
            ear.presence_sync.on_held_uids(part)
    assert {"x", "r"} <= set(ear.presence_sync._presence.held_by("b"))
    assert not [uid for uid, is_online in ear.news if not is_online]
    assert [(node, type(said)) for node, said in ear.told] == [("b", AskHeldUids)]
    for part in (held_uids("pqr", 0), held_uids("", 1, True)):
        ear.presence_sync.on_held_uids(part)
    assert sorted(ear.presence_sync._presence.held_by("b")) == ["p", "q", "r"]


def test_a_roll_is_said_in_parts_to_all_who_called_in_one_go() -> None:
    ear = Ear("a", "b", "c")
    ear.uids = [f"user {number}" for number in range(2000)]
    ear.presence_sync.tell_held_uids()
    for node in "bc":
        said = [message for to, message in ear.told if to == node]
        assert [one.part for one in said] == list(range(len(said)))
        assert [one.is_last for one in said] == [False] * (len(said) - 1) + [True]
        assert max(len(encode(one)) for one in said) < 2000
    named = [name for _, one in ear.told for name in one.names]
    # Each uid has two home nodes of three; a node does not send to itself.
    assert len(set(named)) == 2000
    assert 2000 < len(named) < 4000


def test_jobs_are_done_in_order_and_wait_for_room_and_give_way() -> None:
    said: list[tuple[str, Any]] = []
    room = 0

    def tell(node: str, message: Any) -> None:
        nonlocal room
        room -= 1
        said.append((node, message))

    def job(name: str, count: int, *, fails: bool = False) -> Any:
        for number in range(count):
            yield name, number
            yield None
        if fails:
            raise ZeroDivisionError

    async def test() -> None:
        nonlocal room
        jobs = PacedJobs(tell, lambda: room > 0)
        jobs.add(job("a", 3, fails=True))
        jobs.add(job("b", 2))
        assert said == []
        room = 2
        await until(lambda: len(said) == 2)
        room = 10**6
        await until(lambda: len(said) == 5)
        assert said == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]
        turns = 0
        jobs.add(job("c", 200_000))
        while len(said) < 200_005:
            await asyncio.sleep(0)
            turns += 1
        assert turns > 5, "others have their turns in between"
        jobs.add(job("d", 10**9))
        jobs.stop()

    asyncio.run(test())
