"""The decisions of `on_websocket_connect`, plain and `async def`, and their effects."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve
from lineman import Connection, Request, UsageError

# on_websocket_connect.


def run_both_ways(decide: Callable[..., None]) -> list[Callable[..., Any]]:
    """The same decision as a plain function and as a coroutine that takes its time."""

    async def decide_async(connection: Connection, request: Request) -> None:
        await asyncio.sleep(0.01)
        decide(connection, request)

    return [decide, decide_async]


@pytest.fixture(params=[0, 1], ids=["plain", "async"])
def both(request: pytest.FixtureRequest) -> Callable[[Callable[..., None]], Callable[..., Any]]:
    """Makes a plain callback into a plain and an `async def` one, for one test each."""
    return lambda decide: run_both_ways(decide)[request.param]


def test_the_request_tells_path_query_headers_and_cookies(
    serve: Serve, tls: bool, both: Any
) -> None:
    seen = Recorder()

    def look(connection: Connection, request: Request) -> None:
        seen(request is connection.request, request.path, request.query, request.cookies)
        seen(request.headers["x-one"], request.remote_ip, request.remote_port)

    site = serve(tls, on_websocket_connect=both(look))
    client = site.open("/chat/M%C3%BCnchen?room=7&name=tom", [("X-One", "1"), ("Cookie", "a=b")])
    assert seen.wait(2) == [
        (True, "/chat/München", {"room": "7", "name": "tom"}, {"a": "b"}),
        ("1", *client.address),
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "body"),
    [((), 403, ""), ((401, "who are you?"), 401, "who are you?"), ((503,), 503, "")],
)
def test_reject_refuses_with_a_status_and_a_text(
    serve: Serve, tls: bool, both: Any, arguments: tuple[Any, ...], status: int, body: str
) -> None:
    connected = Recorder()
    site = serve(
        tls,
        on_websocket_connect=both(lambda connection, request: connection.reject(*arguments)),
        on_connect=connected,
        on_close=connected,
    )
    client = site.connect()
    reply = client.handshake()
    assert (reply.status, reply.text) == (status, body)
    assert reply.headers["connection"] == "close"
    client.assert_ended()
    client.close()
    site.wait_until_empty()
    assert connected.calls == []


def test_close_before_the_handshake_is_over_refuses_with_403(serve: Serve, both: Any) -> None:
    site = serve(on_websocket_connect=both(lambda connection, request: connection.close()))
    assert site.connect().handshake().status == 403


def test_destroy_before_the_handshake_is_over_just_ends(serve: Serve, both: Any) -> None:
    closed = Recorder()
    site = serve(
        on_websocket_connect=both(lambda connection, request: connection.destroy()),
        on_close=closed,
    )
    client = site.connect()
    client.send_bytes(client.handshake_bytes())
    client.assert_ended()
    assert closed.calls == []


def test_a_callback_that_raises_is_500_and_logged(
    serve: Serve, tls: bool, both: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(connection: Connection, request: Request) -> None:
        raise RuntimeError("broken callback")

    site = serve(tls, on_websocket_connect=both(fail))
    reply = site.connect().handshake()
    assert reply.status == 500
    assert "broken" not in reply.text
    assert "RuntimeError: broken callback" in caplog.text


def test_a_subprotocol_can_be_chosen(serve: Serve, tls: bool, both: Any) -> None:
    def choose(connection: Connection, request: Request) -> None:
        connection.choose_subprotocol("mqtt")

    site = serve(tls, on_websocket_connect=both(choose), subprotocols=["chat"])
    reply = site.connect().handshake(subprotocols=["chat", "mqtt"])
    assert reply.headers["sec-websocket-protocol"] == "mqtt"
    assert site.connection.subprotocol == "mqtt"


def test_the_services_best_subprotocol_that_is_offered_is_agreed_on(serve: Serve) -> None:
    site = serve(subprotocols=["v2.chat", "v1.chat"])
    reply = site.connect().handshake(subprotocols=["v1.chat", "v2.chat", "v0.chat"])
    assert reply.headers["sec-websocket-protocol"] == "v2.chat"


def test_without_a_common_subprotocol_there_is_none(serve: Serve) -> None:
    site = serve(subprotocols=["v2.chat"])
    reply = site.connect().handshake(subprotocols=["mqtt"])
    assert reply.status == 101
    assert "sec-websocket-protocol" not in reply.headers
    assert site.connection.subprotocol is None


@pytest.mark.parametrize("name", ["mqtt", "no/token"])
def test_choosing_a_subprotocol_that_cannot_be_is_500_and_logged(
    serve: Serve, both: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    def choose(connection: Connection, request: Request) -> None:
        connection.choose_subprotocol(name)

    site = serve(on_websocket_connect=both(choose))
    client = site.connect()
    wire = client.handshake_bytes().replace(
        b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: chat, no/token\r\n\r\n"
    )
    client.send_bytes(wire)
    assert client.receive_reply().status == 500
    assert "UsageError" in caplog.text


def test_headers_can_be_added_to_the_101(serve: Serve, tls: bool, both: Any) -> None:
    def add(connection: Connection, request: Request) -> None:
        connection.add_header("Set-Cookie", "a=1")
        connection.add_header("Set-Cookie", "b=2")

    reply = serve(tls, on_websocket_connect=both(add)).connect().handshake()
    assert reply.headers.get_all("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("X-Bad", "a\r\nb: c"), ("Bad Name", "x"), ("Sec-WebSocket-Accept", "x"), ("X-Bad", "世")],
)
def test_a_header_that_would_break_the_101_is_500_and_logged_as_the_programs_mistake(
    serve: Serve, both: Any, name: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(
        on_websocket_connect=both(lambda connection, request: connection.add_header(name, value))
    )
    assert site.connect().handshake().status == 500
    assert "UsageError" in caplog.text


def test_what_can_be_done_before_the_101_only_says_so_after_it(serve: Serve) -> None:
    said = Recorder()

    def handler(connection: Connection, message: str) -> None:
        for attempt in (
            lambda: connection.reject(403),
            lambda: connection.choose_subprotocol("chat"),
            lambda: connection.add_header("X-One", "1"),
        ):
            with pytest.raises(UsageError) as caught:
                attempt()
            said(str(caught.value))

    site = serve(on_message=handler)
    site.open().send("x")
    assert all("works in on_websocket_connect only" in text for text in said.wait(3))


def test_sending_before_the_101_says_what_to_do_instead(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(on_websocket_connect=lambda connection, request: connection.send("too early"))
    assert site.connect().handshake().status == 500
    assert "send from on_connect on" in caplog.text


def test_reject_takes_no_status_that_would_let_the_client_in(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(on_websocket_connect=lambda connection, request: connection.reject(200))
    assert site.connect().handshake().status == 500
    assert "takes an HTTP status from 300 to 599, got 200" in caplog.text


@pytest.mark.parametrize("leave", ["end", "reset"])
def test_a_client_that_leaves_while_it_is_decided_on_harms_nobody(
    serve: Serve, tls: bool, leave: str
) -> None:
    decide = threading.Event()
    deciding, connected, closed = Recorder(), Recorder(), Recorder()

    async def take_time(connection: Connection, request: Request) -> None:
        deciding("deciding")
        await asyncio.to_thread(decide.wait)
        connection.add_header("X-One", "1")

    site = serve(
        tls,
        on_websocket_connect=take_time,
        on_connect=lambda connection: connected(connection.id),
        on_close=lambda connection, code: closed(code),
    )
    client = site.connect()
    client.send_bytes(client.handshake_bytes())
    deciding.wait()
    if leave == "reset":
        client.reset()
    else:
        client.close()
    decide.set()
    site.wait_until_empty()
    # If `on_connect` was called, `on_close` is called too.
    assert closed.calls == [1006] * len(connected.calls)


def test_a_decision_that_outlasts_the_deadline_is_408(serve: Serve, tls: bool) -> None:
    cancelled = threading.Event()

    async def never(connection: Connection, request: Request) -> None:
        await asyncio.to_thread(cancelled.wait)

    site = serve(tls, on_websocket_connect=never, handshake_timeout=0.5)
    client = site.connect()
    try:
        assert client.handshake().status == 408
        client.assert_ended()
    finally:
        cancelled.set()


def test_what_was_looked_at_in_the_handshake_takes_no_memory_afterwards(serve: Serve) -> None:
    seen = Recorder()
    site = serve(
        on_websocket_connect=lambda connection: seen(connection.request.headers["x-token"]),
        on_message=lambda connection, message: seen(connection.request.headers["x-token"]),
    )
    client = site.open("/", [("X-Token", "secret")])
    client.send("look")
    client.send("look")
    first, second, third = seen.wait(3)
    assert first == second == "secret"
    assert first is not second
    assert second is third
