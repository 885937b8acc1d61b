"""The faults of the counting runs: what is done, and whether the figures are exact afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from faults.cable import Cable
from faults.counted_service import CountedService

Act = Callable[[CountedService], Awaitable[None]]
FAULTS: dict[str, Fault] = {}


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: as the table of the manual calls it.
        act: does it and mends it.
        is_exact: whether every lost message is counted exactly; else the figures are upper bounds.
        needs: the kinds of brokers with which it can happen.
        spares_workers: whether it kills a gateway process and none of its workers.
    """

    name: str
    act: Act
    is_exact: bool
    needs: tuple[str, ...]
    spares_workers: bool = False


ALL = ("redis", "nats", "redis-cluster", "embedded")
REMOTE = ("redis", "nats", "redis-cluster")


def fault(
    name: str,
    needs: tuple[str, ...] = ALL,
    *,
    is_exact: bool = True,
    spares_workers: bool = False,
) -> Callable[[Act], Act]:
    def add(act: Act) -> Act:
        FAULTS[name] = Fault(name, act, is_exact, needs, spares_workers)
        return act

    return add


@fault("none")
async def nothing(service: CountedService) -> None:
    await asyncio.sleep(2.0)


async def signal_one(service: CountedService, worker: str, number: int) -> int:
    node = service.nodes[-1]
    pid = (await node.pids(worker))[0]
    os.kill(pid, number)
    return pid


@fault("business worker killed", is_exact=False)
async def worker_killed(service: CountedService) -> None:
    await signal_one(service, "gateway business", signal.SIGKILL)
    await asyncio.sleep(1.0)


@fault("business worker stopped for 5 s")
async def worker_stopped(service: CountedService) -> None:
    pid = await signal_one(service, "gateway business", signal.SIGSTOP)
    await asyncio.sleep(5.0)
    os.kill(pid, signal.SIGCONT)


@fault("gateway process killed", is_exact=False, spares_workers=True)
async def holder_killed(service: CountedService) -> None:
    await signal_one(service, "gateway", signal.SIGKILL)
    await asyncio.sleep(6.0)


@fault("gateway process stopped, then killed", is_exact=False, spares_workers=True)
async def holder_stopped_and_killed(service: CountedService) -> None:
    """Its workers give it orders that it takes, and never looks at."""
    service.order_later()
    await asyncio.sleep(0.5)
    pid = await signal_one(service, "gateway", signal.SIGSTOP)
    await asyncio.sleep(4.0)
    os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(2.0)


@fault("gateway process stopped for 5 s")
async def holder_stopped(service: CountedService) -> None:
    pid = await signal_one(service, "gateway", signal.SIGSTOP)
    await asyncio.sleep(5.0)
    os.kill(pid, signal.SIGCONT)
    await asyncio.sleep(1.0)


@fault("hub killed", ("embedded",))
async def hub_killed(service: CountedService) -> None:
    await signal_one(service, "gateway hub", signal.SIGKILL)
    await asyncio.sleep(3.0)


@fault("hub stopped for 5 s", ("embedded",))
async def hub_stopped(service: CountedService) -> None:
    pid = await signal_one(service, "gateway hub", signal.SIGSTOP)
    await asyncio.sleep(5.0)
    os.kill(pid, signal.SIGCONT)


@fault("machine killed", REMOTE, is_exact=False)
async def node_killed(service: CountedService) -> None:
    node = service.nodes[-1]
    await asyncio.to_thread(node.kill)
    await asyncio.sleep(5.0)
    node.start()
    await node.ready()
    await service.all_in()
    await asyncio.sleep(2.0)


async def cut_for(service: CountedService, seconds: float) -> None:
    wire = service.nodes[-1].wire
    assert wire is not None
    wire.cut()
    await asyncio.sleep(seconds)
    wire.mend()
    await asyncio.sleep(1.0)


@fault("machine cut off for 5 s", REMOTE)
async def cut_shortly(service: CountedService) -> None:
    await cut_for(service, 5.0)


@fault("machine cut off for 30 s", REMOTE)
async def cut_long(service: CountedService) -> None:
    await cut_for(service, 30.0)


@fault("broker restarted", REMOTE)
async def broker_restarted(service: CountedService) -> None:
    assert service.server is not None
    await asyncio.to_thread(service.server.stop)
    await asyncio.sleep(1.0)
    await asyncio.to_thread(service.server.start)
    await asyncio.sleep(2.0)


@fault("broker stopped for 8 s", REMOTE)
async def broker_stopped(service: CountedService) -> None:
    assert service.server is not None
    service.server.signal(signal.SIGSTOP)
    await asyncio.sleep(8.0)
    service.server.signal(signal.SIGCONT)
    await asyncio.sleep(3.0)


@fault("broker's output buffer full", REMOTE)
async def broker_full(service: CountedService) -> None:
    wire = service.nodes[-1].wire
    pid = 0
    if isinstance(wire, Cable):
        wire.slow()
    else:  # nobody reads while the process stands still
        pid = await signal_one(service, "gateway", signal.SIGSTOP)
    for _ in range(30):
        service.burst(300, 3000)
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.0)
    if isinstance(wire, Cable):
        wire.mend()
    else:
        os.kill(pid, signal.SIGCONT)
    await asyncio.sleep(2.0)


@fault("reload")
async def reload(service: CountedService) -> None:
    output = await service.nodes[-1].command("reload")
    assert "reload" in output.lower(), output
    await asyncio.sleep(1.0)


@fault("reload to another build, and back")
async def reload_to_another_build(service: CountedService) -> None:
    for source in (service.build_before(), None):
        for node in service.nodes:
            node.use(source)
            output = await node.command("reload")
            assert "failed" not in output.lower(), output
        await asyncio.sleep(1.0)


@fault("rolling restart of both machines", REMOTE)
async def rolling(service: CountedService) -> None:
    await roll(service)


@fault("rolling upgrade of both machines to another build, and back", REMOTE)
async def rolling_upgrade(service: CountedService) -> None:
    for source in (service.build_before(), None):
        for node in service.nodes:
            node.use(source)
        await roll(service)


async def roll(service: CountedService) -> None:
    for node in service.nodes:
        await asyncio.to_thread(node.stop)
        node.start()
        await node.ready()
        await service.all_in()
        await asyncio.sleep(3.0)


@fault("restart with a clock that is an hour behind", REMOTE)
async def clock_behind(service: CountedService) -> None:
    await with_clock(service, -3600.0)


@fault("restart with a clock that is an hour ahead", REMOTE)
async def clock_ahead(service: CountedService) -> None:
    await with_clock(service, 3600.0)


async def with_clock(service: CountedService, shift: float) -> None:
    node = service.nodes[-1]
    await asyncio.to_thread(node.stop)
    node.start(shift)
    await node.ready()
    await service.all_in()
    await asyncio.sleep(3.0)
