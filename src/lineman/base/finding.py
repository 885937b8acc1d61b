"""A finding about a service or a certificate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How bad a finding is: the higher, the worse."""

    OK = 0
    INFO = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Args:
        level: ERROR: clients cannot connect, or lose the connection; WARNING: some cannot, or will
            not be able to later; INFO: good to know.
        name: its heading in docs/reference/doctor.md; empty if it needs none.
        seen: what was seen, as a sentence without a full stop.
        fix: the command or the line that mends it; empty where nothing needs mending.
    """

    level: Level
    name: str
    seen: str
    fix: str = ""
