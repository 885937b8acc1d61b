"""The line that somebody types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineman.cli.client.editor import END, LineEditor


def typed(*keys: bytes) -> tuple[LineEditor, list[str]]:
    editor = LineEditor()
    return editor, [line for key in keys for line in editor.feed(key)]


@pytest.mark.parametrize(
    ("keys", "text", "cursor"),
    [
        (b"hello", "hello", 5),
        (b"hello\x7f\x08", "hel", 3),
        (b"\x7f", "", 0),
        (b"ac\x1b[Db", "abc", 2),
        (b"abc\x01X", "Xabc", 1),
        (b"abc\x1b[H\x1b[3~", "bc", 0),
        (b"abc\x1b[H\x04", "bc", 0),
        (b"abc\x01\x05d", "abcd", 4),
        (b"abc\x1bOD\x1bOD\x0b", "a", 1),
        (b"one two  \x17", "one ", 4),
        (b"one two\x15", "", 0),
        (b"one two\x1b[D\x1b[D\x15", "wo", 0),
        (b"a\x1b[C\x1b[C", "a", 1),
        (b"a\x1b[99Zb", "ab", 2),
        (b"a\x00\x1fb\tc", "ab\tc", 4),
        ("grüße 你好".encode(), "grüße 你好", 8),
    ],
)
def test_keys_change_the_line(keys: bytes, text: str, cursor: int) -> None:
    for way in ([keys], [keys[n : n + 1] for n in range(len(keys))]):
        editor, lines = typed(*way)
        assert (editor.text, editor.cursor, lines) == (text, cursor, [])


def test_enter_ends_a_line_and_ctrl_d_the_input() -> None:
    editor, lines = typed(b"one\rtwo\nthr\x7f\r\r\x04")
    assert lines == ["one", "two", "th", "", END]
    assert (editor.text, editor.cursor) == ("", 0)


def test_what_was_entered_before_comes_back() -> None:
    up, down = b"\x1b[A", b"\x1b[B"
    editor, _ = typed(b"one\rtwo\rtwo\r", up)
    assert editor.text == "two"
    for key, text in [(up, "one"), (up, "one"), (down, "two"), (down, ""), (down, "")]:
        editor.feed(key)
        assert editor.text == text
    assert editor.feed(up + up + b"!\r") == ["one!"]
    editor.feed(up)
    assert editor.text == "one!"


@given(st.lists(st.binary(max_size=20)))
def test_whatever_is_typed_the_cursor_stays_in_the_line(pieces: list[bytes]) -> None:
    editor, lines = typed(*pieces)
    assert 0 <= editor.cursor <= len(editor.text)
    assert all("\r" not in line and "\n" not in line for line in lines)
