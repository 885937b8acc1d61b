from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from lineman.process.log.log_format import JsonFormatter, TextFormatter


def record(message: str, *args: object, name: str = "lineman", **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, __file__, 1, message, args, None)
    made.created = 1_800_000_000.25
    made.process = 4711
    vars(made).update(extra)
    return made


def raised() -> Any:
    try:
        raise KeyError("room 7")
    except KeyError:
        return sys.exc_info()


def test_a_line_of_text() -> None:
    line = TextFormatter().format(record("%d clients", 7))
    assert line.endswith("[4711] WARNING 7 clients")


def test_the_logger_of_the_program_is_named() -> None:
    line = TextFormatter().format(record("slow", name="shop.database"))
    assert line.endswith("WARNING shop.database: slow")


def test_a_strangers_text_cannot_look_like_a_line_or_command_a_terminal() -> None:
    text = TextFormatter().format(record("%s", "x\n2026-01-01 [1] INFO forged\r\x1b[2J\x9b"))
    first, second = text.split("\n")
    assert first.endswith("WARNING x")
    assert second == "    2026-01-01 [1] INFO forged\\x0d\\x1b[2J\\x9b"


def test_an_exception_follows_its_line_set_in() -> None:
    made = record("it failed")
    made.exc_info = raised()
    lines = TextFormatter().format(made).split("\n")
    assert lines[1] == "    Traceback (most recent call last):"
    assert lines[-1] == "    KeyError: 'room 7'"


def test_a_line_of_json() -> None:
    line = JsonFormatter("chat", 2).format(record("%s\n聊天", "hello"))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2027-01-15T08:00:00.250Z",
        "level": "WARNING",
        "pid": 4711,
        "worker": "chat",
        "slot": 2,
        "logger": "lineman",
        "message": "hello\n聊天",
    }


def test_the_master_has_no_worker() -> None:
    assert "worker" not in json.loads(JsonFormatter().format(record("ready")))


def test_json_has_the_exception_and_what_the_program_adds() -> None:
    made = record("it failed", user=42, when=object, level="mine")
    made.exc_info = raised()
    line = json.loads(JsonFormatter("chat", 0).format(made))
    assert line["exception"].endswith("KeyError: 'room 7'")
    assert line["user"] == 42
    assert line["when"] == "<class 'object'>"
    assert line["level"] == "WARNING"


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_what_is_no_unicode_is_written_all_the_same(formatter: logging.Formatter) -> None:
    line = formatter.format(record("\udcff"))
    assert b"udcff" in line.encode("utf-8", "backslashreplace")
