"""A service as a whole: accepting under pressure, its clock, its start and its stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.descriptors import descriptors, wait_until_none_is_left
from kit.program import Program
from kit.recorder import Recorder
from kit.site import Serve, echo
from kit.waiting import DEADLINE, wait_until
from lineman import Connection, Worker
from lineman.net.connection.callbacks import Callbacks
from lineman.net.connection.endpoint import Endpoint
from lineman.net.connection.limits import Limits
from lineman.net.listening import acceptor as acceptor_module
from lineman.net.loop.wheel import Timed
from lineman.net.service import Service
from lineman.testing.certificates import IssuedPair
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving

FEW_DESCRIPTORS = """
    import resource
    from lineman import Worker

    worker = Worker("{url}", ping_interval=0, handshake_timeout=1000, {options})
    worker.on_message = lambda connection, message: connection.send(message)

    @worker.on_worker_start
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (28, 28))

    Worker.run_all()
"""


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def few_descriptors(
    tmp_path: Path, certificate: IssuedPair | None = None
) -> Iterator[tuple[Program, int]]:
    """A running program with hardly any descriptors, and its port; with TLS if it can."""
    script = tmp_path / "few.py"
    url = "ws://127.0.0.1:0"
    options = ""
    if certificate is not None:
        url = "wss://127.0.0.1:0"
        options = f"cert={str(certificate.cert)!r}, key={str(certificate.key)!r}"
    script.write_text(textwrap.dedent(FEW_DESCRIPTORS).format(url=url, options=options))
    program = Program("few", [sys.executable, script])
    try:
        line = program.wait_for_line("listening on ")[0]
        yield program, int(line.rpartition(":")[2])
    finally:
        program.stop()
    assert program.process.returncode == 0


def test_out_of_descriptors_newcomers_are_told_and_nothing_spins(
    tmp_path: Path, tls: bool, certificate: IssuedPair, client_tls: ssl.SSLContext
) -> None:
    context = client_tls if tls else None
    with (
        few_descriptors(tmp_path, certificate if tls else None) as (program, port),
        contextlib.ExitStack() as stack,
    ):
        clients = []
        refused = None
        while refused is None:
            client = stack.enter_context(RawClient(port, tls=context))
            client.send_bytes(client.handshake_bytes())
            reply = client.receive_reply()
            if reply.status == 101:
                clients.append(client)
                assert len(clients) < 40
            else:
                refused = reply
        assert refused.status == 503
        assert refused.headers["retry-after"] == "5"
        assert len(clients) > 2
        for _ in range(40):  # everybody is told, and it costs no descriptor for long
            with RawClient(port, tls=context) as client:
                client.send_bytes(client.handshake_bytes())
                assert client.receive_reply().status == 503
        lines = program.wait_for_line("cannot accept connections")
        assert len(lines) == 1
        assert "out of file descriptors" in lines[0]
        assert "ulimit -n" in lines[0]
        before, began = cpu_seconds(program.process.pid), time.monotonic()
        time.sleep(1.0)  # what is measured is what the process does in a while
        spent = cpu_seconds(program.process.pid) - before
        assert spent < 0.3 * (time.monotonic() - began)
        clients[0].send("still here")
        assert clients[0].receive() == "still here"
        clients.pop().close()
        deadline = time.monotonic() + DEADLINE
        while True:  # the place of who has gone is free again
            with RawClient(port, tls=context) as client:
                client.send_bytes(client.handshake_bytes())
                if client.receive_reply().status == 101:
                    break
            assert time.monotonic() < deadline


def test_out_of_descriptors_those_who_say_nothing_make_way(tmp_path: Path) -> None:
    with few_descriptors(tmp_path) as (program, port), contextlib.ExitStack() as stack:
        silent = [stack.enter_context(RawClient(port)) for _ in range(40)]
        program.wait_for_line("cannot accept connections")
        client = stack.enter_context(RawClient(port))
        client.open()  # and not when `handshake_timeout` frees a place
        client.send("here")
        assert client.receive() == "here"
        with contextlib.suppress(ConnectionResetError):
            assert silent[0].receive_bytes() == b""


def test_more_clients_at_once_than_one_wake_up_accepts_all_come_in(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=echo)

    def connect_many() -> list[RawClient]:  # the loop stands still meanwhile
        return [site.plain() for _ in range(3 * acceptor_module.ACCEPTS)]

    site.call(connect_many)
    site.open().close()
    service = site.worker.service
    assert service is not None
    assert service.accepted == 3 * acceptor_module.ACCEPTS + 1


def test_a_thousand_connections_come_and_go_and_leave_nothing_behind(serve: Serve) -> None:
    site = serve(on_message=echo)
    before = descriptors()
    for _ in range(10):
        clients = [site.open() for _ in range(100)]
        for client in clients:
            client.send("x")
        for client in clients:
            assert client.receive() == "x"
            client.close()
    site.wait_until_empty()
    wait_until_none_is_left(before)


def test_a_worker_that_was_stopped_leaves_no_descriptor(certificate: IssuedPair) -> None:
    before = descriptors()
    for options in ({}, {"cert": certificate.cert, "key": certificate.key}):
        worker = Worker(f"{'wss' if options else 'ws'}://127.0.0.1:0", **options)
        with Serving(worker) as serving, RawClient(serving.port):
            pass
    wait_until_none_is_left(before)


def test_after_the_stop_the_port_is_closed(serve: Serve) -> None:
    site = serve()
    port = site.port
    site.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_worker_can_be_started_again(serve: Serve) -> None:
    site = serve(on_message=echo)
    site.stop()
    site.run(site.worker.start())
    client = site.open()
    client.send("x")
    assert client.receive() == "x"


def test_a_listener_that_is_given_is_served(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=echo)
    site.stop()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    port = listener.getsockname()[1]
    site.run(site.worker.start(listener))
    assert site.port == port
    client = site.open()
    client.send("x")
    assert client.receive() == "x"


def test_a_service_can_listen_on_ipv6(certificate: IssuedPair) -> None:
    worker = Worker("ws://[::1]:0")
    worker.on_message = lambda connection, _: connection.send(connection.remote_ip)
    with Serving(worker) as serving, RawClient(serving.port, "::1") as client:
        assert worker.url == f"ws://[::1]:{serving.port}"
        client.open().send("who am I?")
        assert client.receive() == "::1"


def test_connections_that_were_never_opened_are_dropped_at_the_stop(
    serve: Serve, tls: bool
) -> None:
    site = serve(tls, on_request=lambda request: "x")
    silent, half, idle = site.plain(), site.connect(), site.connect()
    half.send_bytes(b"GET / HT")
    assert idle.request().text == "x"
    began = time.monotonic()
    site.stop()
    assert time.monotonic() - began < 4  # no waiting for who was never let in
    assert silent.receive_all() == b""
    half.assert_ended()
    idle.assert_ended()


def test_an_answer_under_way_is_finished_at_the_stop(serve: Serve, tls: bool) -> None:
    proceed = threading.Event()
    asked = Recorder()

    async def slow(request: object) -> str:
        asked("asked")
        await asyncio.to_thread(proceed.wait)
        return "late"

    site = serve(tls, on_request=slow)
    client = site.connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    asked.wait()
    stopping = threading.Thread(target=site.stop)
    stopping.start()
    wait_until(lambda: site.worker.service.is_stopping, "it stops")  # type: ignore[union-attr]
    proceed.set()
    reply = client.receive_reply()
    assert (reply.text, reply.headers["connection"]) == ("late", "close")
    client.close()
    stopping.join()


def test_a_callback_that_blocks_is_told_in_the_log_and_nobody_is_taken_for_dead(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    closed = Recorder()

    def block(connection: Connection, message: str) -> None:
        time.sleep(1.5)
        connection.send(message)

    site = serve(
        on_message=block,
        on_close=lambda connection, code: closed(code),
        ping_interval=0.5,
        ping_timeout=0.5,
    )
    client = site.open()
    client.send("x")
    assert client.receive_message() == "x"
    assert closed.calls == []
    wait_until(lambda: "the event loop stood still for 1." in caplog.text, "it is told")


def test_the_clock_goes_on_after_a_defect_in_what_it_looks_at(serve: Serve) -> None:
    site = serve(handshake_timeout=0.5)
    service = site.worker.service
    assert service is not None
    seen = Recorder()

    class Broken(Timed):
        def on_deadline(self, now: float) -> float:
            seen(now)
            raise RuntimeError("broken deadline")

    site.call(lambda: service.wheel.file(Broken(), service.wheel.now))
    seen.wait()
    site.connect().assert_ended()  # at the deadline of its handshake
    assert any("broken deadline" in fault for fault in site.faults)
    site.faults.clear()


def test_callbacks_are_looked_up_live(serve: Serve) -> None:
    site = serve(on_message=echo)
    client = site.open()
    client.send("x")
    assert client.receive() == "x"
    site.worker.on_message = lambda connection, message: connection.send("new")
    client.send("x")
    assert client.receive() == "new"


def test_a_callback_that_is_told_something_may_be_a_coroutine(serve: Serve) -> None:
    told = Recorder()

    async def on_close(connection: Connection, code: int, reason: str) -> None:
        await asyncio.sleep(0)
        told(code)

    site = serve(on_close=on_close)
    site.open().close()
    assert told.wait() == [1006]


def test_service_counts_what_went_wrong(serve: Serve) -> None:
    def fail(connection: Connection, message: str) -> None:
        raise RuntimeError

    site = serve(on_message=fail)
    client = site.open()
    client.send("x")
    client.receive_close()
    service = site.worker.service
    assert service is not None
    assert (service.accepted, service.opened, service.exceptions) == (1, 1, 1)


def test_a_service_can_be_made_without_a_worker() -> None:
    async def run() -> None:
        callbacks = Callbacks()
        callbacks.on_message = echo
        service = Service("anything", callbacks, Limits())
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        service.start()
        service.listen(listener, Endpoint())
        port = listener.getsockname()[1]

        def talk() -> object:
            with RawClient(port) as client:
                client.open().send("x")
                return client.receive()

        assert await asyncio.to_thread(talk) == "x"
        await service.stop(1)

    asyncio.run(run())


def test_the_callbacks_run_in_the_loop_of_the_program() -> None:
    """`start` and `stop` work beside whatever else an asyncio program does."""

    async def run() -> object:
        loop = asyncio.get_running_loop()
        seen: asyncio.Future[object] = loop.create_future()
        worker = Worker("ws://127.0.0.1:0")
        worker.on_message = lambda connection, message: seen.set_result(
            (message, asyncio.get_running_loop() is loop)
        )
        await worker.start()
        client = await asyncio.to_thread(RawClient, worker.port)
        await asyncio.to_thread(client.open)
        client.send("x")
        result = await asyncio.wait_for(seen, 20)
        client.close()
        await worker.stop()
        return result

    assert asyncio.run(run()) == ("x", True)


def test_plain_and_tls_services_live_side_by_side(serve: Serve, client_tls: ssl.SSLContext) -> None:
    plain, secure = serve(False, on_message=echo), serve(True, on_message=echo)
    for site in (plain, secure):
        client = site.open()
        client.send("x")
        assert client.receive() == "x"
