"""The header lines of an application's answer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lineman.asgi import answer_lines
from lineman.asgi.answer_lines import AnswerLines, date_line, encode_trailers
from lineman.errors import UsageError


def test_lines_keep_their_order_and_the_date_is_added() -> None:
    made = AnswerLines([(b"set-cookie", b"a=1"), (b"x", b"y"), (b"set-cookie", b"b=2")])
    assert made.lines.startswith(b"set-cookie: a=1\r\nx: y\r\nset-cookie: b=2\r\ndate: ")
    assert (made.length, made.closes) == (-1, False)


def test_a_date_of_the_application_stays() -> None:
    assert AnswerLines([(b"Date", b"then")]).lines == b"Date: then\r\n"


def test_framing_is_read_and_not_repeated() -> None:
    made = AnswerLines([
        (b"content-length", b"7"), (b"Transfer-Encoding", b"chunked"), (b"connection", b"Close"),
        (b"date", b"x"),
    ])  # fmt: skip
    assert made.lines == b"date: x\r\n"
    assert (made.length, made.closes) == (7, True)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"a b", b"c")],
        [(b"", b"c")],
        [(b"a", b"b\nc")],
        [(b"a", b"b\0")],
        [(b"a\r\nb", b"c")],
        [("a", "b")],
        [(b"a", 7)],
        [b"ab:"],
        [None],
        [(b"content-length", b"+7")],
        [(b"content-length", b"7"), (b"content-length", b"8")],
        [(b"content-length", b"")],
    ],
)
def test_what_would_break_the_answer_is_refused(headers: Any) -> None:
    with pytest.raises(UsageError):
        AnswerLines(headers)


def test_trailers_leave_framing_out() -> None:
    assert encode_trailers([(b"sum", b"7"), (b"content-length", b"9")]) == b"sum: 7\r\n"


def test_the_date_follows_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 784111777.5)
    assert date_line() == b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    monkeypatch.setattr(time, "time", lambda: 784111778.0)
    assert date_line() == b"date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"


def test_names_that_an_application_makes_up_do_not_fill_memory() -> None:
    for number in range(2000):
        AnswerLines([(b"x-%d" % number, b"")])
    assert len(answer_lines._names) <= 512
