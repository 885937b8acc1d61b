"""What gateway processes cost each other: `python bench/node_costs.py redis://127.0.0.1`.

Two processes are measured: the time of the processor for each message that nodes send each other by
themselves, to read it from the broker and to understand it; and the time of a Redis server for each
delivery. The table is these numbers multiplied, for up to 800 processes.

`python bench/node_costs.py redis://127.0.0.1 together 80` measures 80 real processes instead: what
each, and the Redis server, uses when nothing happens, and when each sends ten messages a second.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable

from lineman.brokers.base import Broker, Subscriber
from lineman.brokers.choice import broker_maker
from lineman.brokers.signing import Signer
from lineman.gateway.cluster.cluster import Cluster, ClusterCalls
from lineman.gateway.cluster.link_reports import SENDERS
from lineman.gateway.cluster.node_channel import NodeChannel
from lineman.gateway.cluster.node_versions import new_beat
from lineman.gateway.wire import names
from lineman.gateway.wire.messages import Send
from lineman.gateway.wire.node_messages import NodeMessage, ReceiverReport, SenderReport

PROCESSES = (2, 5, 10, 20, 50, 100, 200, 400, 800)
BEATS = 5000
# Seconds for which real processes are measured in each phase.
SECONDS = 10
SECRET = "x" * 32


class Nowhere(Broker):
    """A broker that is there at once and carries nothing but keeps what is published."""

    published: list[tuple[str, bytes]]

    async def start(self) -> None:
        """Is connected at once."""
        self.published = []
        self._enter(True)

    def publish(self, topic: str, payload: bytes) -> None:
        """Keeps it."""
        self.published.append((topic, payload))

    def subscribe(self, topics: Iterable[str]) -> None:
        """Does nothing."""

    def unsubscribe(self, topics: Iterable[str]) -> None:
        """Does nothing."""

    async def close(self) -> None:
        """Ends it."""
        self._end()


async def new_cluster(node: str) -> Cluster:
    """A node without others."""
    calls = ClusterCalls(answer=lambda asked: None)
    cluster = Cluster(node, Nowhere, calls, Signer(SECRET, "bench"))
    await cluster.broker.start()
    return cluster


def said_by(sender: NodeChannel, broker: Nowhere, messages: list[NodeMessage]) -> list[bytes]:
    """The bytes of these messages."""
    broker.published.clear()
    for message in messages:
        sender.publish(names.ALL_NODES, message)
    return [payload for _, payload in broker.published]


def least(measure: Callable[[], float]) -> float:
    """The least of several measurements: others on the machine only add to it."""
    return min(measure() for _ in range(5))


async def cost(make: Callable[[int], NodeMessage]) -> tuple[float, int]:
    """Seconds for one received message of a kind, and its bytes."""
    there = await new_cluster("b" * 8)
    broker = there.broker
    assert isinstance(broker, Nowhere)
    sizes: list[int] = []

    here = await new_cluster("a" * 8)

    def once() -> float:
        payloads = said_by(there.channel, broker, [make(number) for number in range(500)])
        sizes.append(len(payloads[-1]))
        began = time.process_time()
        for payload in payloads:
            here._on_message(names.ALL_NODES, payload)
        return (time.process_time() - began) / len(payloads)

    return least(once), sizes[-1]


async def read_all(url: str, count: int) -> float:
    """Seconds for each message that is read from the broker, if each comes by itself."""
    number = 0
    is_over = asyncio.Event()

    def on_message(topic: str, payload: bytes) -> None:
        nonlocal number
        number += 1
        if number == count:
            is_over.set()

    subscriber = Subscriber(on_message, lambda is_connected: None, lambda: [names.ALL_NODES])
    broker = broker_maker(url, "bench")(subscriber)
    await broker.start()
    while not broker.is_connected:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    began = time.process_time()
    await is_over.wait()
    passed = time.process_time() - began
    await broker.close()
    return passed / count


async def send_all(url: str) -> float:
    """Seconds of the server for each delivery to one of ten readers."""
    from redis.asyncio import Redis

    client = Redis.from_url(url)

    async def used() -> float:
        found = await client.info("cpu")
        return float(found["used_cpu_sys"]) + float(found["used_cpu_user"])

    readers = [client.pubsub() for _ in range(10)]
    for reader in readers:
        await reader.subscribe("lineman:bench:all")
    began = await used()
    pipeline = client.pipeline(transaction=False)
    for number in range(BEATS):
        pipeline.publish("lineman:bench:all", b"x" * 60)
        if number % 1000 == 999:
            await pipeline.execute()
            for reader in readers:
                while await reader.get_message(timeout=0) is not None:
                    pass
    passed = await used() - began
    for reader in readers:
        await reader.aclose()
    await client.aclose()
    return passed / BEATS / len(readers)


async def by_broker(url: str) -> tuple[float, float]:
    """Seconds to read a message, and seconds of the server for a delivery."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, __file__, url, "read", stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    await child.stdout.readline()
    there = broker_maker(url, "bench")(
        Subscriber(lambda topic, payload: None, lambda is_connected: None, tuple)
    )
    await there.start()
    while not there.is_connected:
        await asyncio.sleep(0.01)
    for _ in range(BEATS):  # one by one, as beats come
        there.publish(names.ALL_NODES, b"x" * 60)
        await asyncio.sleep(0.002)
    await there.close()
    read = float((await child.stdout.readline()).decode())
    await child.wait()
    return read, await send_all(url)


