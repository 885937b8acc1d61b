from __future__ import annotations

import json

import pytest

from lineman.base.finding import Finding
from lineman.doctor import report
from lineman.doctor.checks.check_type import error, info, ok, warning

FOUND = [
    error("wrong-path", "HTTP 404 for /nope", "use the path /wss"),
    warning("file-limit", "few", "ulimit -n 65535"),
    info("cdn-on-the-way", "there is one"),
    ok("port", "port 443 is open"),
]


def test_the_likeliest_cause_comes_first_and_last() -> None:
    lines = report.text("wss://a.test/nope", FOUND, is_coloured=False).splitlines()
    assert lines[0] == "wss://a.test/nope"
    assert lines[1] == "ERROR   wrong-path: HTTP 404 for /nope"
    assert lines[2] == "        fix: use the path /wss"
    assert lines[-1].startswith("likeliest cause: wrong-path")


def test_colours_are_for_terminals() -> None:
    assert "\x1b[1;31mERROR" in report.text("x", FOUND, is_coloured=True)
    assert "\x1b" not in report.text("x", FOUND, is_coloured=False)


def test_what_a_server_says_cannot_command_the_terminal() -> None:
    found = [error("forbidden", "HTTP 403 (\x1b[2J\u202eevil\n)", "\x07")]
    text = report.text("x", found, is_coloured=False)
    assert "\x1b" not in text
    assert "\\x1b[2J\\x202eevil\\x0a" in text


@pytest.mark.parametrize(("found", "status"), [(FOUND, 1), (FOUND[1:], 3), (FOUND[2:], 0), ([], 0)])
def test_the_exit_status_tells_the_worst(found: list[Finding], status: int) -> None:
    assert report.exit_status(found) == status
    read = json.loads(report.as_json("wss://a.test/", found))
    assert read["status"] == status
    assert [each["name"] for each in read["findings"]] == [each.name for each in found]
    words = report.text("x", found, is_coloured=False).splitlines()[-1]
    assert words.startswith({1: "likeliest", 3: "clients can connect", 0: "nothing"}[status])
