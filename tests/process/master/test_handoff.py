"""The data in the environment that a program leaves for the `lineman` that replaces it."""

from __future__ import annotations

import json
import os

import pytest

from lineman.process.master.children import Program
from lineman.process.master.handoff import Handoff, take_handoff
from lineman.process.messages.role import PROGRAM_VARIABLE


@pytest.mark.parametrize("description", [None, {"places": [{"port": 80}]}])
def test_it_comes_back_as_it_was_left_and_no_child_inherits_it(
    monkeypatch: pytest.MonkeyPatch, description: dict[str, object] | None
) -> None:
    program = Program(("python", "app.py"), "/srv", "app.py", ("--port", "80"))
    left = Handoff(program, "/run/app.pid", description, "python app.py")
    monkeypatch.setenv(PROGRAM_VARIABLE, json.dumps(left.to_json()))
    assert take_handoff() == left
    assert PROGRAM_VARIABLE not in os.environ
    assert take_handoff() is None
