"""What a program passes to the `lineman` that it becomes: how to run it, and its description."""

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
        pid_file: the pid file that it names; None for the default.
        description: the description as plain data; None if the command needs none.
        name: the command by which its user starts it, such as `python app.py`.
    """

    program: Program
    pid_file: str | None
    description: dict[str, Any] | None
    name: str

    def to_json(self) -> dict[str, Any]:
        """The object as plain data."""
        return asdict(self)


def take_handoff() -> Handoff | None:
    """The handoff from the program; None if `lineman` was called directly."""
    value = os.environ.pop(PROGRAM_VARIABLE, None)
    if value is None:
        return None
    data = json.loads(value)
    given = data.pop("program")
    words = {name: tuple(given[name]) for name in ("command", "arguments")}
    program = Program(**{**given, **words})
    return Handoff(program, **data)
