"""Clients that connect and leave, in a separate process.

    python visitors.py ws|wss PORT KIND COUNT

They only make the load: a test counts what is left of them in the service.
"""

from __future__ import annotations

import contextlib
import ssl
import sys
import zlib
from collections.abc import Callable
from functools import partial

from lineman.protocols.websocket import frames, handshake
from lineman.testing.client import RawClient

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
DEFLATE = "permessage-deflate"
STRICT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody

Connect = Callable[[], RawClient]


def rude(connect: Connect, number: int) -> None:
    """Sends a message and leaves in the middle of the next, with a reset or without."""
    client = connect().open()
    client.send("x" * (number % 300))
    client.receive_message()
    frame = frames.encode_masked(frames.BINARY, bytes(40_000), b"abcd")
    if number % 3:
        client.send_frame(frames.TEXT, b"y" * 3000, fin=False)
    client.send_bytes(frame[: 10_000 + number % 20_000])
    client.close() if number % 2 else client.reset()


def refused(connect: Connect, number: int) -> None:
    """Is refused: by a callback, for a wrong version, for bytes that are not HTTP, a long head."""
    client = connect()
    if number % 4 == 0:
        assert client.handshake("/refused").status == 403
    elif number % 4 == 1:
        assert client.request("/", [("Upgrade", "websocket")]).status == 426
    elif number % 4 == 2:
        client.send_bytes(b"\x00\xff no HTTP at all\r\n\r\n")
        assert client.receive_reply().status == 400
    else:
        client.send_bytes(b"GET / HTTP/1.1\r\nHost: half of a he")
    client.close() if number % 8 < 4 else client.reset()


def hello(connect: Connect, number: int) -> None:
    """Begins TLS and stops: after half a ClientHello, after a whole one, or with noise."""
    client = connect()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = STRICT.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    first = outgoing.read()
    if number % 3 == 0:
        client.send_bytes(first[: len(first) // 2])
    else:
        client.send_bytes(first)
        incoming.write(client.receive_bytes())
        if number % 3 == 1:
            client.send_bytes(b"\x16\x03\x03\x00\x20" + bytes(range(32)))
        else:  # it does not trust the certificate, and says so
            with contextlib.suppress(ssl.SSLError):
                tls.do_handshake()
            client.send_bytes(outgoing.read())
    client.close() if number % 2 else client.reset()


def compressed(connect: Connect, number: int) -> None:
    """Agrees on compression with context takeover, sends messages, and leaves."""
    client = connect()
    client.send_bytes(handshake.client_request(client.host, "/", KEY, extensions=DEFLATE))
    assert DEFLATE in (client.receive_reply().headers.get("sec-websocket-extensions") or "")
    squeeze = zlib.compressobj(6, zlib.DEFLATED, -15)
    for part in range(3):
        message = (f"a message of {number}, part {part}. " * 20).encode()
        data = (squeeze.compress(message) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]
        client.send_frame(frames.TEXT, data, reserved=frames.RSV1)
        assert client.receive_bytes()
    if number % 2:
        client.send_frame(frames.TEXT, b"\xff" * 50, reserved=frames.RSV1)  # is not deflate
        assert client.receive_bytes()
    client.close()


# Of each protocol without HTTP: a message, the beginning of a long one, and what breaks a rule.
STREAMS = {
    "text": (b"hello\n", b"x" * 9000, b"\xff\xff\n"),
    "frame": (b"\0\0\0\x09hello", b"\0\0\x80\0" + bytes(9000), b"\0\0\0\x01"),
    "tcp": (b"hello", b"y" * 9000, b""),
}


def stream(connect: Connect, number: int, protocol: str) -> None:
    """Sends a message and leaves: in the middle of the next, after a wrong one, in three ways."""
    whole, begun, wrong = STREAMS[protocol]
    client = connect()
    client.send_bytes(whole * (1 + number % 3))
    client.receive_bytes()
    client.send_bytes(wrong if number % 4 == 3 else begun)
    [client.close, client.reset, client.end_writing][number % 3]()
    client.close()


KINDS: dict[str, Callable[[Connect, int], None]] = {
    "rude": rude,
    "refused": refused,
    "hello": hello,
    "compressed": compressed,
    **{protocol: partial(stream, protocol=protocol) for protocol in STREAMS},
}


def main(scheme: str, port: str, kind: str, count: str) -> None:
    """Connects and leaves `count` times."""
    context = None
    if scheme == "wss" and kind != "hello":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for number in range(int(count)):
        KINDS[kind](lambda: RawClient(int(port), tls=context), number)


if __name__ == "__main__":
    main(*sys.argv[1:])
