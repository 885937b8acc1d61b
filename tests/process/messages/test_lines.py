"""Lines of JSON between processes: whole, in pieces, and invalid."""

from __future__ import annotations

import json

import pytest

from lineman.process.messages.lines import (
    LineSplitter,
    WireError,
    clean,
    decode,
    encode,
    encode_answer,
    harmless,
    join_reply,
    split_answer,
)

MESSAGE = encode({"ask": "status", "id": 7, "text": "ü\n"})


def test_a_message_is_one_line() -> None:
    assert MESSAGE.count(b"\n") == 1
    assert decode(MESSAGE) == {"ask": "status", "id": 7, "text": "ü\n"}


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_lines_come_out_whole_however_they_came(size: int) -> None:
    stream = MESSAGE * 3 + b"tail"
    lines = LineSplitter(1000)
    found = [
        line
        for start in range(0, len(stream), size)
        for line in lines.feed(stream[start : start + size])
    ]
    assert found == [MESSAGE[:-1]] * 3
    assert lines.feed(b"\n") == [b"tail"]


@pytest.mark.parametrize("size", [1, 5, 100])
def test_a_line_at_the_limit_passes_and_one_past_it_does_not(size: int) -> None:
    def feed(stream: bytes) -> list[bytes]:
        lines = LineSplitter(10)
        pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
        return [line for piece in pieces for line in lines.feed(piece)]

    assert feed(b"x" * 10 + b"\n" + b"y" * 10 + b"\n") == [b"x" * 10, b"y" * 10]
    with pytest.raises(WireError, match="more than 10 bytes"):
        feed(b"x" * 11 + b"\n")
    with pytest.raises(WireError, match="more than 10 bytes"):
        feed(b"ok\n" + b"x" * 11)


@pytest.mark.parametrize("line", [b"", b"{", b"[1]", b"\xff", b"null", b'"text"'])
def test_what_is_no_message_is_told(line: bytes) -> None:
    with pytest.raises(WireError, match="no JSON"):
        decode(line)


def test_an_answer_is_passed_on_as_bytes() -> None:
    line = encode_answer(12, {"rows": [1, 2, {"}": '"answer":'}]})
    assert split_answer(line[:-1]) == (12, b'{"rows":[1,2,{"}":"\\"answer\\":"}]}')
    assert decode(line)["id"] == 12


@pytest.mark.parametrize("line", [b'{"event":"ready"}', b'{"answer":1,"id":2}', b"", b'{"id":"x"}'])
def test_other_messages_are_no_answers(line: bytes) -> None:
    assert split_answer(line) is None


def test_a_reply_has_each_childs_answer_and_none_spoils_another() -> None:
    own = encode({"master": {"pid": 1}, "children": [{"number": each} for each in range(5)]})
    answers = [b'{"rss":1}', b'1}],"master":{}', b"[" * 100_000, b"9" * 5000, b'{"rss":2}']
    reply = join_reply(own + b"".join(each + b"\n" for each in answers))
    assert reply["master"] == {"pid": 1}
    told = [child["answer"] for child in reply["children"]]
    assert told == [{"rss": 1}, None, None, None, {"rss": 2}]
    assert join_reply(own + b"\n".join(answers), 8)["children"][0]["answer"] is None


@pytest.mark.parametrize("number", ["1e999", "-1e300", "NaN", "Infinity", "-Infinity", "9" * 20])
def test_a_number_that_nothing_measures_is_no_answer(number: str) -> None:
    own = encode({"children": [{}, {}]})
    reply = join_reply(own + f'{{"rss":{number}}}\n{{"rss":1.5}}\n'.encode())
    assert [child["answer"] for child in reply["children"]] == [None, {"rss": 1.5}]


def test_a_reply_without_children_is_a_line() -> None:
    assert join_reply(b'{"ok":true}\n') == {"ok": True}
    with pytest.raises(WireError):
        join_reply(b"nonsense\n")


def test_a_strangers_text_is_one_line_that_moves_no_cursor() -> None:
    assert clean("a\nb\x1b[2J\u202ec", 100) == "a b [2J c"
    assert clean("abc", 2) == "ab…"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;x\x07", "?]0;x?"),
        ("\x9b2J", "?2J"),
        ("\r", "?"),
        ("\x7f", "?"),
        ("\u202egnp", "?gnp"),
    ],
)
@pytest.mark.parametrize("is_ascii", [False, True])
def test_a_reply_moves_no_cursor_of_who_shows_it(text: str, shown: str, is_ascii: bool) -> None:
    line = json.dumps({text: [{"name": f"a{text}b"}], "n": 1}, ensure_ascii=is_ascii).encode()
    assert harmless(line, join_reply(line)) == {shown: [{"name": f"a{shown}b"}], "n": 1}


def test_a_reply_that_is_harmless_stays_as_it_is() -> None:
    said = {"text": 'two\nlines " \\ é … 好', "children": []}
    for is_ascii in (False, True):
        line = json.dumps(said, ensure_ascii=is_ascii).encode()
        assert harmless(line, join_reply(line)) == said


def test_a_reply_that_is_nested_without_end_is_refused() -> None:
    line = b'{"x":' + b"[" * 600 + b'"\\u001b"' + b"]" * 600 + b"}"
    with pytest.raises(WireError, match="nested too deeply"):
        harmless(line, join_reply(line))
