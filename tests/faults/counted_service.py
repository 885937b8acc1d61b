"""A service on two nodes with counting clients: what is sent, got and told is compared."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from faults import builds
from faults.cable import Cable
from faults.counted_node import CountedNode
from faults.counting_client import CountingClient
from faults.namespaces import BROKERS, Namespace
from kit.brokers import RedisClusterServer, Server, nats_server, redis_server

# Seconds within which everything must have settled after a fault; far above what is needed.
SETTLED = 40.0
# Seconds until a new subscription counts (see `LinkReports`), and until one more report is there.
SUBSCRIBED = 4.5
# A broker gives up who does not read so many bytes.
OUTPUT_LIMIT = 256 * 1024


def make_server(kind: str, directory: Path, host: str) -> Server | RedisClusterServer | None:
    """A broker of a kind at a host: `redis`, `nats`, `redis-cluster`, or `embedded` for none."""
    limit = f"pubsub {OUTPUT_LIMIT} {OUTPUT_LIMIT} 1"
    words = ["--client-output-buffer-limit", *limit.split(), "--protected-mode", "no"]
    words += ["--bind", *dict.fromkeys(("127.0.0.1", host))]
    if kind == "redis":
        return redis_server(directory, *words)
    if kind == "redis-cluster":
        return RedisClusterServer(directory, *words, host=host)
    if kind != "nats":
        return None
    file = directory / "nats.conf"
    file.write_text(f"max_pending: {OUTPUT_LIMIT}\nmax_payload: {OUTPUT_LIMIT}\n")
    return nats_server("-c", str(file), "-a", host)


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
        bounds = ("unconfirmed_messages", "unconfirmed_orders", "dropped_events")
        return sum(self.told[f"gateway_{name}"] for name in bounds)


class CountedService:
    """Two nodes (one if the broker is embedded), and clients on both.

    Args:
        kind: of the broker.
        directory: for sockets and data; a short path.
        clients: in all.
        rate: messages of each client in a second.
        publishes: whether it also publishes messages that are kept. Without them the number of
            missed messages must be exact.
        has_namespaces: whether each machine has a network of its own; else a relay stands for it.
    """

    def __init__(
        self,
        kind: str,
        directory: Path,
        clients: int = 20,
        rate: float = 10.0,
        *,
        publishes: bool = True,
        has_namespaces: bool = False,
    ) -> None:
        self.kind = kind
        self._has_namespaces = has_namespaces and kind != "embedded"
        host = BROKERS if self._has_namespaces else "127.0.0.1"
        self._host = host
        self.server: Server | RedisClusterServer | None = None
        self.before = Path()
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
        count = 1 if self.kind == "embedded" else 2
        for number in range(count):
            wire = Namespace(number) if self._has_namespaces else None
            if wire is not None:
                wire.open()
            self.nodes.append(CountedNode(number, self.kind, self._directory, wire))
        self.server = make_server(self.kind, self._directory, self._host)
        if self.server is not None:
            await asyncio.to_thread(self.server.start)
        for node in self.nodes:
            await self._connect(node)
            node.start()
        for node in self.nodes:
            await node.ready()
        for number in range(self._count // count):
            for node in self.nodes:
                uid = f"u{node.number}.{number}"
                groups = (f"g{number % 5}",)
                self.clients.append(CountingClient(uid, (node.host, node.port), groups))
        self._published = {f"g{number}": [] for number in range(5)}
        await self.all_in()
        await asyncio.sleep(SUBSCRIBED)
        await self._give_places()
        self._before = await self.figures()

    async def _give_places(self) -> None:
        """One message for each group: without a place nobody can ask for what is missing."""
        for client in self.clients[: 2 * len(self._published)]:
            client.say("publish", next(iter(client.members)), f"{client.uid}:{next(self._numbers)}")
        members = [member for client in self.clients for member in client.members.values()]
        async with asyncio.timeout(SETTLED):
            while not all(member.epoch for member in members):
                await asyncio.sleep(0.05)
        for client in self.clients:
            client.forget()

    async def _connect(self, node: CountedNode) -> None:
        """Tells a machine its broker, by a relay where it has no network of its own."""
        if isinstance(self.server, RedisClusterServer):
            node.broker_url = self.server.url
        elif self.server is not None:
            port = self.server.port
            if node.wire is None:
                node.wire = Cable(port)
                await node.wire.start()
                port = node.wire.port
            node.broker_url = f"{self.kind}://{self._host}:{port}"

    def build_before(self) -> Path:
        """The source of another build of Lineman."""
        if not self.before.is_absolute():
            self.before, what = builds.build_before(self._directory / "before")
            print(f"another build: {what}", flush=True)
        return self.before

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

    def order_later(self) -> None:
        """Has workers of the last machine send a message to each client, three seconds later."""
        senders = [one for one in self.clients if one.uid.startswith(f"u{len(self.nodes) - 1}")]
        for number, receiver in enumerate(self.clients):
            sender = senders[number % len(senders)]
            name = f"{sender.uid}.later-{next(self._numbers)}"  # the others overtake it
            sender.send_later(receiver, name)

    async def hush(self) -> None:
        """Sends nothing more."""
        if self._talking is not None:
            self._talking.cancel()
            self._talking = None

    # The balance.

    async def balance(
        self, fault: str, is_exact: bool = True, spares_workers: bool = False
    ) -> Balance:
        """What became of everything since the last balance.

        Args:
            fault: its name.
            is_exact: whether the gateways know exactly what was lost; else their figures are upper
                bounds, as when a process dies that had messages.
            spares_workers: whether the process that was killed is a gateway process of the last
                machine: then its workers know what of their orders may be lost with it.
        """
        await self.hush()
        await self.all_in()
        deadline = time.monotonic() + SETTLED
        while True:
            await asyncio.sleep(1.0)
            found = Balance(fault)
            found.told = await self.told()
            lost_elsewhere = self._look_at_messages(found, is_exact)
            told = found.bound - found.told["gateway_unconfirmed_messages"] + found.missed
            if spares_workers and lost_elsewhere > told:
                text = f"{lost_elsewhere} to others were lost, its workers and they told {told}"
                found.problems.append(text)
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

    def _given(self) -> dict[str, float]:
        """The messages that workers have sent by themselves, and when."""
        lines = [line.split() for node in self.nodes for line in node.output.split("\n")]
        return {line[1]: float(line[2]) for line in lines if line[:1] == ["given:"]}

    def _look_at_messages(self, found: Balance, is_exact: bool) -> int:
        """Returns how many were lost to clients of machines that were not hit."""
        given, lost_elsewhere, hit = self._given(), 0, f"u{len(self.nodes) - 1}"
        got = {number for client in self.clients for number in client.got}
        for client in self.clients:
            for number, receiver in client.to.items():
                if number in got:
                    found.sent += 1
                    found.delivered += 1
                elif (at := client.acknowledged.get(number, given.get(number))) is not None:
                    found.sent += 1
                    was_away = receiver.was_away(at)
                    found.away += was_away
                    lost_elsewhere += not was_away and not receiver.uid.startswith(hit)
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
        return lost_elsewhere

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
            if isinstance(node.wire, Cable):
                await node.wire.close()
            elif node.wire is not None:
                node.wire.close()
        if self.server is not None:
            await asyncio.to_thread(self.server.stop)
