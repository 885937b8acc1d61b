"""Jobs that outlive the message that began them, and the process that does them."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kit.brokers import Server, redis_server, running
from kit.examples import Example
from kit.peer_client import PeerClient
from kit.program import find_program
from kit.waiting import DEADLINE, wait_until


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as exits:
        yield exits


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Server]:
    """Its data are there again after a restart."""
    with running(redis_server(tmp_path, "--appendonly", "yes")) as server:
        yield server


def tell(server: Server, *words: str) -> str:
    """The output of redis-cli for a command."""
    command = [find_program("redis-cli", "redis-tools"), "-p", str(server.port), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=DEADLINE)
    return done.stdout.strip()


def start_queue(
    redis: Server, directory: Path, stack: ExitStack, lost_after: str = "60"
) -> Example:
    address = f"redis://127.0.0.1:{redis.port}/0"
    example = Example("job_queue.py", directory, REDIS=address, LOST_AFTER=lost_after)
    stack.callback(example.program.stop)
    example.wait()
    return example


def test_a_stop_waits_for_the_report_that_a_client_has_ordered(
    tmp_path: Path, stack: ExitStack
) -> None:
    example = Example("background_tasks.py", tmp_path)
    stack.callback(example.program.stop)
    example.wait()
    with PeerClient(example.address) as client:
        client.send("../sales")
        assert client.recv() == "send a name of letters and digits"
        client.send("sales")
        assert client.recv() == "your report is on its way"
        example.program.signal(signal.SIGTERM)
        example.program.wait_for_line("stopping")
    assert example.program.process.wait(DEADLINE) == 0
    assert (tmp_path / "sales.txt").read_text() == "all is well\n"


def test_jobs_are_done_and_removed_and_their_clients_get_the_results(
    redis: Server, tmp_path: Path, stack: ExitStack
) -> None:
    example = start_queue(redis, tmp_path, stack)
    with ExitStack() as open_clients:
        clients = [open_clients.enter_context(PeerClient(example.address)) for _ in range(4)]
        for number, client in enumerate(clients):
            client.send("word " * number)
        assert [client.recv() for client in clients] == [f"{number} words" for number in range(4)]
    wait_until(lambda: tell(redis, "XLEN", "jobs") == "0", "all jobs are removed")
    example.stop()


def test_a_job_of_a_process_that_died_is_done_by_another_one(
    redis: Server, tmp_path: Path, stack: ExitStack
) -> None:
    tell(redis, "XGROUP", "CREATE", "jobs", "workers", "0", "MKSTREAM")
    tell(redis, "XADD", "jobs", "*", "client", "7f000001000000010000000000000001", "text", "a b")
    tell(redis, "XREADGROUP", "GROUP", "workers", "dead", "STREAMS", "jobs", ">")
    assert tell(redis, "XLEN", "jobs") == "1"
    example = start_queue(redis, tmp_path, stack, lost_after="0")
    wait_until(lambda: tell(redis, "XLEN", "jobs") == "0", "the job is done")
    example.stop()


def test_the_queue_goes_on_when_redis_is_back(
    redis: Server, tmp_path: Path, stack: ExitStack
) -> None:
    example = start_queue(redis, tmp_path, stack)
    redis.stop()
    example.program.wait_for_line("the queue:")
    redis.start()
    with PeerClient(example.address) as client:
        client.send("one two")
        assert client.recv() == "2 words"
    example.stop()
