"""Reloading whole programs, with clients on them."""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kit.app import App, echo
from kit.processes import is_alive
from kit.waiting import wait_until
from lineman.protocols.websocket.decoder import Close
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.client import RawClient

MakeApp = Callable[[str], App]

# Records each accepted message before it handles and answers it.
THINKING = """
    import asyncio, os
    from lineman import Worker

    accepted = os.open("{journal}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    worker = Worker("{scheme}://127.0.0.1:0", count=2, drain_seconds=0.3, stop_timeout=5, {files})

    @worker.on_message
    async def reply(connection, message):
        os.write(accepted, message.encode() + b"\\n")
        await asyncio.sleep(0.01)
        connection.send(message)

    Worker.run_all()
"""


@dataclass
class Crowd:
    """Clients that connect, send, wait for the answer, and reconnect after a close frame."""

    port: int
    tls: ssl.SSLContext | None
    codes: Counter[int] = field(default_factory=Counter)
    answered: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    opened: int = 0
    is_over: bool = False
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, count: int) -> None:
        """Starts `count` clients."""
        for name in range(count):
            self.threads.append(threading.Thread(target=self.run, args=(name,)))
            self.threads[-1].start()

    def finish(self) -> None:
        """Waits until each has had its last answer."""
        self.is_over = True
        for thread in self.threads:
            thread.join()

    def run(self, name: int) -> None:
        """One client's life."""
        try:
            while not self.is_over:
                self._talk(name)
        except Exception as error:
            self.faults.append(f"client {name}: {error!r}")

    def _talk(self, name: int) -> None:
        with RawClient(self.port, tls=self.tls) as client:
            client.open()
            self.opened += 1
            number = self.opened
            for count in range(1_000_000):
                message = f"{name}/{number}/{count}"
                client.send(message)
                event = client.receive()
                if isinstance(event, Close):
                    self.codes[event.code] += 1
                    client.send_close(event.code)
                    return
                assert event == message
                self.answered.add(message)
                if self.is_over:
                    return


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    return TestCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue(["localhost", "127.0.0.1"])


@pytest.fixture
def crowd() -> Iterator[Callable[[int, ssl.SSLContext | None], Crowd]]:
    """Starts a crowd of eight on a port; they end with the test."""
    crowds: list[Crowd] = []

    def start(port: int, tls: ssl.SSLContext | None) -> Crowd:
        crowds.append(Crowd(port, tls))
        crowds[-1].start(8)
        return crowds[-1]

    yield start
    for each in crowds:
        each.finish()


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_reloads_under_load_lose_nothing(
    make_app: MakeApp,
    crowd: Callable[[int, ssl.SSLContext | None], Crowd],
    tmp_path: Path,
    scheme: str,
    ca: TestCA,
    pair: IssuedPair,
) -> None:
    journal = tmp_path / "accepted"
    files = f'cert="{pair.cert}", key="{pair.key}"' if scheme == "wss" else ""
    app = make_app(THINKING.format(scheme=scheme, journal=journal, files=files))
    app.start()
    tls = ssl.create_default_context(cafile=ca.ca_path) if scheme == "wss" else None
    clients = crowd(app.port, tls)
    for _ in range(4):
        done = app.run("reload", "-g", by_script=False)
        assert done.returncode == 0, done.stderr
        assert "2 processes run the new code" in done.stdout
    clients.finish()
    assert clients.faults == []
    assert set(clients.codes) == {1012}
    assert clients.codes[1012] >= 4 * 8  # at each reload every client was closed, and reconnected
    assert set(journal.read_text().split()) == clients.answered


def test_a_new_process_serves_before_the_old_one_retires(make_app: MakeApp) -> None:
    app = make_app(echo(drain=0.5))
    app.start()
    old = app.pids[0]
    with RawClient(app.port) as client:
        client.open().send("who?")
        assert client.receive() == str(old)
        done = app.run("reload")
        assert done.returncode == 0, done.stderr
        new = app.pids[1]
        with RawClient(app.port) as other:
            other.open().send("who?")
            assert other.receive() == str(new)
        assert client.receive() == Close(1012, "the service is restarting")
        client.send_close(1012)
        client.assert_ended()
    wait_until(lambda: not is_alive(old), "the old process has ended")


def test_a_handshake_under_way_is_finished_by_the_retiring_process(make_app: MakeApp) -> None:
    app = make_app(echo())
    app.start()
    with RawClient(app.port) as client:
        words = client.handshake_bytes()
        client.send_bytes(words[:20])
        time.sleep(0.05)  # accepted, most likely; both are well
        assert app.run("reload").returncode == 0
        time.sleep(0.2)
        client.send_bytes(words[20:])
        assert client.receive_reply().status == 101
        assert client.receive_close().code in (1012, 1001)


