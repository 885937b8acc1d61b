"""Streams of events as open connections: sent to one, and to all."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from kit.recorder import Ends, Recorder
from kit.site import Serve, Site
from kit.waiting import wait_until
from lineman import Connection, EventStream, Request, ServerSentEvent, UsageError
from lineman.testing.client import RawClient

ASK = b"GET /events?room=7 HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD_END = b"\r\n\r\n"


def stream(request: Request) -> EventStream:
    return EventStream()


async def stream_later(request: Request) -> EventStream:
    await asyncio.sleep(0)
    return EventStream([("X-One", "1")])


def ask(site: Site, request: bytes = ASK) -> tuple[RawClient, bytes]:
    """A client whose stream is open, and the head that it got."""
    before = len(site.worker.connections)
    client = site.connect()
    client.send_bytes(request)
    head = b""
    while HEAD_END not in head:
        head += client.receive_bytes()
    wait_until(lambda: len(site.worker.connections) > before, "it is open")
    assert head.endswith(HEAD_END)
    return client, head


def receive(client: RawClient, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = client.receive_bytes()
        assert more
        data += more
    return data


@pytest.mark.parametrize("handler", [stream, stream_later])
@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_a_program_sends_events_to_an_open_connection(
    serve: Serve, tls: bool, handler: Any, scheme: str
) -> None:
    opened = Recorder()
    scheme = {"ws": "ws", "http": "https" if tls else "http"}[scheme]
    site = serve(tls, scheme, on_request=handler, on_connect=opened)
    client, head = ask(site)
    assert b"Content-Type: text/event-stream; charset=utf-8\r\n" in head
    assert b"Transfer-Encoding: chunked\r\n" in head
    assert b"Connection: close\r\n" in head
    assert b"X-Accel-Buffering: no\r\n" in head
    assert (b"X-One: 1" in head) is (handler is stream_later)
    (connection,) = opened.wait(1)
    assert connection.protocol == "sse"
    assert connection.request.query == {"room": "7"}
    assert site.call(connection.send, "hello")
    assert site.call(connection.send, ServerSentEvent("x", event="e", id=3))
    first, second = b"data: hello\n\n", b"event: e\nid: 3\ndata: x\n\n"
    wire = b"%x\r\n%b\r\n%x\r\n%b\r\n" % (len(first), first, len(second), second)
    assert receive(client, len(wire)) == wire
    with pytest.raises(UsageError, match="ServerSentEvent or a str"):
        site.call(connection.send, b"bytes")


def test_a_broadcast_reaches_streams_and_websockets(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_request=stream)
    clients = [ask(site)[0] for _ in range(3)]
    old, _ = ask(site, ASK.replace(b"1.1", b"1.0"))
    websocket = site.open()
    wait_until(lambda: len(site.worker.connections) == 5, "all are open")
    assert site.call(site.worker.broadcast, "news") == 5
    for client in clients:
        assert receive(client, 17) == b"c\r\ndata: news\n\n\r\n"
    assert receive(old, 12) == b"data: news\n\n"
    assert websocket.receive() == "news"
    assert site.call(site.worker.broadcast, ServerSentEvent("x", event="e")) == 4  # no websocket
    assert receive(old, 18) == b"event: e\ndata: x\n\n"


def test_the_end_of_either_side_is_told_once(serve: Serve, tls: bool, ends: Ends) -> None:
    site = serve(tls, on_request=stream, **ends.callbacks)
    client, _ = ask(site)
    client.end_writing()
    ends.closed.wait(1)
    client.close()
    site.wait_until_empty()
    client, _ = ask(site)
    connection = site.connection
    site.call(connection.close)
    assert client.receive_all() == b"0\r\n\r\n"
    client.close()
    assert ends.closed.wait(2) == [(1001, "the client left"), (1000, "normal closure")]
    assert site.call(connection.send, ServerSentEvent("late")) is False


def test_a_client_that_does_not_read_meets_the_policy_of_slow_readers(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    site = serve(tls, on_request=stream, max_send_buffer_size=100_000, **ends.callbacks)
    client = site.connect(receive_buffer=4096)
    client.send_bytes(ASK)
    wait_until(lambda: len(site.worker.connections) == 1, "it is open")
    connection: Connection = site.connection
    for _ in range(1000):
        if not site.call(connection.send, "x" * 50_000):
            break
    assert connection.close_code == 1013


def test_limits_are_those_of_open_connections(serve: Serve) -> None:
    site = serve(on_request=stream, max_connections=1)
    ask(site)
    assert site.connect().request("/").status == 503


def test_head_opens_no_stream(serve: Serve) -> None:
    reply = serve(on_request=stream).connect().request("/", method="HEAD")
    assert (reply.status, reply.headers["content-type"]) == (
        200, "text/event-stream; charset=utf-8"
    )  # fmt: skip


def test_what_comes_behind_the_request_is_no_request(serve: Serve, tls: bool) -> None:
    asked = Recorder()

    def note(request: Request) -> EventStream:
        asked(request.path)
        return EventStream()

    site = serve(tls, on_request=note)
    client = site.connect()
    client.send_bytes(ASK + b"GET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: len(site.worker.connections) == 1, "it is open")
    client.send_bytes(b"GET /3 HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
    site.call(site.connection.send, "on")
    data = b""
    while b"data: on" not in data:
        data += client.receive_bytes()
    assert data.count(b"HTTP/1.1 200") == 1
    assert asked.calls == ["/events"]


def test_a_comment_shows_proxies_that_the_stream_goes_on(serve: Serve) -> None:
    site = serve(on_request=stream, ping_interval=25)
    client, _ = ask(site)
    site.advance_clock(60)
    assert receive(client, 8)[:8] == b"3\r\n:\n\n\r\n"


def test_a_service_that_stops_ends_the_streams(serve: Serve, tls: bool, ends: Ends) -> None:
    site = serve(tls, on_request=stream, **ends.callbacks)
    client, _ = ask(site)
    stopping = threading.Thread(target=site.stop)
    stopping.start()
    assert client.receive_all() == b"0\r\n\r\n"
    client.close()
    stopping.join()
    assert ends.closed.calls == [(1001, "the service is stopping")]


def test_a_gateway_opens_none(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    site = serve(on_request=stream)
    site.worker.callbacks.takes_event_streams = False  # as a Gateway has it
    assert site.connect().request("/").status == 500
    assert "yield ServerSentEvents" in caplog.text
