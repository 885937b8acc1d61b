"""How the events of a connection are shown."""

from __future__ import annotations

import pytest

from lineman.cli.websocket_client import shown


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain ü 你\n\tx", "plain ü 你\n\tx"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("a\rb\x9b2J", "a\\rb\\x9b2J"),
        ("\u202eabc", "\\u202eabc"),
    ],
)
def test_what_a_server_sends_does_not_move_the_terminal(text: str, seen: str) -> None:
    assert shown.visible(text) == seen
    assert shown.message(text, is_terminal=True) == seen
    assert shown.message(text, is_terminal=False) == text


def test_bytes_are_hexadecimal() -> None:
    assert shown.message(b"\x00\xff", is_terminal=True) == "00 ff"
    assert shown.message(b"\x00\xff", is_terminal=False) == "00ff"


def test_times_and_ends_are_in_words() -> None:
    assert [shown.milliseconds(one) for one in (0.00042, 0.012, 2.5)] == [
        "0.42 ms",
        "12 ms",
        "2.5 s",
    ]
    assert shown.closed(4001, "x\x1b", by_us=False) == "closed by the server: 4001 (x\\x1b)"
    assert shown.closed(1000, "", by_us=True) == "closed: 1000 normal closure"
    assert shown.payload(b"") == ""
    assert len(shown.payload(b"x" * 125)) < 80
