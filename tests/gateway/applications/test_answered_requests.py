"""Requests of clients are answered by an application in another process."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from kit.gateway import System
from kit.kept_apps import hold, serve
from lineman.testing.client import RawClient


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with its body, and its size in a header where it comes in pieces."""
    body = b""
    while True:
        event = await receive()
        body += event["body"]
        if not event["more_body"]:
            break
    if scope["path"] == "/boom":
        raise ValueError("boom")
    lines = [(b"x-method", scope["method"].encode()), (b"x-query", scope["query_string"])]
    await send({"type": "http.response.start", "status": 201, "headers": lines})
    if scope["path"] == "/pieces":
        for start in range(0, len(body), 100_000):
            piece = body[start : start + 100_000]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body})


def ask(system: System, head: str, body: bytes = b"") -> bytes:
    with RawClient(system.workers[0].port) as client:
        text = f"{head} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(body)}"
        talking = threading.Thread(
            target=client.send_bytes, args=(text.encode() + b"\r\n\r\n" + body,)
        )
        talking.start()
        answer = client.receive_all()
        talking.join()
    return answer


def with_requests(system: System) -> None:
    node = hold(system)
    system.workers[0].callbacks.app = node.requests


def test_a_request_is_answered_with_its_body(system: System) -> None:
    with_requests(system)
    serve(system, app)
    answer = ask(system, "POST /a?b=c", b"hello")
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert b"x-method: POST\r\nx-query: b=c\r\n" in answer
    assert answer.endswith(b"\r\n\r\nhello")
    assert ask(system, "HEAD /").endswith(b"\r\n\r\n")


def test_bodies_stream_in_both_directions(system: System) -> None:
    with_requests(system)
    serve(system, app)
    body = bytes(range(256)) * 20_000
    assert ask(system, "POST /whole", body).endswith(body)
    assert ask(system, "POST /pieces", body).count(b"\x00\x01\x02\x03") >= 19_000


def test_an_application_that_raises_is_500(system: System) -> None:
    with_requests(system)
    serve(system, app)
    assert ask(system, "GET /boom").startswith(b"HTTP/1.1 500 ")


def test_a_worker_that_retires_answers_the_requests_that_it_has(system: System) -> None:
    with_requests(system)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        await go_on.wait()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"old"})

    first = serve(system, slow)
    answers: list[bytes] = []
    asking = threading.Thread(target=lambda: answers.append(ask(system, "GET /")))
    asking.start()
    system.run(begun.wait())
    serve(system, app)
    retiring = asyncio.run_coroutine_threadsafe(first.retire(20), system._loop)
    system.wait_until(lambda: system.nodes[0].dispatch.workers == 1, "it retires")
    assert b" 201 " in ask(system, "GET /new")
    system.call(go_on.set)
    retiring.result(20)
    asking.join()
    assert answers[0].endswith(b"old")


def test_a_client_that_leaves_is_noticed(system: System) -> None:
    with_requests(system)
    told: list[str] = []
    begun = asyncio.Event()

    async def wait(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        begun.set()
        told.append((await receive())["type"])

    serve(system, wait)
    with RawClient(system.workers[0].port) as client:
        client.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        system.run(begun.wait())
    system.wait_until(lambda: told == ["http.disconnect"], "it is noticed")
