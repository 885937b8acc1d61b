"""A peer that ends only its sending side gets all that it was answered (RFC 9293, section 3.6)."""

from __future__ import annotations

import asyncio

from kit.recorder import Recorder
from kit.site import Serve
from lineman import Connection, Request
from lineman.testing.client import encode, encode_frame

SIZE = 8_000_000
# Longer than what the kernel's buffers hold while the client reads nothing.
BODY = "x" * SIZE
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def answer(request: Request) -> str:
    return BODY


def test_an_answer_that_is_on_its_way_leaves_whole(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_request=answer)
    client = site.connect(receive_buffer=4096)
    client.send_bytes(GET)
    client.end_writing()
    assert client.receive_all().endswith(b"\r\n\r\n" + BODY.encode())
    site.wait_until_empty()


def test_an_answer_that_is_still_thought_about_leaves_whole(serve: Serve, tls: bool) -> None:
    proceed = asyncio.Event()

    async def later(request: Request) -> str:
        await proceed.wait()
        return BODY

    site = serve(tls, on_request=later)
    client = site.connect(receive_buffer=4096)
    client.send_bytes(GET)
    client.end_writing()
    site.call(proceed.set)
    assert client.receive_all().endswith(b"\r\n\r\n" + BODY.encode())
    site.wait_until_empty()


def test_a_websocket_gets_what_was_sent_before_its_close_frame(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=lambda connection, message: connection.send(BODY))
    client = site.open(receive_buffer=4096)
    client.send_bytes(encode("x"))
    client.send_close(1000)
    client.end_writing()
    assert client.receive() == BODY
    site.wait_until_empty()


def test_a_client_that_reads_nothing_more_is_given_up(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_request=answer, close_timeout=0.5)
    client = site.connect(receive_buffer=4096)
    client.send_bytes(GET)
    client.end_writing()
    site.wait_until_empty()


def test_a_client_whose_requests_are_all_answered_has_not_failed(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_request=lambda request: "fine")
    client = site.connect()
    client.send_bytes(GET)
    assert client.receive_reply().text == "fine"
    client.end_writing()
    client.assert_ended()
    site.wait_until_empty()
    service = site.worker.service
    assert service is not None
    assert not service.tally.failures


def test_on_close_never_comes_before_on_connect_of_a_conversation(serve: Serve, tls: bool) -> None:
    told = Recorder()

    async def conversation(connection: Connection) -> None:
        told("connect", connection.id)
        async for _ in connection:
            pass

    site = serve(
        tls, on_connect=conversation, on_close=lambda connection: told("close", connection.id)
    )
    for _ in range(5):
        client = site.connect()
        client.send_bytes(client.handshake_bytes() + encode_frame(3))  # there is no such opcode
        client.receive_all()
        client.close()
    calls = told.wait(10)
    for call in calls:
        assert calls.index(("connect", call[1])) < calls.index(("close", call[1]))