BROKEN = [
    ("this is no Python", "SyntaxError"),
    ("import no_such_module", "ModuleNotFoundError"),
    ('from lineman import Worker\nWorker("wss://127.0.0.1:0")\nWorker.run_all()', "certificate"),
    (
        echo().replace("Worker.run_all()", "worker.on_worker_start = lambda: 1 / 0\n")
        + "\n    Worker.run_all()",
        "ZeroDivisionError",
    ),
]


def test_new_code_that_cannot_start_leaves_the_old(make_app: MakeApp) -> None:
    app = make_app(echo())
    app.start()
    with RawClient(app.port) as client:
        client.open()
        for text, why in BROKEN:
            app.write(text)
            done = app.run("reload", by_script=False)
            assert done.returncode == 1
            assert why in done.stderr
            assert "all processes keep the old code" in done.stderr
            client.send("still there?")
            assert client.receive() == str(app.pids[0])
        app.write(echo())
        assert app.run("reload").returncode == 0


def test_count_and_addresses_may_change(make_app: MakeApp) -> None:
    app = make_app(echo())
    app.start()
    port = app.port
    fixed = echo(count=2).replace(":0", f":{port}")
    app.write(fixed)
    assert app.run("reload", "-g").returncode == 1  # the port of the old address is still its own
    app.write(echo(count=2))
    assert app.run("reload", "-g").returncode == 0
    assert [child["slot"] for child in app.status()["children"]] == [0, 1]
    more = echo(count=1).replace("Worker.run_all()", 'Worker("ws://127.0.0.1:0", name="more")\n')
    app.write(more + "\n    Worker.run_all()")
    done = app.run("reload", "-g")
    assert done.returncode == 0
    assert "1 that the program no longer has is retired" in done.stdout
    assert {child["worker"] for child in app.status()["children"]} == {"ws://127.0.0.1:0", "more"}


def test_a_stop_during_a_reload_ends_everything(make_app: MakeApp) -> None:
    slow = echo().replace("import os", "import os, time\n    time.sleep(1.0)")
    app = make_app(echo())
    program = app.start()
    app.write(slow)
    reloading = threading.Thread(target=app.run, args=("reload",), kwargs={"by_script": False})
    reloading.start()
    program.wait_for_line("reloading: 1 process")
    done = app.run("stop", by_script=False)
    reloading.join()
    assert done.returncode == 0
    assert program.process.wait(10) == 0
    assert not any(is_alive(pid) for pid in app.pids)


def test_a_changed_file_reloads_with_watch(make_app: MakeApp, tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text("WORD = 'old'\n")
    app = make_app("""
        import words
        from lineman import Worker

        worker = Worker("ws://127.0.0.1:0")
        worker.on_message = lambda connection, message: connection.send(words.WORD)
        Worker.run_all()
    """)
    program = app.start("--watch")
    (tmp_path / "words.py").write_text("WORD = 'broken\n")
    program.wait_for_line("the reload failed")
    (tmp_path / "words.py").write_text("WORD = 'newer'\n")
    program.wait_for_line("reloaded: ")
    with RawClient(app.port) as client:
        client.open().send("?")
        assert client.receive() == "newer"


def test_a_process_that_has_served_enough_is_replaced(make_app: MakeApp) -> None:
    app = make_app(echo().replace("stop_timeout=2", "stop_timeout=2, max_requests=10"))
    program = app.start()
    with RawClient(app.port) as client:
        client.open()
        for _ in range(12):
            client.send("?")
            client.receive()
        assert client.receive_close().code == 1012
    program.wait_for_line("is replaced: it has served 12 requests (max_requests=10)")
    wait_until(lambda: len(app.pids) == 2, "a new process listens")
    program.wait_for_line("listening", count=2)


def test_a_process_that_has_grown_is_replaced(make_app: MakeApp) -> None:
    app = make_app("""
        from lineman import Worker

        kept = []
        worker = Worker("ws://127.0.0.1:0", max_memory=200 * 1024 * 1024, drain_seconds=0)
        worker.on_message = lambda connection, message: kept.append(b"x" * 200 * 1024 * 1024)
        Worker.run_all()
    """)
    program = app.start()
    with RawClient(app.port) as client:
        client.open().send("grow")
        assert client.receive_close().code == 1012
    program.wait_for_line("(max_memory=209715200)")


def test_a_limit_below_what_a_fresh_process_has_replaces_none_and_names_the_figure(
    make_app: MakeApp,
) -> None:
    app = make_app(echo().replace("stop_timeout=2", "stop_timeout=2, max_memory=5_000_000"))
    program = app.start()
    (line,) = program.wait_for_line("max_memory=5000000 is less than the ")
    assert " WARNING " in line
    found = re.search(r"the (\d+) bytes that a fresh process .* at least max_memory=(\d+)", line)
    assert found is not None
    (child,) = app.status()["children"]
    assert int(found[1]) > 5_000_000
    assert int(found[2]) > child["report"]["rss"]
    with RawClient(app.port) as client:
        client.open()
        time.sleep(2.5)  # two looks at its memory, each of which would have replaced it
        client.send("?")
        assert client.receive() == str(child["pid"])
