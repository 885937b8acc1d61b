"""A worker that stops accepting for a while, or for good, and goes on with those who are there."""

from __future__ import annotations

import socket

import pytest

from kit.app import MakeApp
from kit.program import free_ports
from kit.waiting import DEADLINE, wait_until
from lineman import ConfigError, UsageError, Worker
from lineman.testing.serving import Serving

TEXT, TCP = "text://127.0.0.1:0", "tcp://127.0.0.1:0"

CALLS = ("pause_accept", "resume_accept", "unlisten")
WS = "ws://127.0.0.1:0"


def echo(worker: Worker) -> Worker:
    worker.on_message = lambda connection, message: connection.send(message)
    return worker


def ports_of(worker: Worker) -> list[int]:
    return [int(url.rpartition(":")[2]) for url in worker.urls]


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)


def is_refused(port: int) -> bool:
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return True
    return False


def test_clients_wait_while_nobody_is_accepted_and_are_served_then() -> None:
    with Serving(echo(Worker([TEXT, TCP]))) as serving:
        worker = serving.worker
        with connect(worker.port) as before:
            wait_until(lambda: len(worker.connections) == 1, "it is there")
            for _ in range(2):
                serving.call(worker.pause_accept)
            waiting = [connect(port) for port in ports_of(worker)]
            for client in waiting:
                client.sendall(b"late\n")
            before.sendall(b"still\n")
            assert before.recv(100) == b"still\n"
            assert len(worker.connections) == 1
            for _ in range(2):
                serving.call(worker.resume_accept)
            for client in waiting:
                assert client.recv(100) == b"late\n"
                client.close()


def test_a_worker_that_warms_up_accepts_when_it_says_so() -> None:
    worker = echo(Worker(TEXT))
    worker.on_worker_start = Worker.pause_accept
    with Serving(worker) as serving, connect(worker.port) as client:
        client.sendall(b"hello\n")
        assert not worker.connections
        serving.call(worker.resume_accept)
        assert client.recv(100) == b"hello\n"


def test_a_full_worker_may_pause_and_go_on_from_its_callbacks() -> None:
    worker = echo(Worker(TEXT))
    worker.on_connect = lambda connection: worker.pause_accept()
    worker.on_close = lambda connection: worker.resume_accept()
    with Serving(worker), connect(worker.port) as first:
        first.sendall(b"one\n")
        assert first.recv(100) == b"one\n"
        with connect(worker.port) as second:
            second.sendall(b"two\n")
            first.close()
            assert second.recv(100) == b"two\n"


def test_after_unlisten_clients_are_refused_and_open_connections_go_on() -> None:
    with Serving(echo(Worker([TEXT, TCP]))) as serving:
        worker = serving.worker
        with connect(worker.port) as client:
            wait_until(lambda: len(worker.connections) == 1, "it is there")
            for call in (worker.unlisten, worker.unlisten, worker.pause_accept):
                serving.call(call)
            assert all(is_refused(port) for port in ports_of(worker))
            serving.call(worker.resume_accept)
            assert all(is_refused(port) for port in ports_of(worker))
            client.sendall(b"still\n")
            assert client.recv(100) == b"still\n"


def test_unlisten_in_on_worker_start_lets_nobody_in_and_the_next_start_does() -> None:
    worker = echo(Worker(TEXT))
    worker.on_worker_start = Worker.unlisten
    with Serving(worker):
        assert is_refused(worker.port)
    worker.on_worker_start = None
    with Serving(worker), connect(worker.port) as client:
        client.sendall(b"hello\n")
        assert client.recv(100) == b"hello\n"


@pytest.mark.parametrize("name", CALLS)
def test_before_the_start_it_is_an_error_and_after_the_stop_nothing(name: str) -> None:
    worker = Worker(TEXT)
    with pytest.raises(UsageError, match=rf"{name}\(\) is for a worker that runs"):
        getattr(worker, name)()
    with Serving(worker):
        pass
    getattr(worker, name)()


def test_one_more_address_is_served_like_those_of_the_list() -> None:
    worker = echo(Worker(WS))
    with Serving(worker) as serving:
        serving.call(worker.listen, TEXT)
        with connect(ports_of(worker)[1]) as client:
            client.sendall(b"hello\n")
            assert client.recv(100) == b"hello\n"
            assert [each.listen_address for each in worker.connections.values()] == [TEXT]
        serving.call(worker.unlisten)
        assert all(is_refused(port) for port in ports_of(worker))
        serving.call(worker.listen, TEXT)
        assert len(worker.urls) == 1
        with connect(worker.port) as client:
            client.sendall(b"again\n")
            assert client.recv(100) == b"again\n"


