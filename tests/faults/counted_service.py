"""A service on two nodes with counting clients: what is sent, got and told is compared."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.cable import Cable
from faults.counting_client import CountingClient
from kit.brokers import RedisClusterServer, Server, nats_server, redis_server
from kit.program import Program, free_ports

APP = Path(__file__).parent / "app.py"
# Seconds within which everything must have settled after a fault; far above what is needed.
SETTLED = 40.0
# Seconds until a new subscription counts (see `LinkReports`), and until one more report is there.
SUBSCRIBED = 4.5
# A Redis gives up who does not read so many bytes.
OUTPUT_LIMIT = 256 * 1024

COUNTED = (
    "gateway_missed_messages",
    "gateway_unreached_messages",
    "gateway_unconfirmed_messages",
    "gateway_dropped_events",
    "gateway_broker_replayed_messages",
    "gateway_broker_late_messages",
)


def make_server(kind: str, directory: Path) -> Server | RedisClusterServer | None:
    """A broker of a kind: `redis`, `nats`, `redis-cluster`, or `embedded` for none."""
    limit = f"pubsub {OUTPUT_LIMIT} {OUTPUT_LIMIT} 1"
    if kind == "redis":
        return redis_server(directory, "--client-output-buffer-limit", *limit.split())
    if kind == "redis-cluster":
        return RedisClusterServer(directory)
    return nats_server() if kind == "nats" else None


class CountedNode:
    """One machine: its processes, its cable to the broker, and all that it has printed."""

    def __init__(self, number: int, kind: str, directory: Path, cable: Cable | None) -> None:
        self.number = number
        self.port = free_ports(1)[0]
        self.cable = cable
        self.directory = directory / f"n{number}"
        self.directory.mkdir(mode=0o700)
        self.earlier = ""
        self._kind = kind
        self._shift = 0.0
        self.broker_url = "" if cable is None else f"{kind}://127.0.0.1:{cable.port}"
        self.program: Program | None = None
        self.words = [sys.executable, str(APP), str(self.port)]

    def environment(self) -> dict[str, str]:
        found = {"XDG_RUNTIME_DIR": str(self.directory), "RUNTIME_DIRECTORY": str(self.directory)}
        if self._kind != "embedded":
            found["BROKER"] = self.broker_url
        return {**found, "CLOCK_SHIFT": str(self._shift)}

    def start(self, shift: float = 0.0) -> None:
        self._shift = shift
        self.program = Program("node", [*self.words, "start"], env=self.environment())

    async def ready(self) -> None:
        assert self.program is not None
        await asyncio.to_thread(self.program.wait_for_line, "ready:")

    def stop(self) -> None:
        if self.program is not None:
            self.program.stop()
            self.earlier += self.program.output + "\n"
            self.program = None

    @property
    def output(self) -> str:
        return self.earlier + ("" if self.program is None else self.program.output)

    async def command(self, *words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *self.words,
            *words,
            env={**os.environ, **self.environment()},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return output.decode()

    async def children(self) -> list[dict[str, Any]]:
        text = await self.command("status", "--json")
        return list(json.loads(text[text.index("{") :])["children"])

    async def pids(self, worker: str) -> list[int]:
        return [each["pid"] for each in await self.children() if each["worker"] == worker]

    async def figures(self) -> dict[int, Counter[str]]:
        """What each process has counted, by its pid."""
        found = {}
        for child in await self.children():
            facts = (child.get("report") or {}).get("facts") or {}
            found[child["pid"]] = Counter({name: int(facts.get(name, 0)) for name in COUNTED})
        return found

    def kill(self) -> None:
        """All processes of the machine die at once."""
        assert self.program is not None
        master = self.program.process.pid
        pids = [master]
        for pid in pids:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                pids += map(int, children.read_text().split())
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.stop()


@dataclass
class Balance:
    """What became of the messages of one fault.

    Attributes:
        sent: messages that a worker has taken, or that arrived.
        delivered: those that arrived.
        away: those whose receiver was not connected, as it knows itself.
        told: what the gateways have counted, by figure.
        published, got: the same for messages with a history, once for each member.
        gaps: missing ones whose member was told.
        problems: what does not balance, as texts.
    """

    fault: str
    sent: int = 0
    delivered: int = 0
    away: int = 0
    told: Counter[str] = field(default_factory=Counter)
    published: int = 0
    got: int = 0
    gaps: int = 0
    users: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Messages to connected clients that did not arrive."""
        return self.sent - self.delivered - self.away

    @property
    def missed(self) -> int:
        """Messages that a living gateway process has counted as missed."""
        return self.told["gateway_missed_messages"]

    @property
    def bound(self) -> int:
        """Messages that may have been lost with a process that died."""
        bounds = ("unconfirmed_messages", "dropped_events")
        return sum(self.told[f"gateway_{name}"] for name in bounds)


