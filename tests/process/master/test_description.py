"""A program's description, trusted no more than the user that the program runs as."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from lineman.errors import ConfigError
from lineman.process.master.description import (
    MAX_PROCESSES,
    Description,
    Place,
    PlaceAddress,
    ProgramSettings,
)
from lineman.process.messages.process_rules import MAX_ADDRESSES

HERE = PlaceAddress("wss://0.0.0.0:443", "wss", "0.0.0.0", 443)
PLACE = Place(
    "wss://0.0.0.0:443", 0, "chat", (HERE,), 2, 100,
    certificates=("/etc/cert.pem",), keys=("/etc/key.pem",),
)  # fmt: skip
WHOLE = Description(
    (PLACE,), ProgramSettings(log_file="/var/log/chat.log", metrics="127.0.0.1:9100")
)


def told(**change: Any) -> Any:
    data = json.loads(json.dumps(WHOLE.to_json()))
    data["places"][0].update(change)
    return data


def test_it_comes_over_the_wire_as_it_was() -> None:
    assert Description.from_json(told()) == WHOLE


def test_what_is_unknown_is_left_out() -> None:
    assert Description.from_json(told(sudo=True)) == WHOLE


@pytest.mark.parametrize(
    "change",
    [
        {"addresses": None},
        {"addresses": ["ws://h:1"]},
        {"addresses": [asdict(HERE)] * (MAX_ADDRESSES + 1)},
        {"count": 0},
        {"count": 10**9},
        {"backlog": -1},
        {"module": "os"},
        {"module": "lineman.metrics.exporter;"},
        {"socket_mode": 0o4777},
        {"title": "chat\x1b[2J"},
        {"title": "x" * 501},
        {"user": "root\n"},
        {"user": 0},
        {"keys": ["/etc/key\0"]},
        {"keys": "/etc/key"},
        {"keys": ["/x"] * 1001},
        {"keys": [["/x"]]},
        {"rules": {"drain_seconds": float("inf")}},
        {"rules": {"drain_seconds": float("nan")}},
        {"rules": {"stop_timeout": -1}},
        {"rules": None},
        {"twin": 0.5},
    ],
)
def test_what_no_program_describes_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="description of the program is invalid"):
        Description.from_json(told(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"port": 65536},
        {"port": -1},
        {"port": "443"},
        {"port": True},
        {"path": "/" * 5000},
        {"text": "ws://h\x1b[2J"},
    ],
)
def test_an_address_that_no_program_describes_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="description of the program is invalid"):
        Description.from_json(told(addresses=[asdict(HERE) | change]))


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"places": None}, {"places": [None]}, {"places": [{}]}, {"places": 1}, "x"],
)
def test_what_is_no_description_is_refused(data: object) -> None:
    with pytest.raises(ConfigError, match="description of the program is invalid"):
        Description.from_json(data)


@pytest.mark.parametrize(
    "settings", [{"log_file": 1}, {"log_file": "a\0b"}, {"log_level": "LOUD"}, {"metrics": []}, []]
)
def test_settings_of_another_kind_are_refused(settings: object) -> None:
    with pytest.raises(ConfigError, match="description of the program is invalid"):
        Description.from_json({**told(), "settings": settings})


def test_all_workers_together_have_a_limit() -> None:
    one = told(count=MAX_PROCESSES)
    one["places"] *= 2
    with pytest.raises(ConfigError, match=r"wants 8192 processes, more than 4096"):
        Description.from_json(one)
