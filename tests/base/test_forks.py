"""Processes that the program forks while clients are connected hold nothing of the service."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from kit.app import App
from kit.processes import children_of, is_alive
from kit.waiting import DEADLINE, wait_until
from lineman.testing.client import RawClient

MakeApp = Callable[[str], App]

POOL = """
    import asyncio, multiprocessing, os, time
    from concurrent.futures import ProcessPoolExecutor
    from lineman import Worker

    worker = Worker("{scheme}://127.0.0.1:0", stop_timeout=2, {tls})
    pool = None

    def who():
        time.sleep(0.1)
        return os.getpid()

    @worker.on_message
    async def reply(connection, message):
        global pool
        if message == "pool":
            fork = multiprocessing.get_context("fork")
            pool = ProcessPoolExecutor(2, mp_context=fork)
            loop = asyncio.get_running_loop()
            found = await asyncio.gather(*(loop.run_in_executor(pool, who) for _ in range(8)))
            connection.send(" ".join(map(str, set(found))))
        elif message == "close":
            connection.close()
        elif message == "destroy":
            connection.destroy()
        else:
            connection.send(message)

    Worker.run_all()
"""


def sockets_of(pid: int) -> set[str]:
    """The TCP sockets that a process holds, by their inodes."""
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    all_of_them = {f"socket:[{line.split()[9]}]" for line in lines}
    return all_of_them & {os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()}


def listens(port: int) -> bool:
    with socket.socket() as asking:
        asking.settimeout(DEADLINE)
        return asking.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_pool_of_processes_holds_no_client_and_no_port(
    make_app: MakeApp, scheme: str, stack: ExitStack
) -> None:
    app = make_app(POOL.format(scheme=scheme, tls="" if scheme == "ws" else 'tls="dev"'))
    program = app.start(XDG_DATA_HOME=str(app.script.parent))
    port = app.port
    tls = None
    if scheme == "wss":
        tls = ssl.create_default_context()
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE

    clients = [stack.enter_context(RawClient(port, tls=tls).open()) for _ in range(6)]
    *others, asking = clients
    asking.send("pool")
    pool = [int(word) for word in str(asking.receive()).split()]
    (child,) = children_of(program.process.pid)
    assert child not in pool
    try:
        assert len(sockets_of(child)) == len(others) + 2
        for pid in pool:
            assert not sockets_of(pid), "it holds a socket of the service"
        for client, word in zip(others, ("close", "destroy"), strict=False):
            client.send(word)
            if word == "close":
                assert client.receive_close().code == 1000
                client.send_close()
            client.assert_ended()
        others[2].send("still served")
        assert others[2].receive() == "still served"
        os.kill(child, signal.SIGKILL)  # no orderly end; the pool lives on
        with suppress(ssl.SSLEOFError):  # nor can it end TLS
            others[3].assert_ended()
        program.wait_for_line("listening on", count=2)
        assert app.run("stop").returncode == 0
        assert all(is_alive(pid) for pid in pool)
        assert not listens(port)
        app.start(XDG_DATA_HOME=str(app.script.parent))
    finally:
        for pid in pool:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(is_alive(pid) for pid in pool), "the pool is gone")


BUSY = """
    import asyncio, multiprocessing, time, threading
    from concurrent.futures import ProcessPoolExecutor
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", stop_timeout=0.1)
    pool = ProcessPoolExecutor(1)

    def rest():
        time.sleep(60)

    @worker.on_worker_start
    def begin(worker):
        {begin}

    Worker.run_all()
"""


@pytest.mark.parametrize(
    ("begin", "named"),
    [
        ("pool.submit(rest)", r"a busy ProcessPoolExecutor \(processes (\d+)\)"),
        (
            "asyncio.get_running_loop().run_in_executor(None, rest)",
            r"the thread \w+_0, at \S+app.py:10",
        ),
        ("multiprocessing.Process(target=rest).start()", r"the process (\d+) \(Process-1 of mult"),
        ("threading.Thread(target=rest, name='mine').start()", r"the thread mine, at \S+app.py:10"),
    ],
)
def test_what_holds_up_the_end_of_a_process_is_named(
    make_app: MakeApp, begin: str, named: str
) -> None:
    app = make_app(BUSY.format(begin=begin))
    app.start()
    assert app.run("stop").returncode == 0
    found = re.search(f"this process waits for {named}", app.output)
    assert found is not None, app.output
    assert "it did not end in time" in app.output[found.end() :]
    for pid in found.groups():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def test_a_pool_that_rests_holds_up_nothing(make_app: MakeApp) -> None:
    app = make_app(BUSY.format(begin="pool.submit(int).result()"))
    app.start()
    assert app.run("stop").returncode == 0
    assert "waits for" not in app.output
    assert "killed" not in app.output
