"""A real program with protocols of its own and datagrams, among clients who send anything."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from random import Random

from kit.app import MakeApp
from kit.datagrams import UdpClient
from kit.program import free_ports
from kit.rubbish import client_hello, half_request, noise
from kit.waiting import DEADLINE

PROGRAM = """
    from lineman import LengthPrefixed, Worker

    class Strict:  # one letter for the size, then as many bytes
        def input(self, buffer):
            return ord(buffer[:1].decode()) - 96 if buffer else 0

        def decode(self, package):
            return package[1:].decode()

        def encode(self, message):
            return bytes([97 + len(message)]) + message.encode()

    def echo(connection, message):
        connection.send(message)

    options = dict(max_message_size=500, idle_timeout=0.5, drain_seconds=0.1, stop_timeout=2)
    counted = Worker("tcp://127.0.0.1:{counted}", protocol=LengthPrefixed(">H"), **options)
    strict = Worker("tcp://127.0.0.1:{strict}", protocol=Strict, **options)
    datagrams = Worker("udp://127.0.0.1:{datagrams}", max_message_size=500, drain_seconds=0.1)
    for each in (counted, strict, datagrams):
        each.on_message = echo

    Worker.run_all()
"""
HELLO = {"counted": b"\x00\x05hello", "strict": b"fhello"}
Wire = Callable[[Random], bytes]


def oversize(random: Random) -> bytes:
    """The beginning of a message that is larger than any may be."""
    return b"\xff\xff" + random.randbytes(600)


def twice(random: Random) -> bytes:
    """Two good messages and the half of a third."""
    return HELLO[random.choice([*HELLO])] * 2 + b"\x00\x09ha"


ATTACKS: tuple[Wire, ...] = (noise, half_request, client_hello, oversize, twice, lambda _: b"")


def attack(random: Random, port: int, exits: ExitStack) -> None:
    """A client that sends something at once, or byte by byte, and then leaves or stays silent."""
    wire = random.choice(ATTACKS)(random)
    client = exits.enter_context(socket.create_connection(("127.0.0.1", port), DEADLINE))
    slow = random.random() < 0.3
    with contextlib.suppress(OSError):
        for part in [wire[at : at + 1] for at in range(min(len(wire), 50))] if slow else [wire]:
            client.sendall(part)
    if random.random() < 0.7:
        client.close()


def is_served(ports: dict[str, int]) -> None:
    """Everybody who behaves is answered."""
    for name, hello in HELLO.items():
        with socket.create_connection(("127.0.0.1", ports[name]), DEADLINE) as client:
            for at in range(len(hello)):  # byte by byte
                client.sendall(hello[at : at + 1])
            got = b""
            while len(got) < len(hello):
                more = client.recv(100)
                assert more, f"{name} ended after {got!r}"
                got += more
            assert got == hello
    with UdpClient(ports["datagrams"]) as client:
        assert client.ask(b"hello") == b"hello"


def test_rubbish_harms_nobody_else_also_while_reloading(
    make_app: MakeApp, stack: ExitStack
) -> None:
    random = Random(20261130)
    names = ("counted", "strict", "datagrams")
    ports = dict(zip(names, free_ports(3), strict=True))
    app = make_app(PROGRAM.format(**ports))
    app.start()
    command = [sys.executable, str(app.script), "reload"]
    reload = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    rounds = 0
    while reload.poll() is None or rounds < 10:
        for _ in range(5):
            attack(random, ports["counted"], stack)
            attack(random, ports["strict"], stack)
            with UdpClient(ports["datagrams"]) as sender, contextlib.suppress(OSError):
                sender.send(random.choice(ATTACKS)(random)[:65_507])
        is_served(ports)
        rounds += 1
    assert reload.returncode == 0
    is_served(ports)
    assert "defect" not in app.output
    assert "is restarted" not in app.output
    assert "Strict.input() " in app.output  # its mistakes are named
