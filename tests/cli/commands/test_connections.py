from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import astuple, replace
from typing import Any

import pytest

from lineman.cli.commands import connections as command
from lineman.cli.shared.table import width_of
from lineman.errors import UsageError
from lineman.process.messages.connection_rows import COLUMNS, FoundRows, Row, Selection

NOW = 1_800_000_000.0

ROW = Row(
    id=7,
    protocol="wss",
    tls="TLSv1.3",
    cipher="TLS_AES_256_GCM_SHA384",
    subprotocol="json",
    ip="203.0.113.9",
    port=0,
    peer="127.0.0.1:50000",
    path="/room/7",
    since=NOW - 3700,
    idle=12.3,
    messages_in=1500,
    messages_out=9,
    bytes_in=2048,
    bytes_out=10,
    buffered=70,
    state="open",
    worker="chat",
    slot=0,
    pid=11,
)


def lines(*rows: Row, width: int | None = None) -> list[str]:
    return command.render(FoundRows(rows, len(rows), len(rows), ()), NOW, width)


def test_a_connection_is_a_line() -> None:
    head, line, last = lines(ROW)
    assert line.split() == [
        *("chat", "11", "7", "wss+json", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "203.0.113.9"),
        *("127.0.0.1:50000", "/room/7", "1h01m", "12s", "1.5k", "9", "2.0K", "10", "70", "open"),
    ]
    assert "REASON" not in head
    assert last == "1 of 1 connections"


def test_columns_that_nobody_needs_are_left_out() -> None:
    plain = replace(ROW, tls=None, cipher=None, ip="10.0.0.1", port=5, peer="10.0.0.1:5")
    head, line, _ = lines(plain)
    assert "TLS" not in head
    assert "PEER" not in head
    assert "10.0.0.1:5 " in line


def test_an_ipv6_client_stands_in_brackets() -> None:
    row = replace(ROW, ip="2001:db8::1", port=443, peer="[2001:db8::1]:443")
    head, line, _ = lines(row)
    assert "[2001:db8::1]:443" in line
    assert "PEER" not in head


def test_one_that_is_not_open_yet_has_no_age_and_a_closing_one_a_reason() -> None:
    early = replace(ROW, since=None, state="handshake")
    late = replace(ROW, state="closing", reason="the service is stopping")
    head, first, second, _ = lines(early, late)
    assert "REASON" in head
    assert " - " in first
    assert second.endswith("the service is stopping")


@pytest.mark.parametrize("width", [10, 40, 60, 80, 100, 130, 200])
def test_the_table_fits_the_terminal(width: int) -> None:
    rows = [
        replace(ROW, worker="聊天室" * 9, path="/" + "x" * 500, reason="why " * 40),
        replace(ROW, ip="2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", port=65535),
    ]
    for line in lines(*rows, width=width)[:-1]:
        assert width_of(line) <= width
    if width >= 80:
        assert "2001:db8:" in "\n".join(lines(*rows, width=width))


def test_what_a_client_sent_cannot_command_the_terminal() -> None:
    evil = "\x1b[2J\r\n\x07\u202e"
    text = "\n".join(lines(replace(ROW, path=evil, subprotocol=evil, reason=evil)))
    assert not set(text) & set("\x1b\r\x07\u202e")


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (FoundRows((ROW,), 1, 1, ()), "1 of 1 connections"),
        (FoundRows((ROW,), 4000, 4000, ()), "1 of 4,000 connections; --limit 0 shows all"),
        (FoundRows((ROW,), 1, 4000, ()), "1 of 1 connections that match, of 4,000 in all"),
        (FoundRows((), 0, 0, (12, 13)), "0 of 0 connections; without the processes 12, 13: busy"),
    ],
)
def test_the_last_line_says_what_is_missing(found: FoundRows, says: str) -> None:
    assert command.render(found, NOW)[-1] == says


# The command.


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="connections")
    command.add_options(parser)
    return parser.parse_args(words)


def answering(rows: list[Row]) -> Mapping[str, Any]:
    answer = {
        "columns": COLUMNS,
        "rows": [astuple(row)[: len(COLUMNS)] for row in rows],
        "matching": 9,
        "total": 9,
    }
    return {"children": [{"worker": "chat", "slot": 0, "pid": 11, "answer": answer}]}


def test_options_become_the_question_and_json_the_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[tuple[str, Mapping[str, Any]]] = []

    def ask(name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append((name, arguments))
        return answering([ROW])

    words = "--sort idle --reverse --limit 5 --worker chat --ip 10.0.0.0/8 --idle-for 5m --json"
    assert command.show(options(*words.split()), ask) == 0
    wanted = Selection("chat", None, "10.0.0.0/8", None, 300.0, "idle", True, 5)
    assert asked == [("connections", wanted.to_json())]
    told = json.loads(capsys.readouterr().out)
    assert told["rows"][0]["ip"] == "203.0.113.9"
    assert (told["matching"], told["busy"]) == (9, [])


def test_a_busy_process_is_told_and_the_exit_status_is_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    silent = {"children": [{"worker": "chat", "slot": 0, "pid": 11, "answer": None}]}
    assert command.show(options(), lambda *_: silent) == 1
    assert "without the processes 11: busy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--idle-for", "soon"], "'soon' is no time; write it like 90, 5m or 2h"),
        (["--limit", "-1"], "'-1' is no number"),
        (["--limit", "many"], "'many' is no number"),
        (["--sort", "colour"], "invalid choice: 'colour'"),
        (["--state", "asleep"], "invalid choice: 'asleep'"),
    ],
)
def test_options_that_make_no_sense_are_told(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        options(*words)
    assert says in capsys.readouterr().err


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(UsageError, match="is no address or network"):
        command.selection(options("--ip", "localhost"))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("1.5s", 1.5), ("5m", 300.0), ("2h", 7200.0), ("1d", 86400)]
)
def test_times_have_units(text: str, seconds: float) -> None:
    assert options("--idle-for", text).idle_for == seconds
