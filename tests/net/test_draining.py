"""A service that is drained: clients are closed one by one, and no accepted client is reset."""

from __future__ import annotations

import asyncio
import threading
import time

from kit.recorder import Ends
from kit.site import Serve, Site, echo
from kit.waiting import wait_until
from lineman import Connection, Request
from lineman.protocols.websocket.decoder import Close

RESTART = Close(1012, "the service is restarting")


def drain(site: Site, seconds: float, timeout: float = 5.0) -> threading.Thread:
    """Begins to drain; the thread ends when it is over."""
    stopping = site.worker.stop(timeout, drain=seconds, code=1012)
    thread = threading.Thread(target=site.run, args=(stopping,))
    thread.start()
    wait_until(lambda: site.worker.service is None or site.worker.service.is_draining, "it drains")
    return thread


def test_goodbyes_are_spread_over_the_time(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=echo)
    clients = [site.open() for _ in range(8)]
    began = time.monotonic()
    thread = drain(site, 2.0)
    heard: list[float] = []

    def wait(client: object) -> None:
        assert client.receive() == RESTART  # type: ignore[attr-defined]
        heard.append(time.monotonic() - began)
        client.send_close(1012)  # type: ignore[attr-defined]

    waiting = [threading.Thread(target=wait, args=(client,)) for client in clients]
    for each in waiting:
        each.start()
    for each in waiting:
        each.join()
    thread.join()
    assert len(heard) == 8
    assert heard[-1] - heard[0] > 0.4  # whatever the machine is busy with, they are not all at once


def test_an_idle_service_is_drained_at_once(serve: Serve) -> None:
    site = serve(on_message=echo)
    began = time.monotonic()
    drain(site, 60.0).join()
    assert time.monotonic() - began < 20


def test_who_is_not_told_yet_is_served(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=echo)
    first, last = site.open(), site.open()
    thread = drain(site, 4.0)
    first.receive_close()
    last.send("still there?")
    assert last.receive() == "still there?"
    for client in (first, last):
        client.close()
    thread.join()


def test_a_handshake_under_way_is_finished_and_then_told(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=echo)
    client = site.connect()
    words = client.handshake_bytes()
    client.send_bytes(words[:30])
    wait_until(lambda: site.worker.service.accepted == 1, "it is accepted")  # type: ignore[union-attr]
    thread = drain(site, 0.1)
    time.sleep(0.2)  # the time for the close frames is over
    client.send_bytes(words[30:])
    assert client.receive_reply().status == 101
    assert client.receive() == RESTART
    client.send_close(1012)
    thread.join()


def test_a_handler_at_work_finishes_before_the_goodbye(serve: Serve, tls: bool, ends: Ends) -> None:
    proceed = asyncio.Event()

    async def handler(connection: Connection, message: str) -> None:
        await proceed.wait()
        connection.send(message)

    site = serve(tls, on_message=handler, **ends.callbacks)
    client = site.open()
    client.send("one")
    wait_until(lambda: site.connection.messages_read == 1, "a handler is at work")
    thread = drain(site, 0.05)
    time.sleep(0.1)
    site.call(proceed.set)
    assert [client.receive(), client.receive()] == ["one", RESTART]
    client.send_close(1012)
    thread.join()
    assert ends.closed.calls == [(1012, "the service is restarting")]


def test_a_line_kept_for_more_requests_has_the_time_to_send_one_more(serve: Serve) -> None:
    site = serve(on_request=lambda request: "page")
    idle = site.plain()
    assert idle.request("/").status == 200
    thread = drain(site, 60.0)
    wait_until(lambda: site.worker.service.is_draining, "it has begun")  # type: ignore[union-attr]
    assert idle.request("/").headers["connection"] == "close"
    idle.assert_ended()
    thread.join()


def test_a_line_kept_for_more_requests_is_closed_and_the_last_answer_says_so(serve: Serve) -> None:
    proceed = asyncio.Event()

    async def page(request: Request) -> str:
        if request.path == "/slow":
            await proceed.wait()
        return "page"

    site = serve(on_request=page)
    idle, busy = site.plain(), site.plain()
    assert idle.request("/").status == 200
    busy.send_bytes(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: site.worker.service.accepted == 2, "both are there")  # type: ignore[union-attr]
    thread = drain(site, 0.3)
    idle.assert_ended()
    site.call(proceed.set)
    assert busy.receive_reply().headers["connection"] == "close"
    busy.assert_ended()
    thread.join()


def test_who_does_not_answer_is_dropped_at_the_deadline(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=echo)
    silent = site.plain()
    client = site.open()
    wait_until(lambda: site.worker.service.accepted == 2, "both are there")  # type: ignore[union-attr]
    drain(site, 0.1, timeout=0.3).join()
    assert client.receive() == RESTART
    silent.assert_ended()
