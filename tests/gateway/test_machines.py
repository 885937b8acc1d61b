"""Two machines with one broker: two programs, as root in networks of their own."""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.brokers import Server, nats_server, redis_server, running
from kit.gateway import System
from kit.program import Program, find_program, free_ports
from kit.waiting import DEADLINE
from lineman import NotReachedError
from lineman.brokers.choice import broker_maker
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.push.blocking import GatewayClient
from lineman.testing.client import RawClient

APP = Path(__file__).parent / "apps" / "node_app.py"


class Network:
    """A network namespace that a virtual cable connects to this one; None without root."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.host = self.outside = "127.0.0.1"
        if os.geteuid() != 0:
            return
        self._ip = find_program("ip", "iproute2")
        number = secrets.randbelow(1 << 14)
        self._name = f"lm{number:x}"
        high, low = divmod(4 * number, 256)
        self.outside, self.host = f"100.{64 + high // 256}.{high % 256}.{low + 1}", ""
        self.host = self.outside[: self.outside.rindex(".") + 1] + str(low + 2)
        cable, end = f"{self._name}a", f"{self._name}b"
        self._run("netns", "add", self._name)
        try:
            self._run("link", "add", cable, "type", "veth", "peer", "name", end)
            self._run("link", "set", end, "netns", self._name)
            self._run("addr", "add", f"{self.outside}/30", "dev", cable)
            self._run("link", "set", cable, "up")
            self._run("-n", self._name, "addr", "add", f"{self.host}/30", "dev", end)
            self._run("-n", self._name, "link", "set", end, "up")
            self._run("-n", self._name, "link", "set", "lo", "up")
        except BaseException:
            self.remove()
            raise
        self.words = [self._ip, "netns", "exec", self._name]

    def _run(self, *words: str) -> None:
        done = subprocess.run([self._ip, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"

    def remove(self) -> None:
        """Removes the namespace, and with it the cable."""
        if os.geteuid() == 0:
            self._run("netns", "del", self._name)


class Machine:
    """A program of the service, on a network of its own."""

    def __init__(self, directory: Path, broker: Callable[[str], str]) -> None:
        self.network = Network()
        self.port = free_ports(1)[0]
        self._env = {"XDG_RUNTIME_DIR": str(directory), "RUNTIME_DIRECTORY": str(directory)}
        url = broker(self.network.outside)
        here = [str(APP), self.network.host, str(self.port), url]
        self._words = [*self.network.words, sys.executable, *here]
        self.program = Program("node_app", [*self._words, "start"], env=self._env)

    def connect(self) -> RawClient:
        client = RawClient(self.port, host=self.network.host)
        return client.open("/")

    def status(self) -> list[dict[str, Any]]:
        done = subprocess.run(
            [*self._words, "status", "--json"],
            env={**os.environ, **self._env},
            capture_output=True,
            check=False,  # 1 while the broker is away
            timeout=DEADLINE,
        )
        children: list[dict[str, Any]] = json.loads(done.stdout)["children"]
        return children

    def gateway(self) -> dict[str, Any]:
        """The status of the process that holds the clients."""
        return next(child for child in self.status() if child["worker"] == "gateway")

    def stop(self) -> None:
        try:
            self.program.stop()
        finally:
            self.network.remove()


class Service:
    def __init__(self, server: Server, machines: list[Machine]) -> None:
        self.server = server
        self.machines = machines


@pytest.fixture(params=["redis", "nats"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    tmp_path = tmp_path_factory.mktemp("m")  # a unix socket's path is short
    kind: str = request.param
    everywhere = "0.0.0.0"
    server = (
        redis_server(tmp_path, "--bind", everywhere, "--protected-mode", "no")
        if kind == "redis"
        else nats_server("-a", everywhere)
    )
    with running(server):
        machines: list[Machine] = []
        try:
            for number in range(2):
                directory = tmp_path / str(number)
                directory.mkdir(mode=0o700)
                machines.append(Machine(directory, lambda host: f"{kind}://{host}:{server.port}"))
            for machine in machines:
                machine.program.wait_for_line("ready:")
                machine.program.wait_for_line("the broker is reached")
            yield Service(server, machines)
        finally:
            for machine in machines:
                machine.stop()


def ask(client: RawClient, text: str) -> str:
    client.send(text)
    return str(client.receive())


def wait_for_answer(client: RawClient, text: str, answer: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while (seen := ask(client, text)) != answer:
        assert time.monotonic() < deadline, f"never {answer!r}, but {seen!r}"
        time.sleep(0.05)


def say_until_heard(teller: RawClient, hearer: RawClient, group: str) -> None:
    """Sends again until it arrives: the subscriptions take a moment."""
    hearer.plain.settimeout(0.2)
    deadline = time.monotonic() + DEADLINE
    while True:
        assert time.monotonic() < deadline, f"nobody in {group} hears"
        teller.send(f"to {group} hello")
        try:
            assert hearer.receive() == "hello"
            break
        except TimeoutError:
            pass
    while True:  # those that were said before that
        try:
            hearer.receive()
        except TimeoutError:
            break
    hearer.plain.settimeout(DEADLINE)


def test_two_machines_are_one_service_also_when_the_broker_or_one_of_them_was_away(
    service: Service,
) -> None:
    one, two = service.machines
    anna, other, bert = one.connect(), one.connect(), two.connect()
    clients = [anna, other, bert]
    try:
        assert ask(anna, "in anna") == "in"
        assert ask(bert, "in bert") == "in"
        wait_for_answer(anna, "count", "2 anna bert")
        wait_for_answer(bert, "count", "2 anna bert")
        say_until_heard(other, bert, "room")
        anna.close()
        clients[0] = anna = one.connect()  # without the messages to the old client
        assert ask(anna, "in anna") == "in"
        check_away(service, anna, other, bert)
        check_death(one, two, other)
    finally:
        for client in clients:
            client.close()
    output = one.program.output + two.program.output
    assert output.count("online: bert") == output.count("offline: bert") == 1


def check_away(service: Service, anna: RawClient, other: RawClient, bert: RawClient) -> None:
    """The broker stops, local traffic continues; the broker returns, and everything works again."""
    one, two = service.machines
    service.server.stop()
    one.program.wait_for_line("the broker is cut off")
    two.program.wait_for_line("the broker is cut off")
    assert ask(other, "join meanwhile") == "joined"
    other.send("to meanwhile here")
    assert other.receive() == "here"
    assert ask(bert, "join meanwhile") == "joined"
    assert one.gateway()["report"]["facts"]["gateway_broker_connected"] == 0
    service.server.start()
    for machine in service.machines:
        machine.program.wait_for_line("the broker is reached", count=2)
    wait_for_answer(other, "count", "2 anna bert")
    say_until_heard(anna, bert, "meanwhile")
    facts = one.gateway()["report"]["facts"]
    assert (facts["gateway_clients"], facts["gateway_uids"], facts["gateway_nodes"]) == (2, 1, 2)
    assert facts["gateway_broker_connected"] == 1


def check_death(one: Machine, two: Machine, other: RawClient) -> None:
    """A process dies silently: seconds later no other process counts its clients."""
    began = time.monotonic()
    os.kill(two.gateway()["pid"], signal.SIGKILL)
    while ask(other, "count").partition(" ")[0] != "1":
        assert time.monotonic() < began + DEADLINE
        time.sleep(0.1)
    assert ask(other, "count") == "1 anna"
    deadline = time.monotonic() + DEADLINE
    while "offline: bert" not in one.program.output + two.program.output:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_nodes_with_different_secrets_hear_nothing_of_each_other_and_say_why(
    system: System, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with running(redis_server(tmp_path)) as server:
        maker = broker_maker(f"redis://127.0.0.1:{server.port}", "gateway")
        for secret in ("the secret of one", "the secret of two"):
            system.add_node("on_message", routing=RoutingOptions(maker, secret))
        reason = "it was not signed with this service's secret"
        system.wait_until(lambda: caplog.text.count(reason) >= 2, "both say why")
        for node in system.nodes:
            assert node.routing.cluster is not None
            assert node.routing.cluster.nodes == [node.name]
        api = system.add_business()
        client, _ = system.connect(node=0), system.connect(node=1)
        system.wait_until(lambda: all(node.orders.clients for node in system.nodes), "connected")
        (mine,) = system.nodes[0].orders.clients
        system.call(api.send_to_all, "to mine")
        system.call(api.send_to_client, mine, "end")
        assert client.receive() == "to mine"
        assert client.receive() == "end"
        url = f"redis://127.0.0.1:{server.port}?protocol=2"
        for name, secret, seen in (
            ("gateway", "the secret of three", "signed with another secret"),
            ("elsewhere", "the secret of one", "no gateway process of 'elsewhere' is heard of"),
        ):
            with (
                GatewayClient(url, name, secret) as pusher,
                pytest.raises(NotReachedError, match=seen) as caught,
            ):
                pusher.is_uid_online("anna")
            assert "protocol" not in str(caught.value)  # what may hold a password is not shown
        for node in system.nodes:
            system.run(node.routing.stop())
