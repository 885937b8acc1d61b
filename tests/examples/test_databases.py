"""The programs with database pools run on a real PostgreSQL and a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedError

from kit.brokers import redis_server, running
from kit.databases import Postgres
from kit.examples import Example
from kit.peer_client import PeerClient
from kit.program import free_ports
from kit.waiting import DEADLINE, wait_until


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as exits:
        yield exits


def test_asyncpg_keeps_lines_over_a_reload_and_closes_its_pools(
    postgres: Postgres, tmp_path: Path, stack: ExitStack
) -> None:
    example = Example("asyncpg_pool.py", tmp_path, DATABASE=postgres.address)
    stack.callback(example.program.stop)
    example.wait()
    with PeerClient(example.address) as client:
        client.send("it's ☕; DROP TABLE lines")
        assert client.recv() == "it's ☕; DROP TABLE lines"
        client.send(b"\0")
        with pytest.raises(ConnectionClosedError, match="1003"):
            client.recv()
    example.reload()
    with PeerClient(example.address) as client:
        assert client.recv() == "it's ☕; DROP TABLE lines"
    assert postgres.clients > 0
    example.stop()
    wait_until(lambda: postgres.clients == 0, "PostgreSQL sees that the pools are closed")
    assert postgres.lost_clients == 0


def test_asyncpg_connects_again_to_a_server_that_was_restarted(
    tmp_path: Path, stack: ExitStack
) -> None:
    server = Postgres()
    stack.callback(server.remove)
    server.start()
    example = Example("asyncpg_pool.py", tmp_path, DATABASE=server.address)
    stack.callback(example.program.stop)
    example.wait()
    server.stop()
    with PeerClient(example.address) as client, pytest.raises(ConnectionClosedError, match="1011"):
        client.recv()
    server.start()
    with PeerClient(example.address) as client:
        client.send("hello again")
        assert client.recv() == "hello again"


def test_without_its_database_a_program_does_not_start_and_says_so(
    tmp_path: Path, stack: ExitStack
) -> None:
    address = f"postgresql://chat@127.0.0.1:{free_ports(1)[0]}/chat"
    example = Example("asyncpg_pool.py", tmp_path, DATABASE=address)
    stack.callback(example.program.stop)
    assert example.program.process.wait(DEADLINE) == 1
    assert "does not start" in example.program.output
    assert "in open_pool" in example.program.output
    assert "Connection refused" in example.program.output


def test_sqlalchemy_adds_up_what_clients_of_all_processes_send(
    postgres: Postgres, tmp_path: Path, stack: ExitStack
) -> None:
    address = postgres.address.replace("postgresql:", "postgresql+asyncpg:")
    example = Example("sqlalchemy_pool.py", tmp_path, DATABASE=address)
    stack.callback(example.program.stop)
    example.wait()
    with ExitStack() as open_clients:
        clients = [open_clients.enter_context(PeerClient(example.address)) for _ in range(6)]
        for client in clients:
            client.send("ada 10")
        assert {client.recv() for client in clients} == {f"ada has {10 * n}" for n in range(1, 7)}
        clients[0].send("ada; DELETE")
        assert clients[0].recv() == "send a name and a number: ada 10"
    assert postgres.clients > 0
    example.stop()
    wait_until(lambda: postgres.clients == 0, "PostgreSQL sees that the pools are closed")
    assert postgres.lost_clients == 0


def test_redis_counts_and_closes_its_pools(tmp_path: Path, stack: ExitStack) -> None:
    server = stack.enter_context(running(redis_server(tmp_path)))
    example = Example("redis_pool.py", tmp_path, REDIS=f"redis://127.0.0.1:{server.port}/0")
    stack.callback(example.program.stop)
    example.wait()
    with PeerClient(example.address) as ada, PeerClient(example.address) as grace:
        for number, client in enumerate((ada, grace, ada, grace), 1):
            client.send("shop")
            assert client.recv() == str(number)
    example.stop()
