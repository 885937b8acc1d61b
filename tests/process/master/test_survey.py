"""A program's survey of its workers: accepted only if each value is valid."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineman.errors import ConfigError
from lineman.process.master.description import Place, PlaceAddress
from lineman.process.master.survey import MAX_WORDS, Survey, Surveyed, SurveyedAddress
from lineman.process.messages.process_rules import MAX_ADDRESSES

HERE = PlaceAddress("ws://0.0.0.0:80", "ws", "0.0.0.0", 80)
PLACE = Place("ws://0.0.0.0:80", 0, "chat", (HERE,), 2, 100)
CHAT = Surveyed("chat", place=PLACE, addresses=(SurveyedAddress("ws://0.0.0.0:80", True),))
WHOLE = Survey((CHAT, Surveyed("jobs")))


def told(**change: Any) -> Any:
    data = json.loads(json.dumps(WHOLE.to_json()))
    data["workers"][0].update(change)
    return data


def test_it_comes_over_the_wire_as_it_was() -> None:
    assert Survey.from_json(told()) == WHOLE
    assert WHOLE.places == (PLACE,)


@pytest.mark.parametrize(
    "change",
    [
        {"certificate": "ab"},
        {"fault": "two\nlines"},
        {"fault": "x" * (MAX_WORDS + 2)},
        {"ping_interval": -1},
        {"max_message_size": 2**63},
        {"real_ip_header": "X-Real-IP"},
        {"addresses": [{"url": 5}]},
        {"addresses": [{"url": "ws://0.0.0.0:80"}] * (MAX_ADDRESSES + 1)},
    ],
)
def test_what_no_program_tells_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="description of the program is invalid"):
        Survey.from_json(told(**change))


def test_a_survey_without_a_worker_is_refused() -> None:
    with pytest.raises(ConfigError, match="description of the program is invalid"):
        Survey.from_json({"workers": []})


def test_the_words_of_a_fault_become_one_line_that_may_be_shown() -> None:
    failed = WHOLE.failing(ConfigError("no\x1b[2J file\n" + "x" * 5000, "make one"))
    assert failed.places == ()
    assert {worker.fault[:12] for worker in failed.workers} == {"no [2J file "}
    assert {worker.fix for worker in failed.workers} == {"make one"}
    assert Survey.from_json(json.loads(json.dumps(failed.to_json()))) == failed