def test_an_address_that_is_added_in_on_worker_start_is_served_with_the_others() -> None:
    worker = echo(Worker(WS))
    worker.on_worker_start = lambda worker: worker.listen(TEXT)
    with Serving(worker):
        assert [url.partition(":")[0] for url in worker.urls] == ["ws", "text"]
        with connect(ports_of(worker)[1]) as client:
            client.sendall(b"hello\n")
            assert client.recv(100) == b"hello\n"


def test_an_address_that_cannot_be_added_changes_nothing() -> None:
    worker = echo(Worker(WS))
    with pytest.raises(UsageError, match=r"listen\(\) is for a worker that runs"):
        worker.listen(TEXT)
    with Serving(worker) as serving:
        before = worker.urls
        for address, words in (
            (WS, "listens on ws://127.0.0.1:0 already"),
            ("wss://127.0.0.1:0", "speaks TLS, and the worker has no certificate"),
            ("nonsense", "has no scheme"),
            (f"tcp://127.0.0.1:{worker.port}", "address already in use"),
        ):
            with pytest.raises(ConfigError, match=words):
                serving.call(worker.listen, address)
        assert worker.urls == before
    with pytest.raises(UsageError, match="it has ended, or is about to end"):
        worker.listen(TEXT)


PROGRAM = """
    import os
    from lineman import Worker

    worker = Worker("text://127.0.0.1:{port}", count={count}, drain_seconds=0.1, stop_timeout=2)

    @worker.on_message
    def reply(connection, message):
        if message != "who":
            getattr(worker, message)()
        connection.send(str(os.getpid()))

    Worker.run_all()
"""


def ask(port: int, what: str) -> str:
    with connect(port) as client:
        client.sendall(f"{what}\n".encode())
        return client.recv(100).decode().strip()


def test_a_reload_listens_again_where_the_process_before_did_not(make_app: MakeApp) -> None:
    (port,) = free_ports(1)
    app = make_app(PROGRAM.format(port=port, count=1))
    app.start()
    old = ask(port, "unlisten")
    assert is_refused(port)
    assert app.run("reload").returncode == 0
    assert ask(port, "who") != old
    old = ask(port, "pause_accept")
    with connect(port) as waiting:
        waiting.sendall(b"who\n")
        assert app.run("reload").returncode == 0
        assert waiting.recv(100).decode().strip() not in ("", old)


LEAVING = """
    import os
    from lineman import Worker

    worker = Worker("text://127.0.0.1:{port}", count={count}, drain_seconds=0.1, stop_timeout=2)
    worker.on_worker_reload = lambda worker: worker.unlisten()
    worker.on_message = lambda connection, message: connection.send(str(os.getpid()))

    Worker.run_all()
"""


def test_a_process_that_makes_room_in_a_reload_leaves_the_socket_to_the_next(
    make_app: MakeApp,
) -> None:
    """The next process listens on the same socket already, so the old one does not shut it down."""
    (port,) = free_ports(1)
    app = make_app(LEAVING.format(port=port, count=2))
    app.start()
    seen: set[str] = set()
    for _ in range(2):
        assert app.run("reload").returncode == 0
        new = {ask(port, "who") for _ in range(10)}
        assert not new & seen
        seen |= new


def test_of_two_processes_the_other_one_serves_everybody(make_app: MakeApp) -> None:
    (port,) = free_ports(1)
    app = make_app(PROGRAM.format(port=port, count=2))
    app.start()
    gone = ask(port, "unlisten")
    served = {ask(port, "who") for _ in range(20)}
    assert len(served) == 1
    assert gone not in served


LATER = """
    import os
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", count={count}, drain_seconds=0.1, stop_timeout=2)

    @worker.on_worker_start
    def start(worker):
        worker.listen("text://127.0.0.1:{port}")

    @worker.on_message
    def reply(connection, message):
        connection.send(str(os.getpid()))

    Worker.run_all()
"""


def test_a_reload_finds_the_port_that_the_process_before_has_added(make_app: MakeApp) -> None:
    (port,) = free_ports(1)
    app = make_app(LATER.format(port=port, count=1))
    app.start()
    seen = {ask(port, "who")}
    for _ in range(2):
        assert app.run("reload").returncode == 0
        now = ask(port, "who")
        assert now not in seen
        seen.add(now)


def test_several_processes_do_not_add_a_port_of_one(make_app: MakeApp) -> None:
    (port,) = free_ports(1)
    done = make_app(LATER.format(port=port, count=2)).run("start")
    told = done.stdout + done.stderr
    assert "has 2 processes, and a client would reach only one of them there" in told
