"""Websockets that an application opens."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from kit.asgi_apps import ACCEPT, CLOSE, Told, echo, hello, text
from kit.site import Serve
from kit.waiting import wait_until
from lineman import Connection
from lineman.errors import ClientGoneError
from lineman.protocols.events import Close
from lineman.protocols.websocket.opening_session import OpeningSession


def handshakes() -> int:
    """Those that this process keeps something of."""
    gc.collect()
    return sum(type(each) is OpeningSession for each in gc.get_objects())


def test_an_open_websocket_keeps_nothing_of_its_handshake(serve_app: Serve) -> None:
    site = serve_app(Told(echo))
    before = handshakes()
    clients = [site.open() for _ in range(5)]
    for client in clients:
        client.send("text")
        assert client.receive() == "text"
    wait_until(lambda: handshakes() <= before, "the handshakes of open websockets were let go")


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
def test_messages_go_both_ways(serve_app: Serve, tls: bool) -> None:
    app = Told(echo)
    client = serve_app(app, tls).open("/chat?room=7")
    client.send("text")
    client.send(b"bytes")
    assert client.receive() == "text"
    assert client.receive() == b"bytes"
    client.send_close(4001, "bye")
    assert client.receive_close().code == 4001
    assert app.wait_for_end() is None
    assert app.types[0] == "websocket.connect"
    assert app.received[-1] == {"type": "websocket.disconnect", "code": 4001, "reason": "bye"}
    scope = app.scopes[0]
    assert (scope["type"], scope["path"], scope["query_string"]) == (
        "websocket", "/chat", b"room=7",
    )  # fmt: skip
    assert scope["scheme"] == ("wss" if tls else "ws")
    assert scope["client"][0] == "127.0.0.1"
    assert (b"upgrade", b"websocket") in [(n, v.lower()) for n, v in scope["headers"]]
    assert ("tls" in scope["extensions"]) == tls


def test_a_subprotocol_and_headers_are_those_of_the_application(serve_app: Serve) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        assert scope["subprotocols"] == ["a", "b"]
        await receive()
        await send({**ACCEPT, "subprotocol": "b", "headers": [(b"x-room", b"7")]})
        await receive()

    client = serve_app(Told(steps)).connect()
    reply = client.handshake("/", subprotocols=["a", "b"])
    assert reply.status == 101
    assert reply.headers["sec-websocket-protocol"] == "b"
    assert reply.headers["x-room"] == "7"


def test_a_refusal_is_403(serve_app: Serve) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(CLOSE)
        assert (await receive())["type"] == "websocket.disconnect"

    app = Told(steps)
    client = serve_app(app).connect()
    assert client.handshake("/").status == 403
    client.assert_ended()
    assert app.wait_for_end() is None


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_refusal_may_be_an_answer_of_the_application(serve_app: Serve, pieces: int) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        assert "websocket.http.response" in scope["extensions"]
        await receive()
        kind = "websocket.http.response"
        head = {"status": 401, "headers": [(b"www-authenticate", b"Bearer")]}
        await send({"type": f"{kind}.start", **head})
        for left in reversed(range(pieces)):
            await send({"type": f"{kind}.body", "body": b"sign in", "more_body": left > 0})

    client = serve_app(Told(steps)).connect()
    client.send_bytes(client.handshake_bytes())
    data = client.receive_all()
    assert data.startswith(b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\n")
    if pieces == 1:
        assert data.endswith(b"Content-Length: 7\r\nConnection: close\r\n\r\nsign in")
    else:
        assert data.endswith(b"\r\n\r\n7\r\nsign in\r\n7\r\nsign in\r\n0\r\n\r\n")


def denied(serve_app: Serve, status: int, headers: Any, *pieces: bytes) -> tuple[bytes, Any]:
    """What a client gets whose handshake is refused so, and what the application's call raised."""

    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        kind = "websocket.http.response"
        await send({"type": f"{kind}.start", "status": status, "headers": headers})
        for number, piece in enumerate(pieces, 1):
            more = number < len(pieces)
            await send({"type": f"{kind}.body", "body": piece, "more_body": more})

    app = Told(steps)
    client = serve_app(app).connect()
    client.send_bytes(client.handshake_bytes())
    return client.receive_all(), app.wait_for_end()


