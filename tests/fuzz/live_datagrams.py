"""A real `udp://` service in this process, and senders who send anything."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from random import Random

from fuzz.live import Defects
from kit.datagrams import DatagramSite, UdpClient
from kit.rubbish import client_hello, half_request, noise
from kit.waiting import wait_until
from lineman import DatagramPeer, Worker

# The most that IPv4 can carry.
LARGEST = 65_507


def served(random: Random, ports: set[int]) -> Worker:
    """A worker with random limits, whose callback answers too much, too little, or raises."""
    worker = Worker(
        "udp://127.0.0.1:0",
        max_message_size=random.choice([1, 1000, 100_000]),
        udp_amplification=random.choice([0, 1, 1.5, 10]),
    )

    def on_message(peer: DatagramPeer, data: bytes) -> None:
        ports.add(peer.remote_port)
        step = len(data) % 6
        if step < 2:
            peer.send(data)
        elif step == 2:
            for _ in range(20):
                peer.send(data[:100])
        elif step == 3:
            peer.send(bytes(LARGEST + random.randrange(3)))
        elif step == 4:
            worker.send_to((peer.remote_ip, peer.remote_port), "ä" * 50)

    async def on_message_late(peer: DatagramPeer, data: bytes) -> None:
        on_message(peer, data)

    worker.on_message = on_message_late if random.random() < 0.3 else on_message
    return worker


def attack(random: Random, client: UdpClient) -> None:
    """Some datagrams, the largest and the empty one among them; the answers are read or not."""
    client.settimeout(0)
    for _ in range(random.randrange(1, 20)):
        make = random.choice([noise, half_request, client_hello, lambda _: b""])
        with contextlib.suppress(OSError):
            client.send(make(random)[:LARGEST])
            if random.random() < 0.3:
                client.recv(65_536)


def round_(random: Random, count: int, deadline: float) -> Counter[str]:
    """Attacks one service for a while; returns how often.

    Raises:
        AssertionError: the service logged a defect, a task of it failed, or it does not answer.
    """
    defects = Defects()
    logger = logging.getLogger("lineman")
    logger.addHandler(defects)
    done: Counter[str] = Counter()
    ports: set[int] = set()  # of senders whom it has heard
    site = DatagramSite(served(random, ports))
    try:
        with site:
            while done["attacks"] < count and time.monotonic() < deadline:
                with UdpClient(site.port) as client:
                    attack(random, client)
                done["attacks"] += 1
            done["opened"] = len(ports)
            last = site.client()
            wait_until(lambda: last.send(b".") and last.name[1] in ports, "it still serves")
            assert not site.faults, site.faults
    finally:
        site.close_clients()
        logger.removeHandler(defects)
    assert not defects.seen, defects.seen[0]
    return done
