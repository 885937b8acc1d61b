"""Peers that break the websocket protocol get the right close code, and harm themselves alone."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, echo
from kit.waiting import wait_until
from lineman import Connection
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.decoder import Close, Event, Pong
from lineman.testing.client import encode, encode_frame

MASK = b"\x01\x02\x03\x04"


def close_frame(payload: bytes) -> bytes:
    return encode_frame(frames.CLOSE, payload)


BROKEN = {
    "unmasked text": (b"\x81\x01x", 1002),
    "unmasked ping": (b"\x89\x00", 1002),
    "unmasked close": (b"\x88\x02\x03\xe8", 1002),
    "RSV1": (encode_frame(frames.TEXT, b"x", reserved=0x40), 1002),
    "RSV2": (encode_frame(frames.BINARY, b"x", reserved=0x20), 1002),
    "RSV3": (encode_frame(frames.PING, b"x", reserved=0x10), 1002),
    **{
        f"opcode {opcode:X}": (encode_frame(opcode, b"x"), 1002)
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    },
    "fragmented ping": (encode_frame(frames.PING, b"x", fin=False), 1002),
    "fragmented close": (encode_frame(frames.CLOSE, b"\x03\xe8", fin=False), 1002),
    "ping of 126 bytes": (encode_frame(frames.PING, b"x" * 126), 1002),
    "pong of 70000 bytes": (encode_frame(frames.PONG, b"x" * 70_000), 1002),
    "close of 126 bytes": (close_frame(b"\x03\xe8" + b"x" * 124), 1002),
    "stray continuation": (encode_frame(frames.CONTINUATION, b"x"), 1002),
    "continuation after the end": (
        encode_frame(frames.TEXT, b"", fin=False)
        + encode_frame(frames.CONTINUATION, b"")
        + encode_frame(frames.CONTINUATION, b""),
        1002,
    ),
    "new message within a message": (
        encode_frame(frames.TEXT, b"x", fin=False) + encode_frame(frames.TEXT, b"x"),
        1002,
    ),
    "16-bit length of 125": (b"\x82\xfe\x00\x7d" + MASK + b"x" * 125, 1002),
    "64-bit length of 125": (b"\x82\xff" + (125).to_bytes(8, "big") + MASK, 1002),
    "64-bit length of 65535": (b"\x82\xff" + (65535).to_bytes(8, "big") + MASK, 1002),
    "length of 2**63": (b"\x82\xff" + (1 << 63).to_bytes(8, "big") + MASK, 1002),
    "length of 2**64-1": (b"\x82\xff" + b"\xff" * 8 + MASK, 1002),
    "length of 2**63-1": (b"\x82\xff" + ((1 << 63) - 1).to_bytes(8, "big") + MASK, 1009),
    "length of 2**62": (b"\x82\xff" + (1 << 62).to_bytes(8, "big") + MASK, 1009),
    "close with one byte": (close_frame(b"\x03"), 1002),
    **{
        f"close with code {code}": (close_frame(code.to_bytes(2, "big")), 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "close with a bad reason": (close_frame(b"\x03\xe8\xff"), 1007),
    "close with half a character": (close_frame(b"\x03\xe8" + "ü".encode()[:1]), 1007),
    "text that is not UTF-8": (encode_frame(frames.TEXT, b"x\xff"), 1007),
    "text that ends in a character": (encode_frame(frames.TEXT, "ü".encode()[:1]), 1007),
    "an encoded surrogate": (encode_frame(frames.TEXT, b"\xed\xa0\x80"), 1007),
    "an overlong slash": (encode_frame(frames.TEXT, b"\xc0\xaf"), 1007),
    "beyond the last character": (encode_frame(frames.TEXT, b"\xf4\x90\x80\x80"), 1007),
    "bad UTF-8 in the second fragment": (
        encode_frame(frames.TEXT, b"x", fin=False) + encode_frame(frames.CONTINUATION, b"\xff"),
        1007,
    ),
    "a character cut by the end of the message": (
        encode_frame(frames.TEXT, b"\xe4\xb8", fin=False) + encode_frame(frames.CONTINUATION),
        1007,
    ),
}


async def echo_async(connection: Connection, message: str) -> None:
    await asyncio.sleep(0)
    connection.send(message)


@pytest.mark.parametrize(("wire", "code"), BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_the_protocol_is_failed_with_its_code_after_what_came_before(
    serve: Serve, tls: bool, wire: bytes, code: int
) -> None:
    closed, errors = Recorder(), Recorder()
    for handler in (echo, echo_async):
        site = serve(
            tls,
            on_message=handler,
            on_close=lambda connection, code, reason: closed(code, reason),
            on_error=lambda connection, code, error: errors(code.name),
        )
        bystander, client = site.open(), site.open()
        client.send_bytes(
            encode("one") + encode_frame(frames.PING, b"p") + encode("two") + wire + encode("never")
        )
        received: list[Event] = []
        while not (received and isinstance(received[-1], Close)):
            received.append(client.receive())
        event = received[-1]
        assert isinstance(event, Close)
        assert event.code == code
        assert event.reason
        messages = [message for message in received if isinstance(message, str)]
        assert messages[:2] == ["one", "two"]
        assert "never" not in messages
        assert Pong(b"p") in received
        client.assert_ended()
        client.close()
        bystander.send("still here")
        assert bystander.receive() == "still here"
    assert [told for told, _ in closed.wait(2)] == [code, code]
    assert closed.calls[0][1] == event.reason
    assert errors.calls == ["PROTOCOL", "PROTOCOL"]


@pytest.mark.parametrize(
    "bad",
    [b"\xff", b"\xc0", b"\xe4\xb8x", b"\xed\xa0\x80", b"\xf4\x90", b"\xf0\x9f\x98\x00"],
    ids=lambda bad: bad.hex(),
)
def test_bad_utf_8_fails_while_its_frame_is_still_arriving_wherever_it_is_cut(
    serve: Serve, bad: bytes
) -> None:
    site = serve(on_message=echo)
    payload = "Grüße 世界 ".encode() + bad
    # The frame promises more than ever comes.
    header = b"\x81\xfe\x03\xe8" + MASK
    wire = header + frames.apply_mask(payload, MASK)
    for cut in range(1, len(wire)):
        client = site.open()
        client.send_bytes(wire[:cut])
        client.send_bytes(wire[cut:])
        assert client.receive_close().code == 1007
        client.close()


@pytest.mark.parametrize("size", [1 << 63, 1 << 62, (1 << 63) - 1])
def test_a_declared_length_allocates_nothing(serve: Serve, tls: bool, size: int) -> None:
    site = serve(tls)
    client = site.open()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    client.send_bytes(b"\x82\xff" + size.to_bytes(8, "big") + MASK + b"x" * 10)
    assert client.receive_close().code in (1002, 1009)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024  # KiB


def test_a_greatest_message_that_is_only_promised_allocates_nothing(serve: Serve) -> None:
    site = serve()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    header = b"\x82\xff" + (10 * 1024 * 1024).to_bytes(8, "big") + MASK
    for _ in range(20):
        site.open().send_bytes(header + b"x" * 10)
    wait_until(
        lambda: sum(c.bytes_read for c in list(site.worker.connections.values())) > 20 * 150,
        "all are read",
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


def test_a_broken_frame_waits_for_a_slow_handler_but_not_for_ever(serve: Serve, tls: bool) -> None:
    proceed = asyncio.Event()
    sent = Recorder()

    async def handler(connection: Connection, message: str) -> None:
        await proceed.wait()
        sent(connection.send("too late"))

    site = serve(tls, on_message=handler, close_timeout=0.5)
    client = site.open()
    client.send_bytes(encode("x") + b"\xff\xff")
    assert client.receive_close().code == 1002
    client.assert_ended()
    site.call(proceed.set)
    assert sent.wait() == [False]


def test_garbage_in_answer_to_our_close_frame_ends_the_connection(serve: Serve, tls: bool) -> None:
    closed = Recorder()
    site = serve(tls, on_close=lambda connection, code, reason: closed(code, reason))
    client = site.open()
    site.call(site.connection.close, None, 4000, "enough")
    assert client.receive() == Close(4000, "enough")
    client.send_bytes(b"\xff\xff\xff")
    client.assert_ended()
    client.close()
    assert closed.wait() == [(4000, "enough")]


def test_a_peer_that_goes_on_sending_after_its_broken_frame_still_gets_the_close_frame(
    serve: Serve, tls: bool
) -> None:
    site = serve(tls, on_message=echo)
    client = site.open()
    client.send_bytes(b"\xff" * 200)
    try:
        for _ in range(50):
            client.send_bytes(b"x" * 65_536)
    except OSError as error:
        pytest.fail(f"the connection was reset before the close frame could be read: {error}")
    assert client.receive_close().code == 1002


def test_the_log_names_who_broke_the_protocol_and_how(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve()
    client = site.open()
    client.send_bytes(b"\xff\xff")
    client.receive_close()
    assert f"127.0.0.1:{client.address[1]}" in caplog.text
    assert "reserved bits" in caplog.text


def test_protocol_errors_do_not_fill_the_log(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve()
    for _ in range(30):
        client: Any = site.open()
        client.send_bytes(b"\xff\xff")
        client.receive_close()
        client.close()
    assert caplog.text.count("closed with") == 10
