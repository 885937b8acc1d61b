"""Before a connection is a websocket: who is let in, what plain requests get, what is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, Site, echo
from lineman import Connection, Request, UsageError
from lineman.testing.client import encode

HEAD = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = "Sec-WebSocket-Version: 13\r\n"
ECHO_OF_THE_RFC = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def raw(site: Site, head: str) -> Any:
    """The reply to a head that is sent as it stands."""
    client = site.connect()
    client.send_bytes(head.encode("latin-1"))
    reply = client.receive_reply()
    if reply.status != 101:
        client.assert_ended()
    return reply


# What is let in.


def test_the_handshake_of_the_rfc_gets_the_answer_of_the_rfc(serve: Serve, tls: bool) -> None:
    reply = raw(serve(tls), f"GET /chat HTTP/1.1\r\n{HEAD}{KEY}{VERSION}\r\n")
    assert reply.status == 101
    assert reply.headers["sec-websocket-accept"] == ECHO_OF_THE_RFC
    assert reply.headers["upgrade"].lower() == "websocket"
    assert reply.headers["connection"].lower() == "upgrade"
    assert "sec-websocket-protocol" not in reply.headers
    assert "sec-websocket-extensions" not in reply.headers


def test_firefox_is_let_in(serve: Serve, tls: bool) -> None:
    head = "Host: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    extensions = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    reply = raw(serve(tls), f"GET / HTTP/1.1\r\n{head}{extensions}{KEY}{VERSION}\r\n")
    assert reply.status == 101
    assert reply.headers["sec-websocket-extensions"].startswith("permessage-deflate")


def test_names_and_tokens_may_have_letters_of_any_case(serve: Serve) -> None:
    head = (
        "GET / HTTP/1.1\r\nhost: x\r\nUPGRADE: WebSocket\r\nconnection: uPGRADE\r\n"
        "sec-websocket-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
    )
    assert raw(serve(), head).status == 101


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_handshake_may_come_in_pieces(serve: Serve, tls: bool, size: int) -> None:
    client = serve(tls, on_message=echo).connect()
    wire = client.handshake_bytes() + encode("tom")
    for start in range(0, len(wire), size):
        client.send_bytes(wire[start : start + size])
    assert client.receive_reply().status == 101
    assert client.receive() == "tom"


def test_the_request_is_told_the_same_whether_its_head_came_whole_or_in_pieces(
    serve: Serve, tls: bool
) -> None:
    told = Recorder()

    def tell(connection: Connection) -> None:
        request = connection.request
        assert request is not None
        assert connection.request is request
        told(
            (
                request.method,
                request.target,
                request.path,
                request.query,
                request.cookies,
                request.headers.items(),
                request.headers["HOST"],
                request.remote_ip,
                request.scheme,
                request.remote_port == connection.remote_port,
                request.upgrade,
                request.body,
            )
        )

    site = serve(tls, on_connect=tell)
    head = f"GET /a%20b?c=d HTTP/1.1\r\n{HEAD}{KEY}{VERSION}Cookie: e=f\r\n\r\n".encode()
    for cut in (len(head), 9):
        client = site.connect()
        client.send_bytes(head[:cut])
        client.send_bytes(head[cut:])
        assert client.receive_reply().status == 101
    whole, in_pieces = told.wait(2)
    assert whole == in_pieces
    assert whole[2] == "/a b"
    assert whole[7:9] == ("127.0.0.1", "https" if tls else "http")


# What is refused.


@pytest.mark.parametrize(
    ("head", "status", "says"),
    [
        (f"POST / HTTP/1.1\r\n{HEAD}{KEY}{VERSION}", 405, "GET"),
        (f"GET / HTTP/1.0\r\n{HEAD}{KEY}{VERSION}", 400, "proxy_http_version 1.1"),
        (f"GET / HTTP/1.1\r\n{HEAD}{VERSION}", 400, "Sec-WebSocket-Key header is missing"),
        (f"GET / HTTP/1.1\r\n{HEAD}Sec-WebSocket-Key: short\r\n{VERSION}", 400, "16 bytes"),
        (f"GET / HTTP/1.1\r\n{HEAD}{KEY}{KEY}{VERSION}", 400, "one value"),
        (f"GET / HTTP/1.1\r\n{HEAD}{KEY}", 400, "Sec-WebSocket-Version header is missing"),
        (f"GET / HTTP/1.1\r\n{HEAD}{KEY}Sec-WebSocket-Version: 8\r\n", 426, "only 13"),
        (f"GET / HTTP/1.1\r\nHost: y\r\n{HEAD}{KEY}{VERSION}", 400, "2 Host headers"),
        (f"GET / HTTP/1.1\r\n{HEAD.split(chr(10), 1)[1]}{KEY}{VERSION}", 400, "Host header"),
        (f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n{KEY}{VERSION}", 426, "Upgrade"),
        (f"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n{KEY}{VERSION}", 426, "Upgrade"),
        ("GET / HTTP/1.1\r\nHost: x\r\n", 426, "a websocket client is expected"),
        (f"GET / HTTP/1.1\r\n{HEAD}{KEY}{VERSION}Bad Name: x\r\n", 400, "not an HTTP"),
        (f"GET / HTTP/1.1\r\n{HEAD}{KEY}{VERSION}Content-Length: 3\r\n", 400, "no body"),
        ("this is no request\r\n", 400, "not an HTTP"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n", 400, "HTTP/2"),
        ("\x00\x01\x02\x03\r\n", 400, "not an HTTP"),
    ],
)
def test_a_bad_handshake_is_refused_with_a_line_that_says_why(
    serve: Serve, tls: bool, head: str, status: int, says: str
) -> None:
    site = serve(tls, on_message=echo)
    bystander = site.open()
    reply = raw(site, f"{head}\r\n")
    assert reply.status == status
    assert says in reply.text
    assert reply.text.count("\n") == 1
    assert "close" in reply.headers["connection"]
    if status == 426:
        assert reply.headers["sec-websocket-version"] == "13"
        assert reply.headers["upgrade"] == "websocket"
    bystander.send("x")
    assert bystander.receive() == "x"


@pytest.mark.parametrize(
    "head",
    [
        "GET /" + "x" * 20_000,
        "GET / HTTP/1.1\r\nHost: x\r\nCookie: " + "x" * 20_000,
        "GET / HTTP/1.1\r\nHost: x\r\n" + "A: b\r\n" * 5000,
    ],
    ids=["target", "header", "lines"],
)
def test_a_head_that_is_too_long_is_431_before_it_has_ended(
    serve: Serve, tls: bool, head: str
) -> None:
    assert raw(serve(tls), head).status == 431


def test_the_greatest_head_that_is_taken_can_be_set(serve: Serve) -> None:
    site = serve(max_head_size=40_000)
    site.open(headers=[("Cookie", "x" * 30_000)])
    assert site.connect().handshake(headers=[("Cookie", "x" * 45_000)]).status == 431


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:"], ids=["nothing", "half a head"])
def test_a_handshake_that_stalls_is_ended_at_the_deadline(
    serve: Serve, tls: bool, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(tls, handshake_timeout=0.5)
    client = site.connect()
    if sent:
        client.send_bytes(sent)
        assert client.receive_reply().status == 408
    client.assert_ended()
    client.close()
    site.wait_until_empty()
    assert "no handshake within 0.5 s" in caplog.text


def test_dripping_bytes_do_not_move_the_deadline(serve: Serve, tls: bool) -> None:
    site = serve(tls, handshake_timeout=0.5)
    client = site.connect()
    ended = threading.Event()

    def drip() -> None:
        for byte in client.handshake_bytes() * 100:
            if ended.wait(0.02):
                return
            try:
                client.send_bytes(bytes([byte]))
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        assert client.receive_reply().status == 408
    finally:
        ended.set()
        thread.join()


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
    # Whoever was told that it came is told that it left.
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
