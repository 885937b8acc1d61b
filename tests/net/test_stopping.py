"""A service that stops: clients get a close frame, open work is finished, and waits are bounded."""

from __future__ import annotations

import asyncio
import threading

from kit.recorder import Ends, Recorder
from kit.site import Serve
from kit.waiting import wait_until
from lineman import Connection
from lineman.protocols.websocket.decoder import Close
from lineman.testing.client import encode


def test_a_service_that_stops_says_1001_to_everybody(serve: Serve, tls: bool, ends: Ends) -> None:
    site = serve(tls, **ends.callbacks)
    clients = [site.open() for _ in range(3)]
    stopping = threading.Thread(target=site.stop)
    stopping.start()
    for client in clients:
        assert client.receive() == Close(1001, "the service is stopping")
        client.send_close(1001)
        client.assert_ended()
    stopping.join()
    assert ends.closed.calls == [(1001, "the service is stopping")] * 3


def test_a_service_that_stops_drops_in_the_end_who_does_not_answer(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    site = serve(tls, close_timeout=0.5, **ends.callbacks)
    site.open()
    half_done = site.plain()
    site.stop()
    half_done.assert_ended()
    assert ends.closed.calls == [(1001, "the service is stopping")]


def test_a_service_that_stops_lets_handlers_finish_what_was_received(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    proceed = asyncio.Event()

    async def handler(connection: Connection, message: str) -> None:
        await proceed.wait()
        connection.send(message)

    site = serve(tls, on_message=handler, **ends.callbacks)
    client = site.open()
    client.send_bytes(encode("one") + encode("two"))
    wait_until(lambda: site.connection.messages_read == 1, "a handler is at work")
    stopping = threading.Thread(target=site.stop)
    stopping.start()
    wait_until(lambda: site.worker.service.is_stopping, "it stops")  # type: ignore[union-attr]
    site.call(proceed.set)
    received = [client.receive() for _ in range(3)]
    assert received == ["one", "two", Close(1001, "the service is stopping")]
    client.send_close(1001)
    stopping.join()
    assert ends.closed.calls == [(1001, "the service is stopping")]


def test_a_handler_that_never_ends_is_cancelled_when_the_service_stops_and_both_ends_are_told(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    cancelled = Recorder()
    at_work = Recorder()

    async def handler(connection: Connection, message: str) -> None:
        at_work(message)
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled("cancelled")
            raise

    site = serve(tls, on_message=handler, **ends.callbacks)
    client = site.open()
    client.send("x")
    at_work.wait()
    site.run(site.worker.stop(0.5))
    assert cancelled.calls == ["cancelled"]
    assert client.receive() == Close(1001, "the service is stopping")
    client.assert_ended()
    assert ends.closed.calls == [(1001, "the service is stopping")]


def test_a_client_whose_messages_the_program_holds_hears_that_the_service_stops(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    handled = Recorder()

    def handler(connection: Connection, message: str) -> None:
        connection.pause_recv()  # again for each message, so that the last one is never reached
        handled(message)

    site = serve(tls, on_message=handler, **ends.callbacks)
    client = site.open()
    client.send_bytes(encode("one") + encode("two") + encode("three"))
    handled.wait()
    site.run(site.worker.stop(0.5))
    assert client.receive() == Close(1001, "the service is stopping")
    client.assert_ended()
    assert ends.closed.calls == [(1001, "the service is stopping")]


def test_a_client_that_has_closed_itself_is_answered_when_its_handler_is_late(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    at_work = Recorder()

    async def handler(connection: Connection, message: str) -> None:
        at_work(message)
        await asyncio.get_running_loop().create_future()

    site = serve(tls, on_message=handler, **ends.callbacks)
    client = site.open()
    client.send("x")
    client.send_close(4000, "done")
    at_work.wait()
    site.run(site.worker.stop(0.5))
    assert client.receive() == Close(4000, "")
    client.assert_ended()
    assert ends.closed.calls == [(4000, "done")]


def test_nobody_is_let_in_any_more_while_the_service_stops(serve: Serve, tls: bool) -> None:
    decide = threading.Event()
    deciding, connected = Recorder(), Recorder()

    async def take_time(connection: Connection, request: object) -> None:
        deciding("deciding")
        await asyncio.to_thread(decide.wait)

    site = serve(tls, on_websocket_connect=take_time, on_connect=connected)
    client = site.connect()
    client.send_bytes(client.handshake_bytes())
    deciding.wait()
    stopping = threading.Thread(target=site.stop)
    stopping.start()
    wait_until(lambda: site.worker.service.is_stopping, "it stops")  # type: ignore[union-attr]
    decide.set()
    assert client.receive_reply().status == 503
    client.close()
    stopping.join()
    assert connected.calls == []


def test_stopping_twice_at_once_is_fine(serve: Serve, ends: Ends) -> None:
    stopped = Recorder()
    site = serve(on_worker_stop=stopped, **ends.callbacks)
    client = site.open()

    async def stop_twice() -> None:
        await asyncio.gather(site.worker.stop(5), site.worker.stop(5))

    stopping = threading.Thread(target=lambda: site.run(stop_twice()))
    stopping.start()
    assert client.receive_close().code == 1001
    client.send_close(1001)
    stopping.join()
    assert not site.worker.connections
    assert len(ends.closed.calls) == len(stopped.calls) == 1
