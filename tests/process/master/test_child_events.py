"""The events of a child; the master checks every value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineman.process.master import child_events as childevents
from lineman.process.master.child_events import MAX_DEPTH, MAX_RATE, Rate, read
from lineman.process.messages.lines import MAX_EVENT, WireError


def line(**message: Any) -> bytes:
    return json.dumps(message).encode()


def test_what_a_child_says_has_its_fields() -> None:
    assert read(line(event="beat", lag=0.25)) == ("beat", {"lag": 0.25})
    assert read(line(event="ready", pid=1)) == ("ready", {})
    assert read(line(event="failed", why="no port")) == ("failed", {"why": "no port"})
    assert read(line(event="changed", path="/app.py")) == ("changed", {"path": "/app.py"})
    counted = {"opened": 3, "cpu_seconds": 0.5, "closes": {"1000": 2}}
    assert read(line(event="counted", **counted)) == ("counted", counted)


@pytest.mark.parametrize("name", ["", "kill", None, 7, ["beat"], {"a": 1}])
def test_an_event_of_another_version_is_nothing(name: object) -> None:
    assert read(line(event=name, pid=1)) == ("", {})
    assert read(b"{}") == ("", {})


def test_a_text_is_one_short_line() -> None:
    _, details = read(line(event="renew", why="big\n\x1b[31mERROR all is lost" + "x" * 5000))
    assert details["why"].startswith("big  [31mERROR all is lost")
    assert len(details["why"]) <= childevents.MAX_WORDS + 1
    assert details["why"].isprintable()


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"[]",
        b"nonsense",
        b"\xff",
        b"[" * 60_000,
        b'{"event":' * 7_000,
        line(event="beat", lag="soon"),
        line(event="beat", lag=None),
        line(event="beat", lag=-1),
        line(event="beat", lag=True),
        b'{"event":"beat","lag":NaN}',
        b'{"event":"beat","lag":Infinity}',
        b'{"event":"beat","lag":1e999}',
        b'{"event":"beat","lag":' + b"9" * 4000 + b"}",
        b'{"event":"beat","lag":' + b"9" * 5000 + b"}",
        line(event="counted", opened="many"),
        line(event="counted", opened=[1]),
        line(event="counted", **nested(MAX_DEPTH + 1)),
        line(event="counted", **{str(number): 1 for number in range(1000)}),
        line(event="counted", closes={"x" * 300: 1}),
        line(event="failed", why="x" * MAX_EVENT),
    ],
)
def test_what_no_child_says_is_an_error_and_no_end_of_the_master(message: bytes) -> None:
    with pytest.raises(WireError):
        read(message)


@pytest.mark.parametrize(("given", "is_graceful"), [(True, True), (1, False), (None, False)])
def test_the_wish_to_stop_is_a_reason_and_yes_or_no(given: object, is_graceful: bool) -> None:
    name, details = read(line(event="stop-all", why="\x1b[2J" + "x" * 5000, is_graceful=given))
    assert name == "stop-all"
    assert details["is_graceful"] is is_graceful
    assert "\x1b" not in details["why"]
    assert len(details["why"]) <= childevents.MAX_WORDS + 1


def test_a_flood_is_noticed() -> None:
    rate = Rate()
    assert not any(rate.is_too_high(10.0 + number / 10_000) for number in range(MAX_RATE))
    assert rate.is_too_high(10.5)
    assert not rate.is_too_high(11.1)