@pytest.mark.parametrize(
    ("length", "pieces", "told", "arrives"),
    [
        (b"2", (b"too long",), "8 bytes where 2 were left", b""),
        (b"20", (b"ab",), "18 bytes before", b""),
        (b"4", (b"ab", b"cde"), "3 bytes where 2 were left", b"\r\n\r\nab"),
        (b"4", (b"ab", b"c"), "1 bytes before", b"\r\n\r\nab"),
    ],
)
def test_a_refusal_of_another_length_than_it_says_is_told(
    serve_app: Serve, length: bytes, pieces: tuple[bytes, ...], told: str, arrives: bytes
) -> None:
    data, error = denied(serve_app, 401, [(b"content-length", length)], *pieces)
    assert told in str(error)
    if arrives:
        assert data.endswith(arrives)  # the connection ends, and the client sees what is missing
    else:
        assert data.startswith(b"HTTP/1.1 500 ")


def test_a_refusal_whose_status_has_no_body_has_none(serve_app: Serve) -> None:
    data, error = denied(serve_app, 204, [], b"body", b"more")
    assert error is None
    assert data.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert data.endswith(b"\r\n\r\n")
    assert b"ontent-" not in data
    assert b"chunked" not in data


def test_closing_has_the_code_and_the_reason_of_the_application(serve_app: Serve) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        await send({**CLOSE, "code": 4002, "reason": "enough"})
        assert (await receive()) == {
            "type": "websocket.disconnect", "code": 4002, "reason": "enough",
        }  # fmt: skip

    app = Told(steps)
    client = serve_app(app).open()
    assert client.receive_close() == Close(4002, "enough")
    client.send_close(4002)
    assert app.wait_for_end() is None


def test_what_an_application_does_not_take_waits_at_the_client(serve_app: Serve) -> None:
    release = asyncio.Event()

    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        await release.wait()
        count = 0
        while (await receive())["type"] == "websocket.receive":
            count += 1
            if count == 500:
                await send(text("all"))

    site = serve_app(Told(steps))
    client = site.open()
    for _ in range(500):
        client.send("x" * 10)
    wait_until(lambda: site.connection.is_paused, "the client is read no more")
    assert site.connection.messages_read < 500
    site.call(release.set)
    assert client.receive() == "all"


def test_a_client_that_reads_nothing_holds_send_up(serve_app: Serve) -> None:
    sent = []

    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        for number in range(300):
            await send({"type": "websocket.send", "bytes": bytes(65536)})
            sent.append(number)

    app = Told(steps)
    site = serve_app(app, compression=False)
    client = site.open()
    wait_until(lambda: site.call(lambda: site.connection.unsent > 0), "it is blocked")
    assert len(sent) < 300
    for _ in range(300):
        assert client.receive() == bytes(65536)
    assert app.wait_for_end() is None
    assert len(sent) == 300


def test_sending_to_a_client_that_has_gone_raises_an_os_error(serve_app: Serve) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        assert (await receive())["type"] == "websocket.disconnect"
        await send(text("too late"))

    app = Told(steps)
    site = serve_app(app)
    site.open().reset()
    assert isinstance(app.wait_for_end(), ClientGoneError)
    assert site.worker.service is not None
    assert site.worker.service.exceptions == 0


@pytest.mark.parametrize("fails", [False, True])
def test_the_end_of_the_call_closes_the_websocket(serve_app: Serve, fails: bool) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        if fails:
            raise ValueError("broken")

    client = serve_app(Told(steps)).open()
    assert client.receive_close().code == (1011 if fails else 1000)


async def _returns(scope: Any, receive: Any, send: Any) -> None:
    await receive()


