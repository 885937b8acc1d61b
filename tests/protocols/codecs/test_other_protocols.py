"""Clients of other protocols: what came and the remedy, however the bytes are cut."""

from __future__ import annotations

import pytest

from kit.feeding import all_cuts
from lineman.errors import ProtocolError
from lineman.net.connection.limits import Limits
from lineman.protocols.codecs import other_protocols
from lineman.protocols.codecs.frame_session import FrameSession
from lineman.protocols.codecs.text_session import TextSession

BROWSER = b"GET /chat HTTP/1.1\r\nHost: localhost\r\n"
WEBSOCKET = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
HTTP_2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FORM = b"POST /?x=1 HTTP/1.1\r\n\r\nset all 1\n"
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x0a\x0a\xfc\x03\x03"
HEADER = b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\nhello\n"
HEADER_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"


@pytest.mark.parametrize("sent", [BROWSER, WEBSOCKET, HTTP_2, FORM, HELLO, HEADER])
def test_no_line_of_another_protocol_becomes_a_message(sent: bytes) -> None:
    for events in all_cuts(lambda: TextSession(Limits()), sent):
        assert events == [1002]


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (BROWSER, "an HTTP request"),
        (HTTP_2, "an HTTP request"),
        (FORM, "an HTTP request"),
        (HELLO, "the beginning of TLS"),
        (HEADER, "a PROXY header"),
        (HEADER_2, "a PROXY header"),
    ],
)
def test_the_reason_names_what_came_and_the_remedy(sent: bytes, what: str) -> None:
    error = FrameSession(Limits()).next(memoryview(sent))
    assert isinstance(error, ProtocolError)
    assert error.code == 1009
    assert f"it looks like {what}" in error.reason
    if sent is not HEADER_2:
        said = TextSession(Limits()).next(memoryview(sent))
        assert said.reason.startswith(what)
        assert "; give " in said.reason


@pytest.mark.parametrize(
    "line",
    ["GET lost", "POST", "PROXY", "\x16", "PROXY on", "GETTING HTTP/1.1", "", "HTTP/1.1 200 OK"],
)
def test_what_may_be_a_line_is_one(line: str) -> None:
    sent = f"{line}\nGET / HTTP/1.1\n".encode()  # the first line says what the client speaks
    for events in all_cuts(lambda: TextSession(Limits()), sent):
        assert events == [line, "GET / HTTP/1.1"]


def test_a_long_first_line_is_a_line() -> None:
    line = "GET " + "x" * 2 * other_protocols.ENOUGH
    made = TextSession(Limits())
    for byte in line.encode():
        assert made.next(memoryview(bytes([byte]))) is None
    assert made.next(memoryview(b"\n")) == line


def test_a_length_that_is_nothing_known_is_only_too_big() -> None:
    error = FrameSession(Limits()).next(memoryview(b"\x7f\0\0\0"))
    assert error.reason.endswith("are the most")
