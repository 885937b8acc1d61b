"""Actions at a deadline, and slow readers: pings, silence, buffers that fill."""

from __future__ import annotations

import pytest

from kit.recorder import Ends, Recorder
from kit.site import Serve, echo
from kit.waiting import wait_until
from lineman import Connection
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.decoder import Close, Ping
from lineman.testing.client import RawClient, encode, encode_frame


def test_a_silent_client_is_pinged_and_dropped_if_it_stays_silent(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    site = serve(tls, ping_interval=10, ping_timeout=5, **ends.callbacks)
    client = site.open()
    site.advance_clock(9)
    site.advance_clock(2)
    assert client.receive() == Ping(b"")
    assert ends.closed.calls == []
    site.advance_clock(6)
    assert ends.closed.wait() == [(1006, "no answer to a ping within 5 s")]
    client.assert_ended()
    site.wait_until_empty()


def test_a_client_that_answers_pings_stays(serve: Serve, tls: bool, ends: Ends) -> None:
    site = serve(tls, ping_interval=10, ping_timeout=5, **ends.callbacks)
    client = site.open()
    for _ in range(3):
        site.advance_clock(11)
        assert client.receive() == Ping(b"")
        read = site.connection.bytes_read
        client.send_frame(frames.PONG)
        wait_until(lambda read=read: site.connection.bytes_read > read, "the pong is there")
    assert ends.closed.calls == []


def test_whatever_the_client_sends_shows_that_it_lives(serve: Serve, ends: Ends) -> None:
    site = serve(ping_interval=10, ping_timeout=5, **ends.callbacks)
    client = site.open()
    wire = encode("a long upload")
    for byte in wire:
        read = site.connection.bytes_read
        client.send_bytes(bytes([byte]))
        wait_until(lambda read=read: site.connection.bytes_read > read, "the byte is there")
        site.advance_clock(9)
    assert ends.closed.calls == []


def test_without_an_interval_nobody_is_pinged(serve: Serve, ends: Ends) -> None:
    site = serve(ping_interval=0, on_message=echo, **ends.callbacks)
    client = site.open()
    site.advance_clock(500)
    client.send("x")
    assert client.receive() == "x"


def test_a_connection_that_the_program_has_paused_is_not_taken_for_dead(
    serve: Serve, ends: Ends
) -> None:
    site = serve(ping_interval=10, ping_timeout=5, on_message=echo, **ends.callbacks)
    client = site.open()
    site.call(site.connection.pause_recv)
    site.advance_clock(100)
    assert ends.closed.calls == []
    site.call(site.connection.resume_recv)
    client.send("x")
    assert client.receive() == "x"


def test_what_one_dead_connection_leads_to_does_not_cut_others_short(
    serve: Serve, tls: bool
) -> None:
    closed = Recorder()

    def close_the_partner(connection: Connection, code: int, reason: str) -> None:
        closed(code)
        for other in list(connection.worker.connections.values()):
            other.close(code=4000)

    site = serve(
        tls, ping_interval=10, ping_timeout=5, close_timeout=60, on_close=close_the_partner
    )
    clients = [site.open() for _ in range(2)]
    site.advance_clock(11)
    site.advance_clock(6)
    closed.wait()
    left = [client for client in clients if _is_asked_to_close(client)]
    assert len(left) == 1
    assert closed.calls == [1006]
    left[0].send_close(4000)
    assert closed.wait(2) == [1006, 4000]


def _is_asked_to_close(client: RawClient) -> bool:
    try:
        return client.receive_close().code == 4000
    except EOFError:
        return False


# Slow readers.


def test_a_client_that_never_reads_is_closed_with_1013(
    serve: Serve, tls: bool, ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(tls, close_timeout=0.5, max_send_buffer_size=100_000, **ends.callbacks)
    site.open(receive_buffer=4096)
    connection = site.connection

    def fill() -> int:
        count = 0
        while connection.send(b"x" * 50_000):
            count += 1
            assert count < 1000
        return connection.unsent

    assert site.call(fill) < 300_000
    assert site.call(lambda: connection.state) == "closing"
    ((code, reason),) = ends.closed.wait()
    assert code == 1013
    assert "reads too slowly" in reason
    assert "reads too slowly" in caplog.text
    site.wait_until_empty()


def test_a_slow_reader_that_reads_on_gets_all_that_was_taken_and_then_1013(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    site = serve(tls, max_send_buffer_size=100_000, **ends.callbacks)
    client = site.open(receive_buffer=4096)
    connection = site.connection

    def fill() -> int:
        count = 0
        while connection.send(b"%06d" % count + b"x" * 50_000):
            count += 1
            assert count < 1000
        return count

    count = site.call(fill)
    for number in range(count):
        message = client.receive()
        assert isinstance(message, bytes)
        assert message.startswith(b"%06d" % number)
    event = client.receive()
    assert isinstance(event, Close)
    assert event.code == 1013
    client.send_close(1013)
    client.assert_ended()
    assert ends.closed.wait()[0][0] == 1013


def test_a_client_that_sends_pings_and_never_reads_does_not_fill_the_memory(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    site = serve(tls, close_timeout=0.5, max_send_buffer_size=100_000, **ends.callbacks)
    client = site.open(receive_buffer=4096)
    connection = site.connection
    pings = encode_frame(frames.PING, b"x" * 125) * 500
    most = 0
    for _ in range(400):  # 25 MB
        try:
            client.send_bytes(pings)
        except OSError:
            break
        most = max(most, site.call(lambda: connection.unsent))
    assert 0 < most < 2_000_000
    assert ends.closed.wait()[0][0] == 1013