async def _raises(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("broken")


async def _sends_first(scope: Any, receive: Any, send: Any) -> None:
    await send(text("early"))


async def _not_offered(scope: Any, receive: Any, send: Any) -> None:
    await send({**ACCEPT, "subprotocol": "other"})


async def _bad_header(scope: Any, receive: Any, send: Any) -> None:
    await send({**ACCEPT, "headers": [(b"a", b"b\r\nc: d")]})


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (_returns, "without a decision; ASGI wants 'websocket.accept'"),
        (_raises, "ValueError: broken"),
        (_sends_first, "before it has answered 'websocket.connect'"),
        (_not_offered, "was not offered"),
        (_bad_header, "not one line"),
    ],
)
def test_an_application_that_fails_before_it_has_decided_costs_its_client_a_500(
    serve_app: Serve, steps: Any, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await (echo if scope["path"] == "/ok" else steps)(scope, receive, send)

    site = serve_app(Told(app))
    bystander = site.open("/ok")
    assert site.connect().handshake("/bad").status == 500
    wait_until(lambda: told in caplog.text, told)
    bystander.send("still here")
    assert bystander.receive() == "still here"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"type": "websocket.send"}, "ASGI wants exactly one"),
        ({"type": "websocket.send", "text": "a", "bytes": b"b"}, "ASGI wants exactly one"),
        ({"type": "websocket.send", "text": 7}, "ASGI wants exactly one"),
        (ACCEPT, "on an open websocket"),
        ({**CLOSE, "code": 1006}, "close code 1006 must not be sent"),
    ],
)
def test_a_wrong_message_on_an_open_websocket_costs_this_one(
    serve_app: Serve, message: Any, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        await send(message)

    client = serve_app(Told(steps)).open()
    assert client.receive_close().code == 1011
    wait_until(lambda: told in caplog.text, told)


def test_sending_after_the_own_close_is_told(
    serve_app: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        await send(CLOSE)
        await send(text("late"))

    assert serve_app(Told(steps)).open().receive_close().code == 1000
    wait_until(lambda: "after the websocket was closed or refused" in caplog.text, "it is told")


def test_an_application_that_does_not_decide_is_named_and_its_client_gets_a_500(
    serve_app: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "websocket.disconnect":
            pass

    app = Told(steps)
    site = serve_app(app, handshake_timeout=5)
    client = site.connect()
    client.send_bytes(client.handshake_bytes())
    wait_until(lambda: app.scopes, "it is called")
    site.advance_clock(8)
    assert client.receive_reply().status == 500
    assert "has neither accepted nor closed for 5 s" in caplog.text
    assert app.wait_for_end() is None


def test_a_message_is_not_lost_where_waiting_for_it_was_given_up(serve_app: Serve) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        for _ in range(3):
            try:
                async with asyncio.timeout(0.01):
                    await receive()
            except TimeoutError:
                continue
        await send(text("now"))
        await send(text((await receive())["text"]))

    client = serve_app(Told(steps)).open()
    assert client.receive() == "now"
    client.send("here")
    assert client.receive() == "here"


def test_websockets_go_to_the_program_that_has_on_message_and_requests_to_the_application(
    serve_app: Serve,
) -> None:
    def shout(connection: Connection, message: str) -> None:
        connection.send(message.upper())

    site = serve_app(Told(hello), on_message=shout)
    client = site.open()
    client.send("hi")
    assert client.receive() == "HI"
    assert site.connect().request("/").text == "hello"


@pytest.mark.parametrize("origins", [None, ["https://mine.example"]])
def test_the_application_judges_origins_unless_the_service_is_given_some(
    serve_app: Serve, origins: Any
) -> None:
    site = serve_app(Told(echo), origins=origins)
    page = [("Origin", "https://other.example"), ("Cookie", "id=7")]
    status = site.connect().handshake("/", page).status
    assert status == (101 if origins is None else 403)


def test_a_stop_tells_the_application(serve_app: Serve) -> None:
    app = Told(echo)
    site = serve_app(app)
    client = site.open()
    client.send("a")
    assert client.receive() == "a"
    stopping = threading.Thread(target=site.run, args=(site.worker.stop(2),))
    stopping.start()
    assert client.receive_close().code == 1001
    client.send_close(1001)
    stopping.join(10)
    assert app.wait_for_end() is None
    assert app.received[-1]["code"] == 1001