async def used_by_server(url: str) -> float:
    """Seconds that the Redis server has used so far."""
    from redis.asyncio import Redis

    client = Redis.from_url(url)
    found = await client.info("cpu")
    await client.aclose()
    return float(found["used_cpu_sys"]) + float(found["used_cpu_user"])


async def one_of(url: str, number: int, count: int, report: int) -> None:
    """One gateway process without clients: reports the seconds that it uses in each phase."""
    calls = ClusterCalls(answer=lambda asked: None)
    cluster = Cluster(f"{number:08x}", broker_maker(url, "bench"), calls, Signer(SECRET, "bench"))
    await cluster.start()
    while len(cluster.nodes) < count:
        await asyncio.sleep(0.1)
    await asyncio.sleep(5)  # the others meet too
    found = []
    for messages in (0, 10 * SECONDS):
        began, late_at = time.process_time(), time.monotonic() + SECONDS
        for _ in range(messages):
            cluster.relay_to((f"uid:{number}",), Send("x" * 60, uids=(f"{number}",)))
            await asyncio.sleep(SECONDS / messages)
        await asyncio.sleep(max(0.0, late_at - time.monotonic()))
        found.append((time.process_time() - began) / SECONDS)
    os.write(report, json.dumps(found).encode() + b"\n")
    await asyncio.sleep(5)  # nobody goes while another one is measured
    await cluster.stop()


async def together(url: str, count: int) -> None:
    """Prints what real processes use."""
    reader, writer = os.pipe()
    children = []
    for number in range(count):
        argv = (sys.executable, __file__, url, "one", str(number), str(count), str(writer))
        children.append(await asyncio.create_subprocess_exec(*argv, pass_fds=(writer,)))
    os.close(writer)
    began, began_at = await used_by_server(url), time.monotonic()
    with open(reader, encoding="utf-8") as lines:
        said = await asyncio.to_thread(lines.readlines)
    for child in children:
        await child.wait()
    server = (await used_by_server(url) - began) / (time.monotonic() - began_at)
    found = [json.loads(line) for line in said]
    for phase, what in enumerate(("idle", "if all send")):
        seconds = statistics.median(one[phase] for one in found)
        print(f"{count} processes, {what}: each {100 * seconds:.2f} % of a core")
    print(f"Redis, from the start to the end: {100 * server:.1f} % of a core")


async def main(url: str) -> None:
    """Prints the constants and the table."""
    logging.disable(logging.CRITICAL)
    node = "b" * 8
    beat, size = await cost(lambda number: new_beat(node))
    read, delivered = await by_broker(url)
    print(f"to read a message from the broker: {1e6 * read:.1f} µs")
    print(f"to understand a beat: {1e6 * beat:.1f} µs, {size} bytes")
    print(f"a delivery, of the Redis server: {1e6 * delivered:.2f} µs")
    print("| processes | beats a second | of each process | of Redis | if all send | of Redis |")
    print("|---:|---:|---:|---:|---:|---:|")
    for count in PROCESSES:
        # A process that sends reports what it has sent, and each reports what it has received.
        entries = min(100, max(1, 10_000 // count))
        sent = tuple((number, f"uid:{number}") for number in range(1, entries + 1))
        sender, _ = await cost(lambda number, sent=sent: SenderReport(node, 1, 1, sent))  # type: ignore[misc]
        received = tuple((f"{each:08x}", 1000, 0) for each in range(min(count, SENDERS)))
        receiver, _ = await cost(lambda number, of=received: ReceiverReport(node, of))  # type: ignore[misc]
        idle = count * (read + beat)
        busy = count * (3 * read + beat + sender + receiver)
        server = count * count * delivered
        cells = [f"{100 * share:.1f} %" for share in (idle, server, busy, 3 * server)]
        print(f"| {count} | {count * count:,} | {' | '.join(cells)} |")


if __name__ == "__main__":
    if sys.argv[2:] == ["read"]:
        print(asyncio.run(read_all(sys.argv[1], BEATS)))
    elif sys.argv[2:3] == ["together"]:
        asyncio.run(together(sys.argv[1], int(sys.argv[3])))
    elif sys.argv[2:3] == ["one"]:
        logging.disable(logging.CRITICAL)
        asyncio.run(one_of(sys.argv[1], *map(int, sys.argv[3:])))
    else:
        asyncio.run(main(*sys.argv[1:2]))
