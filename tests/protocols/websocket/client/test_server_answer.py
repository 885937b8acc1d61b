"""The server's answer to a handshake, fed whole, byte by byte and with a tail."""

from __future__ import annotations

import pytest

from lineman.protocols.http.http_messages import Headers
from lineman.protocols.websocket.client.server_answer import (
    MAX_BODY,
    MAX_HEAD,
    Answer,
    AnswerReader,
    NotHttpError,
    objection,
)
from lineman.protocols.websocket.handshake import response

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 13\r\n\r\nmembers only\n"


def whole(data: bytes) -> tuple[Answer | None, bytes]:
    reader = AnswerReader()
    return reader.feed(data), reader.rest


def byte_by_byte(data: bytes) -> tuple[Answer | None, bytes]:
    reader = AnswerReader()
    for position in range(len(data)):
        answer = reader.feed(data[position : position + 1])
        if answer is not None:
            assert position == len(data) - 1
            return answer, reader.rest
    return None, b""


@pytest.mark.parametrize("feed", [whole, byte_by_byte])
def test_a_101_is_read(feed: object) -> None:
    assert callable(feed)
    answer, rest = feed(response(KEY, "chat", [("X-Served-By", "a")]))
    assert answer.status == 101
    assert answer.headers.get("x-served-by") == "a"
    assert rest == b""


@pytest.mark.parametrize("feed", [whole, byte_by_byte])
def test_a_refusal_is_read_with_its_text(feed: object) -> None:
    assert callable(feed)
    answer, _ = feed(REFUSED)
    assert (answer.status, answer.text) == (403, "members only\n")


def test_frames_may_follow_a_101_in_the_same_read() -> None:
    answer, rest = whole(response(KEY) + b"\x81\x02hi")
    assert answer is not None
    assert answer.status == 101
    assert rest == b"\x81\x02hi"


def test_an_answer_is_waited_for_until_its_head_has_ended() -> None:
    assert whole(response(KEY)[:-1])[0] is None
    assert whole(b"H")[0] is None


def test_a_refusal_that_the_server_cuts_short_still_counts() -> None:
    reader = AnswerReader()
    assert reader.feed(REFUSED[:-5]) is None
    cut = reader.finish()
    assert cut is not None
    assert cut.text == "members "


def test_half_a_head_is_no_answer() -> None:
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 200 OK\r\n")
    assert reader.finish() is None


@pytest.mark.parametrize(
    "lines", [b"", b"Transfer-Encoding: chunked\r\n", b"Content-Length: x\r\n"]
)
def test_a_body_without_a_length_is_not_waited_for(lines: bytes) -> None:
    answer, _ = whole(b"HTTP/1.1 404 Not Found\r\n" + lines + b"\r\n")
    assert answer is not None
    assert (answer.status, answer.text) == (404, "")


def test_only_the_start_of_a_long_body_is_kept() -> None:
    answer, _ = whole(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 5000)
    assert answer is not None
    assert len(answer.text) == MAX_BODY


@pytest.mark.parametrize("start", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x00\x00", b"HTTP/2 200\r\n"])
def test_what_is_no_http_is_noticed_at_once(start: bytes) -> None:
    with pytest.raises(NotHttpError) as caught:
        whole(start)
    assert caught.value.start == start[:16]
    assert not caught.value.is_tls


def test_a_status_line_that_is_none_is_noticed() -> None:
    with pytest.raises(NotHttpError):
        whole(b"HTTP/1.1 banana\r\n\r\n")


def test_a_tls_alert_is_recognised() -> None:
    with pytest.raises(NotHttpError) as caught:
        whole(b"\x15\x03\x03\x00\x02\x02\x46")
    assert caught.value.is_tls


def test_a_head_without_end_is_not_read_for_ever() -> None:
    with pytest.raises(NotHttpError):
        whole(b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"y" * MAX_HEAD)


def answer_with(**changes: str | None) -> Answer:
    headers: dict[str, str | None] = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    return Answer(101, Headers([(name, value) for name, value in headers.items() if value]))


def test_the_answer_of_the_rfcs_example_opens_the_websocket() -> None:
    assert objection(answer_with(), KEY, []) is None
    assert objection(answer_with(Sec_WebSocket_Protocol="chat"), KEY, ["chat"]) is None
    assert objection(answer_with(Connection="keep-alive, Upgrade"), KEY, []) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Upgrade": None}, "upgrade to websocket"),
        ({"Upgrade": "h2c"}, "upgrade to websocket"),
        ({"Connection": "close"}, "no Connection: Upgrade"),
        ({"Sec-WebSocket-Accept": None}, "does not belong to our key"),
        ({"Sec-WebSocket-Accept": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}, "does not belong to our key"),
        ({"Sec-WebSocket-Extensions": "permessage-deflate"}, "extension that was not offered"),
        ({"Sec-WebSocket-Protocol": "mqtt"}, "'mqtt' that was not offered"),
    ],
)
def test_a_101_that_breaks_a_rule_is_objected_to(
    changes: dict[str, str | None], words: str
) -> None:
    found = objection(answer_with(**changes), KEY, ["chat"])
    assert found is not None
    assert words in found
