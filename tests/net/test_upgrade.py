"""Before a connection is a websocket: who is let in, what plain requests get, what is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from lineman import Connection, Request, Response, UsageError
from lineman.testing.client import encode
from net.conftest import Serve
from net.support import Recorder, Site, echo

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
    assert "sec-websocket-extensions" not in reply.headers


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


# Behind a proxy.


@pytest.mark.parametrize(
    ("options", "headers", "remote_ip"),
    [
        ({}, [("X-Real-IP", "203.0.113.7")], "127.0.0.1"),
        ({"trusted_proxies": ["10.0.0.0/8"]}, [("X-Real-IP", "203.0.113.7")], "127.0.0.1"),
        ({"trusted_proxies": ["127.0.0.1"]}, [("X-Real-IP", "203.0.113.7")], "203.0.113.7"),
        (
            {"trusted_proxies": ["127.0.0.1/32"]},
            [("X-Forwarded-For", "6.6.6.6, 203.0.113.7")],
            "203.0.113.7",
        ),
        ({"trusted_proxies": ["127.0.0.1"]}, [("Forwarded", 'for="[2001:db8::1]"')], "2001:db8::1"),
        ({"trusted_proxies": ["127.0.0.1"]}, [("X-Real-IP", "rubbish")], "unknown"),
        ({"trusted_proxies": ["127.0.0.1"]}, [], "unknown"),
    ],
)
def test_only_a_trusted_proxy_is_believed_who_the_client_is(
    serve: Serve, tls: bool, options: Any, headers: Any, remote_ip: str
) -> None:
    seen = Recorder()
    site = serve(
        tls,
        on_websocket_connect=lambda connection, request: seen(request.remote_ip),
        on_connect=lambda connection: seen(connection.remote_ip),
        on_request=lambda request: request.remote_ip,
        **options,
    )
    client = site.open(headers=headers)
    assert seen.wait(2) == [remote_ip, remote_ip]
    assert site.connection.peer_address == f"127.0.0.1:{client.address[1]}"
    assert site.connect().request(headers=headers).text == remote_ip


# Other web sites.

ELSEWHERE = ("Origin", "https://evil.example")


def test_a_page_that_is_not_among_the_origins_is_403(
    serve: Serve, tls: bool, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(tls, origins=["https://chat.example.com"])
    site.open(headers=[("Origin", "https://chat.example.com")])
    site.open()  # a program, no browser
    reply = site.connect().handshake(headers=[ELSEWHERE])
    assert reply.status == 403
    assert "https://evil.example" in caplog.text


@pytest.mark.parametrize("credentials", [("Cookie", "session=1"), ("Authorization", "Basic eA==")])
def test_a_page_of_another_site_that_brings_credentials_is_403_and_the_log_says_what_to_set(
    serve: Serve, tls: bool, credentials: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(tls)
    reply = site.connect().handshake(headers=[ELSEWHERE, credentials])
    assert reply.status == 403
    assert 'origins=["https://evil.example"]' in caplog.text


def test_a_page_of_another_site_without_credentials_is_let_in(serve: Serve) -> None:
    serve().open(headers=[ELSEWHERE])


def test_a_page_of_the_same_host_may_bring_its_cookies(serve: Serve, tls: bool) -> None:
    serve(tls).open(headers=[("Origin", "https://localhost"), ("Cookie", "session=1")])


# Plain requests.


def page(request: Request) -> Any:
    return {
        "/": Response("<h1>hello</h1>", content_type="text/html; charset=utf-8"),
        "/text": "just text",
        "/bytes": b"\x00\x01",
        "/none": None,
        "/made": Response("made", status=201, headers={"X-One": "1"}),
        "/body": request.body,
        "/wrong": {"a": "dictionary"},
        "/surrogate": "\ud800",
    }[request.path]


def test_what_on_request_returns_is_the_answer(serve: Serve, tls: bool, both: Any) -> None:
    async def page_async(request: Request) -> Any:
        await asyncio.sleep(0)
        return page(request)

    for handler in (page, page_async):
        client = serve(tls, on_request=handler).connect()
        reply = client.request("/")
        assert (reply.status, reply.text) == (200, "<h1>hello</h1>")
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert client.request("/text").text == "just text"
        assert client.request("/bytes").body == b"\x00\x01"
        assert client.request("/none").status == 404
        reply = client.request("/made")
        assert (reply.status, reply.headers["x-one"]) == (201, "1")
        assert client.request("/body", method="POST", body=b"b" * 100_000).body == b"b" * 100_000


def test_the_answer_to_head_has_no_body_and_tells_its_length(serve: Serve) -> None:
    client = serve(on_request=page).connect()
    reply = client.request("/text", method="HEAD")
    assert (reply.status, reply.headers["content-length"], reply.body) == (200, "9", b"")
    assert client.request("/text").text == "just text"


@pytest.mark.parametrize("path", ["/wrong", "/surrogate", "/unknown"])
def test_an_answer_that_cannot_be_sent_is_500_and_logged(
    serve: Serve, tls: bool, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def page_async(request: Request) -> Any:
        return page(request)

    for handler in (page, page_async):
        caplog.clear()
        client = serve(tls, on_request=handler).connect()
        reply = client.request(path)
        assert reply.status == 500
        assert "Internal Server Error" in reply.text
        client.assert_ended()
        assert "Traceback" in caplog.text


def test_a_header_that_was_broken_later_is_500(serve: Serve) -> None:
    def handler(request: Request) -> Response:
        response = Response("x")
        response.headers.append(("X-Bad", "a\r\nb"))
        return response

    assert serve(on_request=handler).connect().request().status == 500


def test_a_line_that_is_kept_alive_takes_a_websocket_in_the_end(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_request=page, on_message=echo).connect()
    for _ in range(3):
        assert client.request("/text").headers["connection"] == "keep-alive"
    client.open("/text")
    client.send("x")
    assert client.receive() == "x"


@pytest.mark.parametrize("is_async", [False, True])
def test_requests_sent_in_one_go_are_answered_in_order(
    serve: Serve, tls: bool, is_async: bool
) -> None:
    async def slow(request: Request) -> str:
        await asyncio.sleep(0.01 if request.path == "/0" else 0)
        return request.path

    def quick(request: Request) -> str:
        return request.path

    client = serve(tls, on_request=slow if is_async else quick, on_message=echo).connect()
    requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(8))
    client.send_bytes(requests + client.handshake_bytes() + encode("x"))
    assert [client.receive_reply().text for _ in range(8)] == [f"/{number}" for number in range(8)]
    assert client.receive_reply().status == 101
    assert client.receive() == "x"


def test_connection_close_is_heeded(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_request=page).connect()
    reply = client.request("/text", [("Connection", "close")])
    assert (reply.text, reply.headers["connection"]) == ("just text", "close")
    client.assert_ended()


def test_http_1_0_is_answered_and_ended(serve: Serve) -> None:
    client = serve(on_request=page).connect()
    client.send_bytes(b"GET /text HTTP/1.0\r\n\r\n")
    assert client.receive_reply().text == "just text"
    client.assert_ended()


def test_an_upgrade_to_http_2_is_ignored(serve: Serve) -> None:
    client = serve(on_request=page).connect()
    settings = ("HTTP2-Settings", "AAMAAABk")
    upgrade = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), settings]
    assert client.request("/text", upgrade).text == "just text"
    assert client.request("/text").text == "just text"


def test_a_client_that_ends_its_side_after_the_request_still_gets_the_answer(
    serve: Serve, tls: bool
) -> None:
    async def slow(request: Request) -> str:
        await asyncio.sleep(0.02)
        return "late"

    for handler, text in ((page, "just text"), (slow, "late")):
        client = serve(tls, on_request=handler).connect()
        client.send_bytes(b"GET /text HTTP/1.1\r\nHost: x\r\n\r\n")
        client.end_writing()
        assert client.receive_reply().text == text


def test_a_client_that_asks_whether_to_send_its_body_is_told_to(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_request=page).connect()
    client.send_bytes(
        b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    )
    assert client.receive_reply().status == 100
    client.send_bytes(b"body")
    assert client.receive_reply().body == b"body"


def test_a_line_that_idles_after_its_answer_is_closed_without_a_word(
    serve: Serve, tls: bool, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(tls, on_request=page, handshake_timeout=0.5)
    client = site.connect()
    assert client.request("/text").status == 200
    client.assert_ended()
    assert "no handshake" not in caplog.text


def test_a_client_that_asks_and_never_reads_does_not_fill_the_memory(
    serve: Serve, tls: bool
) -> None:
    big = Response(b"x" * 1_000_000)
    site = serve(tls, on_request=lambda request: big, max_send_buffer_size=2_000_000)
    client = site.connect(receive_buffer=4096)
    service = site.worker.service
    assert service is not None
    most = 0
    for _ in range(200):
        try:
            client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        except OSError:
            break  # the service has had enough
        unsent = site.call(
            lambda: [getattr(handler, "unsent", 0) for handler in service.poller.handlers()]
        )
        most = max(most, *unsent)
    assert 1_000_000 < most < 4_000_000


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
def test_a_long_answer_may_take_its_time_on_a_slow_line(
    serve: Serve, tls: bool, connection: str
) -> None:
    body = bytes(20_000_000)
    site = serve(tls, on_request=lambda request: body, handshake_timeout=5, close_timeout=5)
    client = site.connect(receive_buffer=65_536)
    client.send_bytes(f"GET / HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode())
    received = 0
    while received < len(body):
        data = client.receive_bytes()
        assert data, f"cut after {received} bytes"
        if (received + len(data)) // 2_000_000 != received // 2_000_000:
            site.advance_clock(3)
        received += len(data)


def test_a_long_answer_that_nobody_reads_is_given_up(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_request=lambda request: bytes(20_000_000), close_timeout=5)
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert client.receive_bytes()
    for _ in range(4):
        site.advance_clock(6)
    site.wait_until_empty()


def test_a_plain_request_without_on_request_is_426_with_one_line_of_text(
    serve: Serve, tls: bool
) -> None:
    client = serve(tls).connect()
    reply = client.request("/")
    assert reply.status == 426
    assert reply.headers["upgrade"] == "websocket"
    assert "Upgrade" in reply.headers["connection"]
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    client.assert_ended()


def test_a_broken_request_behind_a_good_one_does_not_cost_the_good_one(
    serve: Serve, tls: bool
) -> None:
    client = serve(tls, on_request=page).connect()
    client.send_bytes(b"GET /text HTTP/1.1\r\nHost: x\r\n\r\nrubbish\r\n\r\n")
    assert client.receive_reply().text == "just text"
    rest = client.receive_all()
    assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
