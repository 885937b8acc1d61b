"""Lines from a pipe, and messages into one."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any, TextIO

import pytest

from lineman.cli.websocket_client.screens import OutputGoneError, Pipe, Terminal


@pytest.fixture
def ends() -> Iterator[tuple[TextIO, int]]:
    reader, writer = os.pipe()
    with os.fdopen(reader) as source:
        yield source, writer


def test_a_line_is_whole_at_its_newline_or_at_the_end(ends: tuple[TextIO, int]) -> None:
    source, writer = ends
    pipe = Pipe(source, io.StringIO())
    os.write(writer, b"one\r\n\ntw")
    assert pipe.lines() == ["one", ""]
    os.write(writer, b"o\nlast \xff")
    assert pipe.lines() == ["two"]
    os.close(writer)
    assert pipe.lines() == ["last \udcff"]
    assert pipe.lines() is None


def test_a_reader_that_has_gone_is_an_end(ends: tuple[TextIO, int]) -> None:
    class Gone(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    source, writer = ends
    os.close(writer)
    with pytest.raises(OutputGoneError):
        Pipe(source, Gone()).show("x")


def test_a_terminal_shows_messages_and_words_above_what_is_typed(ends: tuple[TextIO, int]) -> None:
    source, writer = ends
    os.close(writer)
    out: Any = io.StringIO()
    there = Terminal(source, out)
    there.show("好")
    there.tell("connected")
    assert out.getvalue() == "\r\x1b[K< 好\n\r\x1b[K* connected\n"