class CountedService:
    """Two nodes (one if the broker is embedded), and clients on both.

    Args:
        kind: of the broker.
        directory: for sockets and data; a short path.
        clients: on each node.
        rate: messages of each client in a second.
        publishes: whether it also publishes messages that are kept. Without them the number of
            missed messages must be exact.
    """

    def __init__(
        self,
        kind: str,
        directory: Path,
        clients: int = 10,
        rate: float = 10.0,
        *,
        publishes: bool = True,
    ) -> None:
        self.kind = kind
        self.server = make_server(kind, directory)
        self._directory = directory
        self._count = clients
        self._rate = rate
        self._publishes = publishes
        self.nodes: list[CountedNode] = []
        self.clients: list[CountingClient] = []
        self._numbers = itertools.count(1)
        self._before: dict[int, Counter[str]] = {}
        self._talking: asyncio.Task[None] | None = None
        self._published: dict[str, list[tuple[CountingClient, str]]] = {}

    async def start(self) -> None:
        if self.server is not None:
            await asyncio.to_thread(self.server.start)
        for number in range(1 if self.kind == "embedded" else 2):
            cable = None
            if isinstance(self.server, Server):
                cable = Cable(self.server.port)
                await cable.start()
            node = CountedNode(number, self.kind, self._directory, cable)
            if isinstance(self.server, RedisClusterServer):
                node.broker_url = self.server.url
            node.start()
            self.nodes.append(node)
        for node in self.nodes:
            await node.ready()
        for number in range(self._count):
            for node in self.nodes:
                uid = f"u{node.number}.{number}"
                groups = (f"g{number % 5}",)
                self.clients.append(CountingClient(uid, node.port, groups))
        self._published = {f"g{number}": [] for number in range(5)}
        await self.all_in()
        await asyncio.sleep(SUBSCRIBED)
        self._before = await self.figures()

    async def all_in(self) -> None:
        """Returns when every client is connected."""
        async with asyncio.timeout(SETTLED):
            for client in self.clients:
                await client.is_in.wait()

    async def figures(self) -> dict[int, Counter[str]]:
        """What each process has counted, by its pid."""
        found: dict[int, Counter[str]] = {}
        for node in self.nodes:
            if node.program is not None:
                found |= await node.figures()
        return found

    async def told(self) -> Counter[str]:
        """What the processes have counted since the last balance."""
        found: Counter[str] = Counter()
        for pid, counted in (await self.figures()).items():
            found += counted - self._before.get(pid, Counter())
        return found

    # Traffic.

    def talk(self) -> None:
        """Begins to send."""
        self._talking = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        clients, count = self.clients, len(self.clients)
        for turn in itertools.count():
            began = time.monotonic()
            for index, client in enumerate(clients):
                other = clients[(index + 1 + 2 * (turn % 3)) % count]
                client.send(other, f"{client.uid}-{next(self._numbers)}")
                if self._publishes and index % 5 == turn % 5 and client.is_in.is_set():
                    group = next(iter(client.members))
                    name = f"{client.uid}:{next(self._numbers)}"
                    self._published[group].append((client, name))
                    client.say("publish", group, name)
            await asyncio.sleep(max(0.001, began + 1 / self._rate - time.monotonic()))

    def burst(self, count: int, more: int = 0) -> None:
        """Many messages from the clients of the first node to those of the second, at once.

        Args:
            count: how many.
            more: bytes that each has in addition.
        """
        here = [client for client in self.clients if client.uid.startswith("u0")]
        there = [client for client in self.clients if client.uid.startswith("u1")]
        for number in range(count):
            sender = here[number % len(here)]
            receiver = there[number % len(there)]
            sender.send(receiver, f"{sender.uid}-{next(self._numbers)}", more)

    async def hush(self) -> None:
        """Sends nothing more."""
        if self._talking is not None:
            self._talking.cancel()
            self._talking = None

    # The balance.

    async def balance(self, fault: str, is_exact: bool = True) -> Balance:
        """What became of everything since the last balance.

        Args:
            fault: its name.
            is_exact: whether the gateways know exactly what was lost; else their figures are upper
                bounds, as when a process dies that had messages.
        """
        await self.hush()
        await self.all_in()
        deadline = time.monotonic() + SETTLED
        while True:
            await asyncio.sleep(1.0)
            found = Balance(fault)
            found.told = await self.told()
            self._look_at_messages(found, is_exact)
            self._look_at_histories(found)
            self._look_at_users(found)
            if not found.problems or time.monotonic() > deadline:
                break
            for client in self.clients:
                for group in client.members:
                    client.ask_page(group)
        self._before = await self.figures()
        for client in self.clients:
            client.forget()
        for published in self._published.values():
            published.clear()
        return found

    def _look_at_messages(self, found: Balance, is_exact: bool) -> None:
        got = {number for client in self.clients for number in client.got}
        for client in self.clients:
            for number, receiver in client.to.items():
                if number in got:
                    found.sent += 1
                    found.delivered += 1
                elif number in client.acknowledged:
                    found.sent += 1
                    found.away += receiver.was_away(client.acknowledged[number])
            if client.doubled:
                found.problems.append(f"{client.uid} got {client.doubled[:3]} twice")
            if client.disorder:
                found.problems.append(f"{client.uid} got {client.disorder[:3]} out of order")
        missed, bound = found.missed, found.bound
        if found.lost > missed + bound:
            found.problems.append(f"{found.lost} were lost, {missed} + {bound} told")
        # A publication may be lost on its way to the home of its group, and to the members.
        most = found.lost + 2 * sum(map(len, self._published.values()))
        if is_exact and not found.lost <= missed <= most:
            found.problems.append(f"{found.lost} were lost, {missed} told, at most {most}")

    def _look_at_histories(self, found: Balance) -> None:
        for group, published in self._published.items():
            names = {name for client, name in published if name in client.acknowledged}
            for client in self.clients:
                member = client.members.get(group)
                if member is None:
                    continue
                missing = names - member.had.keys()
                found.published += len(names)
                found.got += len(names) - len(missing)
                if member.told:
                    found.gaps += len(missing)
                elif missing:
                    found.problems.append(
                        f"{client.uid} believes to have all of {group}, without {len(missing)}"
                    )
                if member.disorder:
                    found.problems.append(f"{client.uid} got {group} out of order")

    def _look_at_users(self, found: Balance) -> None:
        output = "\n".join(node.output for node in self.nodes).split("\n")
        lines = Counter(output)
        for client in self.clients:
            online, offline = lines[f"online: {client.uid}"], lines[f"offline: {client.uid}"]
            found.users += online + offline
            if online - offline != 1:
                found.problems.append(f"{client.uid}: {online} times online, {offline} offline")

    async def close(self) -> None:
        await self.hush()
        for client in self.clients:
            await client.close()
        for node in self.nodes:
            await asyncio.to_thread(node.stop)
            if node.cable is not None:
                await node.cable.close()
        if self.server is not None:
            await asyncio.to_thread(self.server.stop)
