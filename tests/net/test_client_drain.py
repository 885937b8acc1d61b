"""Clients that are asked to connect again, while the service goes on."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from kit.device import Device
from kit.site import Serve, Site, echo
from kit.waiting import wait_until
from lineman.net.client_drain import REASON, ClientDrain, Pace
from lineman.protocols.websocket.decoder import Close

AGAIN = Close(1012, REASON)


@pytest.mark.parametrize("count", [1, 7, 1000, 100_000])
def test_clients_are_asked_evenly(count: int) -> None:
    pace = Pace(count, 10.0, 0.0)
    reached = [pace.reached(step * 0.05) for step in range(202)]
    assert reached[0] == 1
    assert reached[100] == pytest.approx(count / 2 + 1, abs=1)
    assert reached[201] == count
    steps = [late - early for early, late in pairwise(reached)]
    assert max(steps) <= count / 200 + 1


def test_after_a_standstill_they_are_not_asked_all_at_once() -> None:
    pace = Pace(1000, 100.0, 0.0)
    assert pace.reached(0.05) == 1
    assert pace.reached(90.0) == 11  # as many as in a second
    assert pace.reached(90.2) == 13
    assert pace.reached(90.2) == 13


def test_over_no_time_all_are_asked_at_once() -> None:
    assert Pace(3, 0.0, 5.0).reached(5.0) == 3
    assert Pace(0, 0.0, 5.0).reached(5.0) == 0
    assert Pace(0, 9.0, 5.0).reached(99.0) == 0


def drain(site: Site, seconds: float, share: float = 1.0, *, refuses: bool = True) -> ClientDrain:
    """Begins to drain in the service's loop."""
    service = site.worker.service
    assert service is not None

    def begin() -> ClientDrain:
        made = ClientDrain(service, seconds, share, refuses=refuses)
        task = asyncio.get_running_loop().create_task(made.run())
        TASKS.add(task)
        task.add_done_callback(TASKS.discard)
        return made

    return site.call(begin)


TASKS: set[asyncio.Task[None]] = set()  # those of the test that runs


@pytest.fixture(autouse=True)
def ended_tasks() -> None:
    TASKS.clear()


def test_every_client_is_asked_over_the_time_and_new_ones_get_503(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=echo)
    clients = [site.open() for _ in range(6)]
    began = time.monotonic()
    made = drain(site, 1.0)
    for client in clients:
        assert client.receive_close() == AGAIN
    assert time.monotonic() - began > 0.8
    assert (made.asked, made.total) == (6, 6)
    new = site.connect()
    new.send_bytes(new.handshake_bytes("/"))
    reply = new.receive_reply()
    assert reply.status == 503
    assert reply.headers["retry-after"] == "5"
    assert b"another one answers" in reply.body


def test_who_is_not_asked_yet_is_served(serve: Serve) -> None:
    site = serve(on_message=echo, close_timeout=0.2)
    clients = [site.open() for _ in range(2)]
    made = drain(site, 60.0)
    wait_until(lambda: made.asked == 1, "the first is asked")
    wait_until(lambda: len(site.worker.connections) == 1, "the first has left")
    (left,) = [each for each in clients if each.address[1] == site.connection.remote_port]
    left.send("still here")
    assert left.receive() == "still here"


def test_new_clients_are_served_again_after_its_end(serve: Serve) -> None:
    site = serve(on_message=echo)
    made = drain(site, 0.0)
    site.call(made.end)
    client = site.connect()
    client.open("/")


def test_a_share_is_asked_and_new_clients_are_welcome(serve: Serve) -> None:
    site = serve(on_message=echo, close_timeout=0.2)
    for _ in range(8):
        site.open()
    made = drain(site, 0.2, 0.25, refuses=False)
    assert made.total == 2
    wait_until(lambda: len(site.worker.connections) == 6, "two have left")
    site.open().send("x")
    assert len(site.worker.connections) == 7


def test_who_was_in_the_handshake_is_asked_as_soon_as_the_connection_is_open(serve: Serve) -> None:
    site = serve(on_message=echo)
    late = site.connect()
    late.send_bytes(b"GET / HTTP/1.1\r\n")
    service = site.worker.service
    assert service is not None
    wait_until(lambda: service.accepted == 1, "it is accepted")
    drain(site, 0.0)
    late.send_bytes(
        b"Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert late.receive_reply().status == 101
    assert late.receive_close() == AGAIN


def test_a_line_of_text_ends_and_new_ones_end_at_once(serve: Serve) -> None:
    site = serve(scheme="text", on_message=echo)
    old = Device("text", site.port)
    wait_until(lambda: len(site.worker.connections) == 1, "it is open")
    drain(site, 0.0)
    assert old.rest() == b""
    new = Device("text", site.port)
    assert new.rest() == b""
    old.close()
    new.close()


def test_a_stop_ends_it(serve: Serve) -> None:
    site = serve(on_message=echo, close_timeout=0.2)
    client = site.open()
    drain(site, 600.0)
    (task,) = TASKS
    site.run(site.worker.stop(1.0))
    assert client.receive_close().code in (1001, 1012)
    wait_until(task.done, "its task has ended")
