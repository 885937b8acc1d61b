"""A gateway whose clients and code run together in one event loop, as in tests of a program."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from kit.waiting import DEADLINE
from lineman import AsyncGatewayClient, Client, ConfigError, Gateway, UsageError
from lineman.runtime import inner_workers
from lineman.runtime.describe import describe
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving
from lineman.worker import Worker

pytestmark = pytest.mark.usefixtures("no_traces")
HERE = "ws://127.0.0.1:0"


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory where temporary files are made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Runs a coroutine in a loop in which nothing may fail, and after which nothing is left."""
    faults: list[str] = []

    async def checked() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: faults.append(str(context)))
        before = open_files()
        async with asyncio.timeout(DEADLINE):
            await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert open_files() == before

    asyncio.run(checked())
    assert faults == []


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[str]:
    await gateway.start()
    try:
        yield gateway.url
    finally:
        await gateway.stop()


def echo(gateway: Gateway) -> Gateway:
    gateway.on_message = lambda client, message: client.send(message)
    return gateway


def test_callbacks_are_called_as_in_processes_and_nothing_is_left(own_directory: Path) -> None:
    gateway = Gateway(HERE, gateways=3, workers=2)
    calls: list[Any] = []

    @gateway.on_worker_start
    async def begin(worker: Worker) -> None:
        calls.append(("start", worker.id, gateway.port > 0))

    @gateway.on_connect
    def enter(client: Client) -> None:
        client.bind(client.request.query["name"])
        client.join("room")

    @gateway.on_message
    async def hear(client: Client, message: str) -> None:
        gateway.send_to_group("room", f"{client.uid}: {message}", exclude=client)
        client.send(str(await gateway.is_uid_online("ada")))

    @gateway.on_close
    async def leave(client: Client, code: int, reason: str) -> None:
        await asyncio.sleep(0.01)
        calls.append(("close", client.uid, code))

    gateway.on_uid_online = lambda uid: calls.append(("online", uid))
    gateway.on_worker_stop = lambda worker: calls.append("stop")

    async def main() -> None:
        async with (
            running(gateway) as url,
            connect(f"{url}/?name=ada") as ada,
            connect(f"{url}/?name=tom") as tom,
        ):
            await tom.send("hello")
            assert await ada.recv() == "tom: hello"
            assert await tom.recv() == "True"
            assert await gateway.get_uid_count_by_group("room") == 2

    run(main)
    assert calls[0] == ("start", 0, True)
    assert sorted(calls[1:3]) == [("online", "ada"), ("online", "tom")]
    assert sorted(calls[3:5]) == [("close", "ada", 1000), ("close", "tom", 1000)]
    assert calls[5:] == ["stop"]
    assert list(own_directory.iterdir()) == []


def test_a_stop_closes_the_clients_and_lets_their_callbacks_finish() -> None:
    gateway = Gateway(HERE)
    closed: list[int] = []

    @gateway.on_close
    async def leave(client: Client, code: int, reason: str) -> None:
        await asyncio.sleep(0.01)
        closed.append(code)

    async def main() -> None:
        await gateway.start()
        async with connect(gateway.url) as client:
            first, second = gateway.stop(code=1012), gateway.stop()
            await asyncio.gather(first, second)
            assert closed == [1012]  # also for the second caller
            with pytest.raises(ConnectionClosed) as ended:
                await client.recv()
            assert ended.value.rcvd is not None
            assert ended.value.rcvd.code == 1012
        await gateway.stop()  # once more does nothing

    run(main)


def test_it_starts_again_after_a_stop_and_not_while_it_runs() -> None:
    gateway = echo(Gateway(HERE))

    async def main() -> None:
        for _ in range(2):
            async with running(gateway) as url, connect(url) as client:
                with pytest.raises(UsageError, match="runs already"):
                    await gateway.start()
                await client.send("x")
                assert await client.recv() == "x"

    run(main)


def test_two_of_one_name_run_at_the_same_time_and_know_nothing_of_each_other() -> None:
    first, second = Gateway(HERE), Gateway(HERE)

    async def main() -> None:
        async with (
            running(first) as one,
            running(second) as other,
            connect(one) as a,
            connect(other) as b,
        ):
            while await first.get_all_client_count() + await second.get_all_client_count() < 2:
                await asyncio.sleep(0)
            first.send_to_all("first")
            second.send_to_all("second")
            assert [await a.recv(), await b.recv()] == ["first", "second"]

    run(main)


def test_of_one_name_only_one_can_be_run_in_processes() -> None:
    workers = [worker for _ in range(2) for worker in made_workers()]
    with pytest.raises(ConfigError, match="more than one gateway called 'gateway'; fix: give each"):
        describe(workers, {})


