"""Requests that an application answers."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from kit.asgi_apps import Told, body, hello, start
from kit.site import Serve
from kit.waiting import wait_until
from lineman.errors import ClientGoneError

TEXT = (b"content-type", b"text/plain")


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_an_application_answers_requests_on_one_connection(serve_app: Serve, tls: bool) -> None:
    app = Told(hello)
    client = serve_app(app, tls).connect()
    for _ in range(2):
        reply = client.request("/caf%C3%A9?a=1")
        assert (reply.status, reply.text) == (200, "hello")
        assert ("content-length", "5") in [(n.lower(), v) for n, v in reply.headers.items()]
    assert "date" in [name.lower() for name, _ in reply.headers.items()]
    scope = app.scopes[0]
    assert scope["path"] == "/café"
    assert scope["raw_path"] == b"/caf%C3%A9"
    assert scope["query_string"] == b"a=1"
    assert scope["scheme"] == ("https" if tls else "http")
    assert scope["http_version"] == "1.1"
    assert scope["client"][0] == "127.0.0.1"
    assert ("tls" in scope["extensions"]) == tls


def test_a_body_is_handed_on_as_it_comes(serve_app: Serve) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(start(200))
        await send(body(b"first", more=True))
        while (await receive())["more_body"]:
            pass
        await send(body(b"rest"))

    app = Told(steps)
    client = serve_app(app).connect()
    client.send_bytes(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    )
    wait_until(lambda: app.received, "the first piece")
    assert app.received[0]["body"] == b"abc"
    client.send_bytes(b"3\r\ndef\r\n0\r\n\r\n")
    data = client.receive_all()  # a body was open when its head was sent: nothing follows
    assert b"Connection: close" in data
    assert b"5\r\nfirst\r\n4\r\nrest\r\n0\r\n\r\n" in data
    assert b"".join(each["body"] for each in app.received) == b"abcdef"


def test_a_body_that_nobody_takes_is_not_read_without_end(serve_app: Serve) -> None:
    release = asyncio.Event()

    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await release.wait()
        size, more = 0, True
        while more:
            message = await receive()
            size += len(message["body"])
            more = message["more_body"]
        await send(start())
        await send(body(b"%d" % size))

    site = serve_app(Told(steps))
    client = site.connect()
    size = 3_000_000
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    client.send_bytes(head % size + bytes(400_000))
    service = site.worker.service
    assert service is not None

    def paused() -> bool:
        return any(getattr(each, "is_paused", False) for each in service.poller.handlers())

    wait_until(lambda: site.call(paused), "the client is read no more")
    (connection,) = (each for each in site.call(service.poller.handlers) if hasattr(each, "peer"))
    assert connection.bytes_read < 400_000
    site.call(release.set)
    client.send_bytes(bytes(size - 400_000))
    assert client.receive_reply().text == str(size)


def test_a_client_that_waits_is_told_to_send_its_body_when_it_is_asked_for(
    serve_app: Serve,
) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/no":
            await send(start(413))
            await send(body())
            return
        data = (await receive())["body"]
        await send(start())
        await send(body(data))

    site = serve_app(Told(steps))
    head = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    client = site.connect()
    client.send_bytes(head % b"/yes")
    assert client.receive_bytes() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send_bytes(b"ok")
    assert client.receive_reply().text == "ok"
    client.send_bytes(head % b"/no")
    assert client.receive_reply().status == 413
    client.assert_ended()


def test_pipelined_requests_are_answered_in_order(serve_app: Serve) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.02 if scope["path"] == "/1" else 0)
        data = (await receive())["body"]
        await send(start())
        await send(body(scope["path"].encode() + data))

    client = serve_app(Told(steps)).connect()
    post = b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    client.send_bytes(post + b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n" + post)
    assert [client.receive_reply().text for _ in range(3)] == ["/1abc", "/2", "/1abc"]


def test_a_call_may_go_on_after_its_answer_while_the_next_request_is_answered(
    serve_app: Serve,
) -> None:
    release = asyncio.Event()
    done = []

    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        if scope["path"] == "/slow":
            await release.wait()
            assert (await receive())["type"] == "http.disconnect"
            done.append(scope["path"])

    site = serve_app(Told(steps))
    client = site.connect()
    assert client.request("/slow").text == "hello"
    assert client.request("/next").text == "hello"
    site.call(release.set)
    wait_until(lambda: done, "the first call has ended")


def test_a_client_that_leaves_is_told_and_sending_to_it_raises(serve_app: Serve) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        while (await receive())["type"] != "http.disconnect":
            pass
        await send(start())
        while True:
            await send(body(b"x" * 65536, more=True))

    app = Told(steps)
    site = serve_app(app)
    client = site.connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: app.received, "it is at work")
    client.reset()
    error = app.wait_for_end()
    assert isinstance(error, ClientGoneError)
    assert isinstance(error, OSError)
    site.wait_until_empty()


def test_a_client_that_reads_nothing_holds_send_up(serve_app: Serve) -> None:
    sent = []

    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        for number in range(400):
            await send(body(bytes(65536), more=True))
            sent.append(number)
        await send(body())

    app = Told(steps)
    site = serve_app(app)
    client = site.connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: sent, "it has begun")
    bystander = site.connect()
    bystander.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    while b"0\r\n\r\n" not in bystander.receive_bytes()[-5:]:
        pass
    assert len(sent) < 790  # the other one waits


def test_trailers_go_to_those_who_take_them(serve_app: Serve) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await send(start(200, (b"trailer", b"sum"), trailers=True))
        await send(body(b"data"))
        trailers = {"type": "http.response.trailers", "headers": [(b"sum", b"7")]}
        await send({**trailers, "more_trailers": True})
        await send(trailers)

    site = serve_app(Told(steps))
    for more, shown in (
        (b"TE: trailers\r\n", b"0\r\nsum: 7\r\nsum: 7\r\n\r\n"),
        (b"", b"0\r\n\r\n"),
    ):
        client = site.connect()
        client.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n" + more + b"Connection: close\r\n\r\n")
        assert client.receive_all().endswith(b"4\r\ndata\r\n" + shown)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_head_request_gets_no_body(serve_app: Serve, version: str) -> None:
    client = serve_app(Told(hello)).connect()
    client.send_bytes(f"HEAD / HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    head, _, rest = client.receive_all().partition(b"\r\n\r\n")
    assert b"Content-Length: 5" in head
    assert rest == b""


async def _nothing(scope: Any, receive: Any, send: Any) -> None: ...


async def _only_start(scope: Any, receive: Any, send: Any) -> None:
    await send(start())


async def _raises(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("broken")


async def _exits(scope: Any, receive: Any, send: Any) -> None:
    raise SystemExit(3)


async def _body_first(scope: Any, receive: Any, send: Any) -> None:
    await send(body(b"x"))


async def _two_starts(scope: Any, receive: Any, send: Any) -> None:
    await send(start())
    await send(start())


async def _wrong_header(scope: Any, receive: Any, send: Any) -> None:
    await send(start(200, (b"x", b"a\r\nset-cookie: b")))


async def _text_body(scope: Any, receive: Any, send: Any) -> None:
    await send(start())
    await send({"type": "http.response.body", "body": "text"})


async def _unknown(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})


async def _no_message(scope: Any, receive: Any, send: Any) -> None:
    await send("hello")


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (_nothing, "without an answer; ASGI wants 'http.response.start'"),
        (_only_start, "must be followed by 'http.response.body'"),
        (_raises, "ValueError: broken"),
        (_exits, "SystemExit: 3"),
        (_body_first, "before 'http.response.start'"),
        (_two_starts, "ASGI allows there: 'http.response.body'"),
        (_wrong_header, "would begin a header of its own"),
        (_text_body, "is str; ASGI wants bytes"),
        (_unknown, "ASGI allows there: 'http.response.start'"),
        (_no_message, "an ASGI message is a dictionary"),
    ],
)
def test_an_application_that_fails_before_its_answer_costs_its_client_a_500(
    serve_app: Serve, steps: Any, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await (hello if scope["path"] == "/ok" else steps)(scope, receive, send)

    site = serve_app(Told(app))
    bystander = site.connect()
    assert bystander.request("/ok").text == "hello"
    reply = site.connect().request("/bad")
    assert reply.status == 500
    wait_until(lambda: told in caplog.text, told)
    assert "/bad" in caplog.text
    assert bystander.request("/ok").text == "hello"
    assert site.worker.service is not None
    assert site.worker.service.exceptions == 1


async def _breaks_off(scope: Any, receive: Any, send: Any) -> None:
    await send(start())
    await send(body(b"part", more=True))
    raise ValueError("later")


async def _returns_early(scope: Any, receive: Any, send: Any) -> None:
    await send(start(200, (b"content-length", b"9")))
    await send(body(b"part", more=True))


async def _too_short(scope: Any, receive: Any, send: Any) -> None:
    await send(start(200, (b"content-length", b"9")))
    await send(body(b"part", more=True))
    await send(body())


async def _too_long(scope: Any, receive: Any, send: Any) -> None:
    await send(start(200, (b"content-length", b"5")))
    await send(body(b"part", more=True))
    await send(body(b"more"))


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (_breaks_off, "in the middle of its answer"),
        (_returns_early, "the last 'http.response.body' has no 'more_body'"),
        (_too_short, "5 bytes before its content-length"),
        (_too_long, "more of a body than its content-length says"),
    ],
)
def test_an_answer_that_breaks_off_never_looks_whole(
    serve_app: Serve, steps: Any, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve_app(Told(steps)).connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    data = client.receive_all()
    assert b"part" in data
    assert not data.endswith(b"0\r\n\r\n")
    wait_until(lambda: told in caplog.text, told)


def test_a_second_answer_is_told_and_harms_nothing(
    serve_app: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        await hello(scope, receive, send)

    client = serve_app(Told(steps)).connect()
    assert client.request("/").text == "hello"
    assert client.request("/").text == "hello"
    wait_until(lambda: "after the answer was whole" in caplog.text, "it is told")


def test_an_application_that_does_not_answer_is_named(
    serve_app: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    app = Told(steps)
    site = serve_app(app)
    client = site.connect()
    client.send_bytes(b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: app.scopes, "it is called")
    site.advance_clock(70)
    assert "GET /stuck) has sent no 'http.response.start' for" in caplog.text
    client.reset()


def test_a_client_that_stops_in_its_body_is_given_up(serve_app: Serve) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    app = Told(steps)
    site = serve_app(app, unfinished_timeout=5)
    client = site.connect()
    client.send_bytes(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
    wait_until(lambda: app.received, "its first bytes")
    site.advance_clock(20)
    assert app.wait_for_end() is None
    assert app.types[-1] == "http.disconnect"


def test_an_application_that_never_waits_lets_others_have_their_turn(serve_app: Serve) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        while scope["path"] == "/flood":
            await send(body(b"", more=True))
        await send(body(b"calm"))

    site = serve_app(Told(steps))
    flood = site.connect()
    flood.send_bytes(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
    assert site.connect().request("/calm").text == "calm"
    flood.reset()


def test_a_malformed_body_ends_the_call(serve_app: Serve) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    app = Told(steps)
    client = serve_app(app).connect()
    client.send_bytes(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    )
    wait_until(lambda: app.received, "its first bytes")
    client.send_bytes(b"zz\r\n")
    assert client.receive_reply().status == 400
    assert app.wait_for_end() is None


def test_a_request_whose_body_is_malformed_from_the_start_calls_nobody(serve_app: Serve) -> None:
    app = Told(hello)
    site = serve_app(app)
    bad = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\na\r\n0\r\n\r\n"
    for before, status in ((b"", 400), (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200)):
        client = site.connect()
        client.send_bytes(before + bad)
        assert client.receive_reply().status == status
        with pytest.raises(EOFError):  # behind a good request it is not answered
            client.receive_reply()
    assert [scope["method"] for scope in app.scopes] == ["GET"]


def test_a_stop_ends_calls_without_an_error(
    serve_app: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    app = Told(steps)
    site = serve_app(app)
    client = site.connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: app.scopes, "it is called")
    site.run(site.worker.stop(0.2))
    assert app.ends
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]
