"""`async def` handlers of datagrams: in order for each sender, bounded, and awaited at a stop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from kit.datagrams import ServeDatagrams
from kit.recorder import Recorder
from kit.waiting import wait_until
from lineman import DatagramPeer
from lineman.net.connection.inbox import MAX_EVENTS
from lineman.net.datagrams import datagram_socket

COMPILED = datagram_socket.__file__.endswith(".so")


def test_those_of_one_sender_are_handled_in_order_and_others_do_not_wait(
    serve: ServeDatagrams,
) -> None:
    seen, gate = Recorder(), asyncio.Event()

    async def handle(peer: DatagramPeer, data: bytes) -> None:
        if data == b"0":
            await gate.wait()
        await asyncio.sleep(0.001)
        seen(data)

    site = serve(on_message=handle)
    first, other = site.client(), site.client()
    for number in range(20):
        first.send(b"%d" % number)
    other.send(b"other")
    assert seen.wait() == [b"other"]
    site.call(gate.set)
    assert seen.wait(21)[1:] == [b"%d" % number for number in range(20)]


def test_a_coroutine_that_raises_costs_one_datagram(serve: ServeDatagrams) -> None:
    seen = Recorder()

    async def handle(peer: DatagramPeer, data: bytes) -> None:
        await asyncio.sleep(0)
        seen(1 // len(data))

    site = serve(on_message=handle)
    client = site.client()
    client.send(b"")
    client.send(b"x")
    assert seen.wait() == [1]
    assert site.call(lambda: site.service.exceptions) == 1


def test_what_waits_for_one_sender_is_bounded_and_the_rest_dropped_and_counted(
    serve: ServeDatagrams, caplog: pytest.LogCaptureFixture
) -> None:
    seen, gate = Recorder(), asyncio.Event()

    async def handle(peer: DatagramPeer, data: bytes) -> None:
        await gate.wait()
        seen(data)

    site = serve(on_message=handle)
    client = site.client()
    sent = 2 * MAX_EVENTS
    for number in range(sent):
        client.send(b"%d" % number)
    dropped = sent - MAX_EVENTS - 1
    wait_until(lambda: site.call(lambda: site.service.messages_dropped) == dropped, "dropped")
    assert f"too many of 127.0.0.1:{client.name[1]} wait for its handler" in caplog.text
    site.call(gate.set)
    assert seen.wait(MAX_EVENTS + 1) == [b"%d" % number for number in range(MAX_EVENTS + 1)]
    client.send(b"again")
    assert seen.wait(MAX_EVENTS + 2)[-1] == b"again"


@pytest.mark.parametrize("bound", ["MOST_AT_WORK", "MOST_WAITING"])
def test_what_is_at_work_for_all_is_bounded(
    serve: ServeDatagrams, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    """A flood of forged senders may not fill the memory by a slow handler."""
    monkeypatch.setattr(datagram_socket, bound, 3)
    gate = asyncio.Event()
    seen = Recorder()

    async def handle(peer: DatagramPeer, data: bytes) -> None:
        await gate.wait()
        seen(data)

    site = serve(on_message=handle)
    if bound == "MOST_AT_WORK":
        for _ in range(5):
            site.client().send(b"x")
    else:
        client = site.client()
        for _ in range(6):
            client.send(b"x")
    wait_until(lambda: site.call(lambda: site.service.messages_dropped) == 2, "two are dropped")
    site.call(gate.set)
    assert len(seen.wait(3)) >= 3
    assert site.call(lambda: site.service.exceptions) == 0


def test_a_stop_waits_for_all_that_a_sender_has_waiting(serve: ServeDatagrams) -> None:
    seen, begun = Recorder(), threading.Event()

    async def handle(peer: DatagramPeer, data: bytes) -> None:
        begun.set()
        await asyncio.sleep(0.01)
        peer.send(data)
        seen(data)

    site = serve(on_message=handle)
    client = site.client()
    for number in range(10):
        client.send(b"%d" % number)
    assert begun.wait(10)
    site.stop()
    assert seen.calls == [b"%d" % number for number in range(10)]
    assert [client.recv(10) for _ in range(10)] == seen.calls


def test_a_handler_that_does_not_end_is_cancelled_at_a_stop_and_what_waited_is_counted(
    serve: ServeDatagrams,
) -> None:
    cancelled, begun = Recorder(), threading.Event()

    async def handle(peer: DatagramPeer, data: bytes) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled(data)

    site = serve(on_message=handle)
    client = site.client()
    for number in range(4):
        client.send(b"%d" % number)
    assert begun.wait(10)
    service = site.service
    site.run(site.worker.stop(0.1))
    assert cancelled.calls == [b"0"]
    assert service.messages_dropped == 3
