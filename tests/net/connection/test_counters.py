"""What a service counts of its connections, on real sockets."""

from __future__ import annotations

import pytest

from kit.recorder import Ends
from kit.site import Serve, Site, echo
from kit.waiting import wait_until
from lineman.net.connection.counters import Tally
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.decoder import Ping


def tally_of(site: Site) -> Tally:
    assert site.worker.service is not None
    return site.worker.service.tally


def carried(site: Site) -> tuple[int, int, int, int]:
    return site.call(lambda: tally_of(site).carried(site.worker.connections.values()))


def test_the_sums_are_the_same_before_and_after_a_connection_ends(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=echo)
    first, second = site.open(), site.open()
    for client in (first, second):
        client.send("hello")
        assert client.receive() == "hello"
    before = carried(site)
    assert before[:2] == (2, 2)
    first.reset()
    wait_until(lambda: len(site.worker.connections) == 1, "one has ended")
    assert carried(site) == before
    second.reset()
    site.wait_until_empty()
    assert carried(site) == before
    assert tally_of(site).ended == 2


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("client closes", "client"),
        ("client vanishes", "lost"),
        ("client breaks a rule", "protocol_error"),
        ("client sends too much", "message_too_big"),
        ("client sends no UTF-8", "invalid_data"),
        ("program closes", "program"),
        ("program destroys", "destroyed"),
        ("callback raises", "callback_failed"),
        ("silence", "ping_timeout"),
    ],
)
def test_every_end_of_an_open_connection_has_its_cause(
    serve: Serve, ends: Ends, how: str, cause: str
) -> None:
    def fail(connection: object, message: object) -> None:
        raise RuntimeError("no such room")

    limits = {"ping_interval": 10, "ping_timeout": 5, "max_message_size": 100}
    site = serve(on_message=fail, **limits, **ends.callbacks)
    tally = tally_of(site)
    client = site.open()
    ends.connected.wait()
    connection = site.connection
    match how:
        case "client closes":
            client.send_close(1000)
        case "client vanishes":
            client.close()
        case "client breaks a rule":
            client.send_frame(frames.PING, b"x" * 126)
        case "client sends too much":
            client.send("x" * 101)
        case "client sends no UTF-8":
            client.send_frame(frames.TEXT, b"\xff")
        case "program closes":
            site.call(connection.close)
        case "program destroys":
            site.call(connection.destroy)
        case "callback raises":
            client.send("hello")
        case "silence":
            site.advance_clock(11)
            site.advance_clock(6)
    client.close()
    ends.closed.wait()
    assert dict(tally.closes) == {cause: 1}


def test_a_stopping_service_is_a_cause(serve: Serve, ends: Ends) -> None:
    site = serve(**ends.callbacks)
    tally = tally_of(site)
    client = site.open()
    ends.connected.wait()
    site.call(site.connection.say_goodbye, 1001, "the service is stopping")
    client.receive_close()
    client.close()
    ends.closed.wait()
    assert dict(tally.closes) == {"service_stopping": 1}


def test_handshakes_that_fail_are_counted_by_cause_and_refusals_by_status(serve: Serve) -> None:
    site = serve(True)
    tally = tally_of(site)
    site.plain().close()
    wait_until(lambda: tally.ended == 1, "it has left")
    assert dict(tally.failures) == {"lost": 1}
    stranger = site.plain()
    stranger.send_bytes(b"GET / HTTP/1.1\r\n\r\n")
    assert b" 400 " in stranger.receive_all()
    stranger.close()
    wait_until(lambda: tally.ended == 2, "it has left")
    garbage = site.plain()
    garbage.send_bytes(b"\x16\x03\x01\x00\x05hello")
    garbage.receive_all()
    garbage.close()
    wait_until(lambda: tally.ended == 3, "it has left")
    silent = site.plain()
    wait_until(lambda: site.worker.service.accepted == 4, "it is there")  # type: ignore[union-attr]
    site.advance_clock(11)
    silent.assert_ended()
    assert dict(tally.failures) == {"lost": 1, "tls": 1, "timeout": 1}
    assert dict(tally.refusals) == {400: 1}
    assert not tally.closes


def test_a_refusal_by_the_program_is_counted_and_a_page_is_none(serve: Serve) -> None:
    site = serve(
        on_websocket_connect=lambda connection: connection.reject(401, "who are you?"),
        on_request=lambda request: "hello",
    )
    tally = tally_of(site)
    assert site.connect().handshake().status == 401
    page = site.connect()
    assert page.request().status == 200
    page.close()
    site.close_clients()
    wait_until(lambda: tally.ended == 2, "both have ended")
    assert dict(tally.refusals) == {401: 1}
    assert tally.closes.total() == 0


def test_answers_to_our_pings_do_not_make_a_client_busy(serve: Serve, ends: Ends) -> None:
    site = serve(ping_interval=10, ping_timeout=8, on_message=echo, **ends.callbacks)
    client = site.open()
    ends.connected.wait()
    for seconds in (11, 22):
        site.advance_clock(11)
        assert client.receive() == Ping(b"")
        read = site.connection.bytes_read
        client.send_frame(frames.PONG)
        wait_until(lambda read=read: site.connection.bytes_read > read, "the pong is there")
        assert site.connection.idle >= seconds
    client.send("hello")
    assert client.receive() == "hello"
    assert site.connection.idle < 5
    site.advance_clock(11)
    assert site.connection.idle >= 11


def test_a_connection_tells_since_when_and_over_what(serve: Serve, tls: bool) -> None:
    site = serve(tls)
    site.open()
    connection = site.connection
    assert connection.opened_at > 1e9
    assert site.call(lambda: connection.tls_cipher) == ("TLS_AES_256_GCM_SHA384" if tls else None)
