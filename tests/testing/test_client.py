"""The raw client: it does what a test says, checks the server, and does nothing unasked."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from lineman.errors import ProtocolError
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.decoder import Close, Ping
from lineman.testing.client import RawClient, encode, encode_frame


class Line:
    """A client, and the other end of its connection, where the test writes by hand."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.client = RawClient(server.getsockname()[1])
            self.server, _ = server.accept()
        self.server.settimeout(20)

    def say(self, data: bytes) -> None:
        self.server.sendall(data)

    def close(self) -> None:
        self.client.close()
        self.server.close()


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


@pytest.mark.parametrize(("message", "opcode"), [("é", frames.TEXT), (b"\xff", frames.BINARY)])
def test_a_message_is_one_masked_frame_of_its_kind(message: str | bytes, opcode: int) -> None:
    sent = encode(message)
    payload = message.encode() if isinstance(message, str) else message
    assert sent[:2] == bytes([0x80 | opcode, 0x80 | len(payload)])
    mask, masked = sent[2:6], sent[6:]
    assert bytes(each ^ mask[at % 4] for at, each in enumerate(masked)) == payload


def test_a_frame_that_no_client_may_send_is_sent_as_the_test_wants_it() -> None:
    assert encode_frame(0xB, fin=False, reserved=0x40)[0] == 0x4B


def test_pings_are_answered_only_by_who_waits_for_a_message(line: Line) -> None:
    line.say(b"\x89\x01p")
    assert line.client.receive() == Ping(b"p")
    line.say(b"\x89\x01q" + b"\x81\x02hi")
    assert line.client.receive_message() == "hi"
    pong = line.server.recv(100)
    assert pong[0] == 0x8A
    assert len(pong) == 7, "one pong, for the second ping"


def test_a_server_that_closes_where_a_message_is_due_is_told_with_its_code(line: Line) -> None:
    line.say(b"\x88\x05\x03\xe9bye")
    with pytest.raises(EOFError, match="closed with 1001: bye"):
        line.client.receive_message()


def test_what_comes_before_a_close_is_thrown_away_and_before_the_end_it_is_a_fault(
    line: Line,
) -> None:
    line.say(b"\x81\x02hi\x88\x02\x03\xe8")
    assert line.client.receive_close() == Close(1000, "")
    line.say(b"\x81")
    line.server.shutdown(socket.SHUT_WR)
    with pytest.raises(AssertionError, match="before the end came"):
        line.client.assert_ended()


def test_a_server_that_breaks_a_rule_is_found_out(line: Line) -> None:
    line.say(b"\x81\x82\0\0\0\0hi")  # masked
    with pytest.raises(ProtocolError):
        line.client.receive()


def test_an_accept_that_answers_another_key_is_found_out(line: Line) -> None:
    line.say(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    with pytest.raises(AssertionError, match="Sec-WebSocket-Accept is s3pP"):
        line.client.handshake()


def test_a_reply_that_is_cut_off_shows_what_came(line: Line) -> None:
    line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
    line.server.shutdown(socket.SHUT_WR)
    with pytest.raises(EOFError, match="b'ab'"):
        line.client.receive_reply()


def test_bytes_behind_a_reply_are_the_first_of_the_websocket(line: Line) -> None:
    line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok\x81\x01x")
    reply = line.client.receive_reply()
    assert (reply.status, reply.text, reply.headers.get("x-a")) == (200, "ok", "b")
    assert line.client.receive() == "x"
