"""What a program gives to the `lineman` that takes its place: how to run it, and what it is."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

from lineman.process.master.children import Program
from lineman.process.messages.role import PROGRAM_VARIABLE


@dataclass(frozen=True, slots=True)
class Handoff:
    """A program that has been started by hand.

    Attributes:
        program: how to run it.
        pid_file: the one that it names; None for the default.
        description: as plain data; None where the command needs none.
        name: how its user calls it, such as `python app.py`.
    """

    program: Program
    pid_file: str | None
    description: dict[str, Any] | None
    name: str

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        return asdict(self)


def take_handoff() -> Handoff | None:
    """What a program has left for this process; None where `lineman` was called by hand."""
    value = os.environ.pop(PROGRAM_VARIABLE, None)
    if value is None:
        return None
    data = json.loads(value)
    given = data.pop("program")
    words = {name: tuple(given[name]) for name in ("command", "arguments")}
    program = Program(**{**given, **words})
    return Handoff(program, **data)
