"""Two nodes of the example, and a program that pushes through their Redis."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from kit.brokers import redis_server, running
from kit.program import Program, free_ports
from kit.waiting import wait_until
from lineman import GatewayClient
from lineman.testing.client import RawClient

SCRIPT = Path(__file__).parents[2] / "examples" / "cluster_push.py"
SECRET = "a secret of the tests"


def test_a_push_reaches_users_on_both_machines(tmp_path: Path) -> None:
    ports = free_ports(2)
    with ExitStack() as exits:
        redis = exits.enter_context(running(redis_server(tmp_path)))
        broker = f"redis://127.0.0.1:{redis.port}"
        nodes = []
        for port in ports:
            directory = tmp_path / str(port)
            directory.mkdir()
            env = {
                "PORT": str(port), "BROKER": broker, "SECRET": SECRET,
                "RUNTIME_DIRECTORY": str(directory),
            }  # fmt: skip
            nodes.append(Program(str(port), [sys.executable, SCRIPT, "start"], env=env))
            exits.callback(nodes[-1].stop)
        clients = {}
        for name, port, node in zip(("anna", "ben"), ports, nodes, strict=True):
            node.wait_for_line("ready:")
            clients[name] = exits.enter_context(RawClient(port))
            clients[name].open(f"/?user={name}")
            assert clients[name].receive() == "connected"
        gateway = GatewayClient(broker, secret=SECRET)
        exits.callback(gateway.close)
        wait_until(lambda: gateway.get_all_client_count() == 2, "the nodes know each other")
        for name, client in clients.items():
            gateway.send_to_uid(name, f"for {name}")
            assert client.receive() == f"for {name}"
        gateway.send_to_group("news", "for all")
        assert [client.receive() for client in clients.values()] == ["for all"] * 2
        clients["anna"].send("hello")
        assert clients["ben"].receive() == "anna: hello"
