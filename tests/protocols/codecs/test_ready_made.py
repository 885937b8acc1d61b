"""`Lines` and `LengthPrefixed`, each also with JSON."""

from __future__ import annotations

from typing import Any

import pytest

from kit.feeding import all_cuts, events_of
from lineman.errors import ConfigError, UsageError
from lineman.net.connection.limits import Limits
from lineman.protocols.codecs.chosen import sessions_of
from lineman.protocols.codecs.ready_made import LengthPrefixed, Lines
from lineman.protocols.interface import Session
from lineman.protocols.websocket.close import INVALID_DATA, MESSAGE_TOO_BIG, PROTOCOL_ERROR

CASES: dict[str, tuple[Any, bytes, list[Any]]] = {
    "lines": (Lines(), b"a\n\nbc\r\nd", [b"a", b"", b"bc\r"]),
    "a class without arguments": (Lines, b"a\nb\n", [b"a", b"b"]),
    "a long delimiter": (Lines(b"\r\n.\r\n"), b"a\r\n.\r\n.\r\n\r\n.\r\n", [b"a", b".\r\n"]),
    "as long as may be": (Lines(), b"x" * 39 + b"\n", [b"x" * 39]),
    "too long": (Lines(), b"x" * 40 + b"\n", [MESSAGE_TOO_BIG]),
    "four bytes": (LengthPrefixed(), b"\0\0\0\2hi\0\0\0\0\0\0\0\1", [b"hi", b""]),
    "little": (LengthPrefixed("<H"), b"\2\0hi\1\0", [b"hi"]),
    "counting itself": (LengthPrefixed("B", counts_itself=True), b"\3hi\1", [b"hi", b""]),
    "less than itself": (LengthPrefixed(">H", counts_itself=True), b"\0\1", [PROTOCOL_ERROR]),
    "a length too long": (LengthPrefixed("!Q"), b"\xff" * 8, [MESSAGE_TOO_BIG]),
    "JSON in lines": (Lines().json(), b'{"a":[1]}\r\n"\xc3\xbc"\n', [{"a": [1]}, "ü"]),
    "JSON behind a length": (LengthPrefixed("B").json(), b"\2[]\0011", [[], 1]),
    "no JSON": (Lines().json(), b"1\nx\n2\n", [1, INVALID_DATA]),
    "no UTF-8": (Lines().json(), b'"\xff"\n', [INVALID_DATA]),
    "no number": (Lines().json(), b"NaN\n", [INVALID_DATA]),
}


def make(protocol: Any) -> Session:
    return sessions_of(protocol)(Limits(max_message_size=40))


@pytest.mark.parametrize("name", CASES)
def test_a_stream_gives_the_same_messages_however_it_is_cut(name: str) -> None:
    protocol, stream, events = CASES[name]
    for found in all_cuts(lambda: make(protocol), stream):
        assert found == events


@pytest.mark.parametrize("bad", [b"[" * 200_000, b"9" * 5000, b'{"a":}', b"", b"\xef\xbb\xbf1"])
def test_json_that_hurts_ends_only_its_connection(bad: bytes) -> None:
    made = sessions_of(Lines().json())(Limits())
    assert events_of(made, [bad + b"\n"]) == [INVALID_DATA]


@pytest.mark.parametrize(
    ("protocol", "message", "encoded"),
    [
        (Lines(), b"hi", b"hi\n"),
        (Lines(b"||"), "ü|", "ü|||".encode()),
        (LengthPrefixed(), b"hi", b"\0\0\0\2hi"),
        (LengthPrefixed(">H", counts_itself=True), "hi", b"\0\4hi"),
        (LengthPrefixed("B"), bytes(255), b"\xff" + bytes(255)),
        (LengthPrefixed("B", counts_itself=True), bytes(254), b"\xff" + bytes(254)),
        (Lines().json(), {"a": "ü\n"}, '{"a":"ü\\n"}\n'.encode()),
        (LengthPrefixed("B").json(), [1, 2], b"\5[1,2]"),
    ],
)
def test_a_message_is_sent_with_its_framing(protocol: Any, message: Any, encoded: bytes) -> None:
    if encoded.endswith(b"|||"):
        with pytest.raises(UsageError, match="delimiter"):
            make(protocol).encode(message)
    else:
        assert make(protocol).encode(message) == encoded


@pytest.mark.parametrize(
    ("protocol", "message", "words"),
    [
        (Lines(), b"a\nb", "one line"),
        (Lines(), 5, "str"),
        (Lines(b"aa"), b"xa", "delimiter"),
        (LengthPrefixed("B"), bytes(256), "too long"),
        (LengthPrefixed("B", counts_itself=True), bytes(255), "too long"),
        (Lines().json(), {1, 2}, "JSON cannot say"),
        (Lines().json(), float("nan"), "JSON cannot say"),
        (Lines().json(), "\ud800", "JSON cannot say"),
        (Lines(b",").json(), [1, 2], "delimiter"),
    ],
)
def test_what_cannot_be_said_is_refused(protocol: Any, message: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make(protocol).encode(message)


@pytest.mark.parametrize("delimiter", [b"", "\n", None, bytearray(b"\n")])
def test_a_delimiter_must_be_bytes(delimiter: Any) -> None:
    with pytest.raises(ConfigError, match="delimiter"):
        Lines(delimiter)


@pytest.mark.parametrize("format", ["I", ">i", ">II", ">f", "", 4, None, "@I", ">x", ">4I"])
def test_a_format_must_be_one_number_without_a_sign(format: Any) -> None:
    with pytest.raises(ConfigError, match="format"):
        LengthPrefixed(format)


def test_one_object_serves_all_so_that_a_message_to_many_is_encoded_once() -> None:
    for protocol in (Lines(), LengthPrefixed(), Lines().json()):
        assert make(protocol).share_key() is protocol
    assert make(Lines).share_key() is None


def test_they_show_themselves_as_they_are_written() -> None:
    assert repr(Lines(b"|").json()) == "Lines(b'|').json()"
    assert (
        repr(LengthPrefixed(">H", counts_itself=True)) == "LengthPrefixed('>H', counts_itself=True)"
    )
    assert repr(LengthPrefixed()) == "LengthPrefixed('>I')"
