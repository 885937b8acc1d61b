"""A real program that serves datagrams: it is started, looked at, reloaded and stopped."""

from __future__ import annotations

import re
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from kit.app import App, MakeApp
from kit.datagrams import UdpClient
from kit.program import free_ports
from kit.waiting import DEADLINE, wait_until

PROGRAM = """
    import os
    from lineman import Worker

    worker = Worker("udp://127.0.0.1:0", name="sensors", count={count}, {options})

    @worker.on_message
    def reply(peer, data):
        peer.send(data if data[:1] != b"p" else str(os.getpid()))

    Worker.run_all()
"""

Start = Callable[..., App]


@pytest.fixture
def start(make_app: MakeApp) -> Start:
    """Starts the program with these options."""

    def make(count: int = 1, **options: object) -> App:
        given = ", ".join(f"{name}={value!r}" for name, value in options.items())
        app = make_app(PROGRAM.format(count=count, options=given))
        app.start()
        return app

    return make


# Datagrams that wait for an answer at once: no buffer of the kernel is ever full.
WINDOW = 64


class Senders:
    """Sockets that send numbered datagrams without pause, and count the answers."""

    def __init__(self, port: int, count: int) -> None:
        self.clients = [UdpClient(port) for _ in range(count)]
        self.sent = 0
        self.answers: Counter[bytes] = Counter()
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        ready = selectors.DefaultSelector()
        for client in self.clients:
            client.setblocking(False)
            ready.register(client, selectors.EVENT_READ)
        while not self._is_ending.is_set():
            if self.sent - len(self.answers) < WINDOW:
                self.clients[self.sent % len(self.clients)].send(b"%d" % self.sent)
                self.sent += 1
            self._take(ready, 0.0005)
        deadline = time.monotonic() + DEADLINE
        while len(self.answers) < self.sent and time.monotonic() < deadline:
            self._take(ready, 0.01)
        self._take(ready, 0.05)  # one that is answered twice

    def _take(self, ready: selectors.BaseSelector, seconds: float) -> None:
        for key, _ in ready.select(seconds):
            assert isinstance(key.fileobj, socket.socket)
            while True:
                try:
                    self.answers[key.fileobj.recv(100)] += 1
                except BlockingIOError:
                    break

    def end(self) -> None:
        """Ends sending, and waits for the last answers."""
        self._is_ending.set()
        self._thread.join()
        for client in self.clients:
            client.close()


def pids(port: int, count: int = 40) -> set[bytes]:
    """The processes that answer these new senders."""
    found = set()
    for _ in range(count):
        with UdpClient(port) as client:
            found.add(client.ask(b"pid: 10 bytes"))
    return found


def test_a_reload_loses_no_datagram_and_none_is_handled_twice(start: Start) -> None:
    app = start(4, drain_seconds=0.1)
    before = pids(app.port, 80)
    assert len(before) == 4
    senders = Senders(app.port, 8)
    try:
        assert app.run("reload").returncode == 0
        wait_until(lambda: not before & pids(app.port), "the old processes are gone")
    finally:
        senders.end()
    assert senders.sent > 100
    assert senders.answers == Counter(b"%d" % number for number in range(senders.sent))


INNER = """
    import os
    from lineman import Worker

    outer = Worker(name="outer", drain_seconds=0.1)

    @outer.on_worker_start
    async def begin(worker):
        inner = Worker("udp://127.0.0.1:{port}")
        inner.on_message = lambda peer, data: peer.send(
            data if data[:1] != b"p" else str(os.getpid())
        )
        await inner.start()

    Worker.run_all()
"""


def test_a_socket_that_the_program_opens_itself_is_handed_on_in_a_reload(make_app: MakeApp) -> None:
    port = free_ports(1)[0]
    app = make_app(INNER.format(port=port))
    app.start()
    before = pids(port, 1)
    senders = Senders(port, 2)
    try:
        assert app.run("reload").returncode == 0
        wait_until(lambda: not before & pids(port, 1), "the old process is gone")
    finally:
        senders.end()
    assert senders.answers == Counter(b"%d" % number for number in range(senders.sent))


def test_status_shows_what_came_and_what_was_not_sent(start: Start) -> None:
    app = start(messages_per_second=0.001)
    with UdpClient(app.port) as client, UdpClient(app.port) as other:
        assert client.ask(b"1234567") == b"1234567"
        client.send(b"too much")
        other.send(b"pid")  # the answer is longer

    def figures() -> dict[str, object]:
        (child,) = app.status()["children"]
        report: dict[str, object] = child["report"]
        return report

    wait_until(lambda: figures()["send_failures"], "it is counted")
    wait_until(lambda: "messages_per_second" in str(figures()["hits"]), "it is counted")
    report = figures()
    assert report["connections"] == report["handshakes"] == report["accepted"] == 0
    assert report["totals"]["messages_in"] == 2  # type: ignore[index]
    assert report["totals"]["bytes_out"] == 7  # type: ignore[index]
    assert report["hits"] == {"messages_per_second": 1, "udp_amplification": 1}
    shown = app.run("status", by_script=False).stdout
    assert "sensors: limits that were reached: " in shown
    assert "1 of 1 processes accept clients" in shown
    shown = app.run("connections", by_script=False).stdout
    assert "0 of 0 connections; sensors takes datagrams, which have no connections" in shown


def test_the_doctor_says_whether_it_runs_and_nothing_of_proxies(start: Start) -> None:
    app = start(2)
    port = app.port
    fixed = app.script.read_text().replace("127.0.0.1:0", f"0.0.0.0:{port}")
    app.write(fixed)
    found = app.run("doctor", by_script=False)
    assert f"sensors: udp://0.0.0.0:{port} is running" in found.stdout
    assert not re.search("proxy|remote_ip|TLS|ping|backlog|Gateway", found.stdout)
    app.stop()
    found = app.run("doctor", by_script=False)
    assert f"sensors: udp://0.0.0.0:{port}: nothing listens there" in found.stdout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", port))
        found = app.run("doctor", by_script=False)
    assert "listens there, and does not belong to" in found.stdout


def test_commands_that_need_connections_say_so(start: Start) -> None:
    app = start()
    for command in ("connect", "doctor"):
        words = [sys.executable, "-m", "lineman", command, f"udp://127.0.0.1:{app.port}"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE)
        assert done.returncode
        assert "is a service for datagrams, which have no connections" in done.stderr
    words = [sys.executable, "-m", "lineman", "proxy", "nginx", str(app.script), "--domain", "a.b"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE)
    assert "a web server in front forwards no datagrams" in done.stderr


def test_a_port_that_another_program_has_is_refused_with_its_name(make_app: MakeApp) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        text = PROGRAM.format(count=2, options="").replace("127.0.0.1:0", f"127.0.0.1:{port}")
        done = make_app(text).run("start")
    assert done.returncode != 0
    assert f"cannot listen on udp://127.0.0.1:{port}: address already in use by" in done.stderr


def test_a_stream_may_have_the_same_port(make_app: MakeApp) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = PROGRAM.format(count=1, options="").replace("127.0.0.1:0", f"127.0.0.1:{port}")
    app = make_app(
        text.replace("Worker.run_all", f'Worker("tcp://127.0.0.1:{port}")\n\n    Worker.run_all')
    )
    app.start()
    with UdpClient(port) as client, socket.create_connection(("127.0.0.1", port)):
        assert client.ask(b"both") == b"both"
