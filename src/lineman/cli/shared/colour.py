"""Colours for lines on a terminal, pure. The text of a line never depends on them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

BOLD, REVERSE, RED, YELLOW, DIM, PLAIN = (
    "\x1b[1m", "\x1b[7m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m",
)  # fmt: skip

_TROUBLE = re.compile(r"TROUBLE:|trying again:")
# States of a process that does not serve as it should.
_STATE = re.compile(r"(?<= )(busy|starting|retiring|stopping)(?= )")
_HEADING = re.compile(r"[A-Z][A-Z ]+[A-Z]\b")


def is_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal shows colours and NO_COLOR does not forbid them (no-color.org)."""
    return not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb"


def paint(lines: Sequence[str]) -> list[str]:
    """The lines of a picture with colours: its head, headings, troubles, and keys at the end."""
    last = len(lines) - 1
    return [_painted(line, number == 0, number == last) for number, line in enumerate(lines)]


def _painted(line: str, is_first: bool, is_last: bool) -> str:
    if not line.strip():
        return line
    if _TROUBLE.match(line):
        return f"{RED}{BOLD}{line}{PLAIN}"
    if is_last:
        return f"{REVERSE}{line}{PLAIN}"
    if is_first:
        return f"{BOLD}{line}{PLAIN}"
    if _HEADING.match(line):
        return f"{DIM}{line}{PLAIN}"
    return _STATE.sub(rf"{YELLOW}\1{PLAIN}", line)
