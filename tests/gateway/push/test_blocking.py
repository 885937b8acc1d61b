"""Pushing from ordinary code: threads, forks, and a gateway that is too slow."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

from kit.gateway import System
from kit.waiting import DEADLINE
from lineman.gateway.push.blocking import GatewayClient
from lineman.gateway.wire.messages import new_hello
from lineman.links.framing import encode_frames


def test_threads_share_one_connection_and_a_forked_child_has_its_own(system: System) -> None:
    node = system.add_node("on_message")
    client = system.connect()
    system.wait_until(lambda: node.orders.clients, "it is there")
    with GatewayClient(f"unix://{system.paths[0]}") as gateway:
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(lambda _: gateway.get_all_client_count(), range(9))) == [1] * 9
        assert len(node.links) == 1
        with gateway._lock:  # as if another thread were at it
            pid = os.fork()
            if pid == 0:
                gateway.send_to_all("from the child")
                gateway.close()
                os._exit(0)
        assert client.receive() == "from the child"
        assert os.waitpid(pid, 0)[1] == 0
        for link in list(node.links):
            system.call(link.close)
        system.wait_until(lambda: not node.links, "the link has ended")
        assert gateway.get_all_client_count() == 1, "it has connected again"
        gateway.send_to_all("from the parent")
    assert client.receive() == "from the parent"


def read_all(connection: socket.socket) -> None:
    with connection:
        while connection.recv(1 << 20):
            pass


def test_who_pushes_faster_than_the_gateway_reads_waits(system: System) -> None:
    path = str(system.directory / "slow.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        gateway = GatewayClient(f"unix://{path}")
        pushed: list[int] = []

        def push() -> None:
            with contextlib.suppress(Exception):
                for number in range(300):
                    gateway.send_to_all("x" * 100_000)
                    pushed.append(number)

        thread = threading.Thread(target=push, daemon=True)
        thread.start()
        accepted, _ = listener.accept()
        accepted.settimeout(DEADLINE)
        accepted.sendall(encode_frames([new_hello(0)])[0][0])
        running = gateway._running
        system.wait_until(
            lambda: running and running._client and running._client._route._link.is_clogged,  # type: ignore[union-attr]
            "the link is full",
        )
        assert len(pushed) < 100
        reader = threading.Thread(target=read_all, args=(accepted,), daemon=True)
        reader.start()
        thread.join(DEADLINE)
        assert len(pushed) == 300
        gateway.close()
        reader.join(DEADLINE)