def made_workers() -> list[Worker]:
    before = len(Worker.all_workers)
    Gateway(HERE)
    return Worker.all_workers[before:]


def test_an_error_of_on_worker_start_is_raised_and_nothing_is_left(own_directory: Path) -> None:
    gateway = echo(Gateway(HERE))
    fails = [True]

    @gateway.on_worker_start
    async def begin() -> None:
        with pytest.raises(UsageError, match="before start\\(\\) has returned"):
            await gateway.stop()
        if fails.pop():
            raise LookupError("no database")

    async def main() -> None:
        with pytest.raises(LookupError, match="no database"):
            await gateway.start()
        assert list(own_directory.iterdir()) == []
        assert len(asyncio.all_tasks()) == 1
        fails.append(False)
        async with running(gateway) as url, connect(url) as client:
            await client.send("x")
            assert await client.recv() == "x"

    run(main)


def test_a_start_that_is_cancelled_leaves_nothing(own_directory: Path) -> None:
    gateway = Gateway(HERE)
    started = asyncio.Event()

    @gateway.on_worker_start
    async def begin() -> None:
        started.set()
        await asyncio.Event().wait()

    async def main() -> None:
        starting = asyncio.create_task(gateway.start())
        await started.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert list(own_directory.iterdir()) == []

    run(main)


def test_a_port_that_is_taken_is_reported_as_by_the_command() -> None:
    async def main() -> None:
        async with running(Gateway(HERE)) as url:
            with pytest.raises(ConfigError, match="in use"):
                await Gateway(url, name="second").start()

    run(main)


def test_a_callback_may_stop_its_own_gateway() -> None:
    gateway = Gateway(HERE)
    ended: list[str] = []

    @gateway.on_message
    async def hear(client: Client, message: str) -> None:
        try:
            await gateway.stop(0.05)
        finally:
            ended.append(message)

    async def main() -> None:
        await gateway.start()
        async with connect(gateway.url) as client:
            await client.send("stop")
            with pytest.raises(ConnectionClosed):
                await client.recv()
        await gateway.stop()

    run(main)
    assert ended == ["stop"]


def test_a_callback_that_does_not_end_is_cancelled_after_the_given_time() -> None:
    gateway = Gateway(HERE)
    begun, ended = asyncio.Event(), []

    @gateway.on_message
    async def hear(client: Client, message: str) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(message)

    async def main() -> None:
        await gateway.start()
        async with connect(gateway.url) as client:
            await client.send("long")
            await begun.wait()
            await gateway.stop(0.05)

    run(main)
    assert ended == ["long"]


def test_other_programs_push_to_it(tmp_path: Path) -> None:
    path = tmp_path / "push.sock"
    gateway = Gateway(HERE, push_socket=path, push=HERE, push_token="a" * 16)
    gateway.on_connect = lambda client: client.bind("ada")

    async def main() -> None:
        async with running(gateway) as url, connect(url) as client:
            while not await gateway.is_uid_online("ada"):
                await asyncio.sleep(0)
            async with AsyncGatewayClient(f"unix://{path}") as pushing:
                pushing.send_to_uid("ada", "by the socket")
                assert await client.recv() == "by the socket"
            port = gateway._pushing[0].port
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            body = json.dumps({"uid": "ada", "message": "by HTTP"})
            head = f"POST /push HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {'a' * 16}\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            assert await client.recv() == "by HTTP"
            writer.close()
            await writer.wait_closed()

    run(main)


def test_jobs_and_tasks_of_the_program_run_and_end_with_it() -> None:
    gateway = Gateway(HERE)
    ran = asyncio.Event()

    @gateway.every(0.001)
    async def job() -> None:
        ran.set()

    async def main() -> None:
        async with running(gateway):
            gateway.spawn(asyncio.Event().wait())
            await ran.wait()

    run(main)


def test_a_process_of_run_all_starts_no_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway(HERE)
    monkeypatch.setattr(inner_workers, "host", object())

    async def main() -> None:
        with pytest.raises(UsageError, match="belongs to Worker"):
            await gateway.start()
        with pytest.raises(UsageError, match="stop_all"):
            await gateway.stop()

    run(main)


def test_its_functions_say_how_it_is_started() -> None:
    async def main() -> None:
        gateway = Gateway(HERE)
        with pytest.raises(UsageError, match=r"runs no callbacks.*call it in a callback"):
            gateway.send_to_all("nobody runs")
        with pytest.raises(UsageError, match="known after start"):
            _ = gateway.port

    run(main)


def test_it_serves_beside_a_test_in_a_thread_of_its_own() -> None:
    with Serving(echo(Gateway(HERE))) as serving:
        client = RawClient(serving.port).open("/")
        client.send("x")
        assert client.receive() == "x"
        client.close()
    assert serving.faults == []
