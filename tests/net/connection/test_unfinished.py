"""Messages that begin and do not end: their total memory, and how slow they may be."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Site, compressing, echo, still_serves
from kit.waiting import wait_until
from lineman.errors import ConfigError
from lineman.net.connection.limits import MIB, Limits
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.decoder import Close
from lineman.testing.client import RawClient

Serve = Callable[..., Site]


def bomb(size: int) -> bytes:
    """The first part of a compressed message that inflates to this many bytes."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(bytes(size)) + stream.flush(zlib.Z_SYNC_FLUSH)


def begin(client: RawClient, payload: bytes, *, is_compressed: bool = False) -> None:
    """Sends the first fragment of a message."""
    reserved = frames.RSV1 if is_compressed else 0
    client.send_frame(frames.BINARY, payload, fin=False, reserved=reserved)


def go_on(client: RawClient, payload: bytes, *, is_last: bool = False) -> None:
    """Sends a further fragment."""
    client.send_frame(frames.CONTINUATION, payload, fin=is_last)


def unfinished(site: Site) -> Any:
    service = site.worker.service
    assert service is not None
    return service.unfinished


def hits(site: Site) -> dict[str, int]:
    service = site.worker.service
    assert service is not None
    return dict(service.tally.hits)


def test_a_flood_of_messages_that_never_end_holds_no_more_than_may_be(serve: Serve) -> None:
    site = serve(on_message=echo, max_unfinished_size=40 * MIB)
    bystander = site.open()
    payload = bomb(9 * MIB)
    clients = [compressing(site) for _ in range(12)]
    for client in clients:
        begin(client, payload, is_compressed=True)
        still_serves(bystander)
        assert site.call(lambda: unfinished(site).size) <= 40 * MIB
    # They are inflated bit by bit, in turns that leave room for others.
    wait_until(lambda: hits(site).get("max_unfinished_size", 0) >= 8, "most are given up")
    wait_until(
        lambda: len(site.worker.connections) == 13 - hits(site)["max_unfinished_size"],
        "they are gone",
    )
    gone = hits(site)["max_unfinished_size"]
    assert unfinished(site).size >= 9 * MIB  # those that still may go on do
    service = site.worker.service
    assert service is not None
    wait_until(lambda: service.tally.closes["overload"] == gone, "they are counted")


def test_the_largest_goes_first_and_is_told_why(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Recorder()
    site = serve(
        on_message=echo, on_error=broken, max_message_size=2 * MIB, max_unfinished_size=4 * MIB
    )
    small, large = site.open(), site.open()
    begin(small, bytes(MIB))
    begin(large, bytes(1536 * 1024))
    wait_until(lambda: len(unfinished(site)) == 2, "both have begun")
    others = [site.open() for _ in range(4)]
    for client in others:
        begin(client, bytes(512 * 1024))
    close = large.receive_close()
    assert close.code == 1013
    assert "max_unfinished_size" in close.reason
    assert "the largest is given up" in caplog.text
    assert broken.wait()[0][1].name == "PROTOCOL"
    go_on(small, b"end", is_last=True)
    assert small.receive_message() == bytes(MIB) + b"end"


def test_what_a_message_held_is_free_again_when_it_is_whole_or_its_client_gone(
    serve: Serve, tls: bool
) -> None:
    site = serve(tls, on_message=echo)
    client, other = site.open(), site.open()
    begin(client, bytes(100_000))
    begin(other, bytes(50_000))
    wait_until(lambda: len(unfinished(site)) == 2, "both have begun")
    assert 150_000 <= unfinished(site).size <= 400_000
    go_on(client, b"x", is_last=True)
    assert len(client.receive_message()) == 100_001
    other.close()
    wait_until(lambda: not len(unfinished(site)), "none is left")
    assert unfinished(site).size == 0


def test_a_message_that_does_not_go_on_ends_its_client_who_answers_every_ping(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(on_message=echo, unfinished_timeout=5.0, ping_interval=0)
    bystander, client = site.open(), site.open()
    begin(client, b"never")
    wait_until(lambda: len(unfinished(site)) == 1, "it has begun")
    for _ in range(4):
        site.advance_clock(2)
        client.ping(b"alive")
        event = client.receive()
        if isinstance(event, Close):
            break
    assert isinstance(event, Close)
    assert event.code == 1008
    assert "did not go on within 5 s (unfinished_timeout)" in event.reason
    assert hits(site) == {"unfinished_timeout": 1}
    assert "did not go on" in caplog.text
    still_serves(bystander)


def test_an_upload_of_hours_goes_on_however_slowly(serve: Serve) -> None:
    site = serve(on_message=echo, ping_interval=0)
    client = site.open()
    begin(client, b"")
    for _ in range(180):
        go_on(client, bytes(300))
        client.ping(b"here")
        assert client.receive_pong() == b"here"
        site.advance_clock(59)
    go_on(client, b"end", is_last=True)
    assert client.receive_message() == bytes(300 * 180) + b"end"
    assert not hits(site)


def test_time_in_which_the_program_does_not_read_does_not_count(serve: Serve) -> None:
    site = serve(on_message=echo, unfinished_timeout=5.0, ping_interval=0)
    client = site.open()
    begin(client, b"a")
    wait_until(lambda: len(unfinished(site)) == 1, "it has begun")
    site.call(site.connection.pause_recv)
    site.advance_clock(60)
    site.call(site.connection.resume_recv)
    go_on(client, b"b", is_last=True)
    assert client.receive_message() == b"ab"


def test_one_short_message_after_the_other_is_no_message_that_stands_still(serve: Serve) -> None:
    site = serve(on_message=echo, unfinished_timeout=5.0, ping_interval=0)
    client = site.open()
    begin(client, bytes(200))
    for _ in range(10):
        site.advance_clock(1)
        go_on(client, b"", is_last=True)
        begin(client, bytes(200))
        assert client.receive_message() == bytes(200)
    wait_until(lambda: len(unfinished(site)) == 1, "the last has begun")


def test_bodies_of_plain_requests_count_as_well(serve: Serve) -> None:
    site = serve(
        on_request=lambda request: str(len(request.body)),
        max_message_size=2 * MIB,
        max_unfinished_size=4 * MIB,
    )
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n"
    clients = [site.connect() for _ in range(4)]
    for client in clients:
        client.send_bytes(head + bytes(1_500_000))
    wait_until(lambda: hits(site).get("max_unfinished_size"), "one is refused")
    whole = site.connect()
    whole.send_bytes(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    assert whole.receive_reply().text == "3"
    wait_until(lambda: len(unfinished(site)) <= 3, "one is refused")
    assert unfinished(site).size <= 4 * MIB


@pytest.mark.parametrize(
    ("options", "bound"),
    [
        ({}, 128 * MIB),
        ({"max_message_size": 100 * MIB}, 400 * MIB),
        ({"max_unfinished_size": 20 * MIB}, 20 * MIB),
    ],
)
def test_there_is_a_bound_by_default_and_it_has_room_for_a_message(
    options: dict[str, int], bound: int
) -> None:
    assert Limits(**options).unfinished_size == bound  # type: ignore[arg-type]


def test_a_bound_below_two_messages_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"max_unfinished_size is 10485760.*max_message_size"):
        Limits(max_unfinished_size=10 * MIB)
