"""The doctor's findings as text and as JSON (pure)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from lineman.base.finding import Finding, Level

OK = 0
ERRORS = 1
WARNINGS = 3

_MARKS = {Level.OK: "ok", Level.INFO: "info", Level.WARNING: "warning", Level.ERROR: "ERROR"}
_COLOURS = {Level.OK: "32", Level.INFO: "36", Level.WARNING: "33", Level.ERROR: "1;31"}


def exit_status(findings: Sequence[Finding]) -> int:
    """The exit status. 0: neither error nor warning; 3: warnings; 1: at least one error."""
    worst = max((finding.level for finding in findings), default=Level.OK)
    return {Level.ERROR: ERRORS, Level.WARNING: WARNINGS}.get(worst, OK)


def text(subject: str, findings: Sequence[Finding], is_coloured: bool) -> str:
    """A few lines for each finding, the likeliest cause first.

    Args:
        subject: what was looked at.
        findings: in their order.
        is_coloured: for a terminal.
    """
    lines = [subject]
    for finding in findings:
        mark = f"{_MARKS[finding.level]:8}"
        if is_coloured:
            mark = f"\x1b[{_COLOURS[finding.level]}m{mark}\x1b[0m"
        lines.append(f"{mark}{finding.name}: {printable(finding.seen)}")
        if finding.fix and finding.level is not Level.OK:
            lines.append(f"        fix: {printable(finding.fix)}")
    lines.append(_summary(findings))
    return "\n".join(lines)


def _summary(findings: Sequence[Finding]) -> str:
    count = {level: sum(finding.level is level for finding in findings) for level in Level}
    first = next((finding for finding in findings if finding.level is Level.ERROR), None)
    if first is not None:
        return f"likeliest cause: {first.name}; a browser reports every failure as 1006"
    if count[Level.WARNING]:
        return f"clients can connect; {count[Level.WARNING]} warning(s)"
    return "nothing is wrong here"


def as_json(subject: str, findings: Sequence[Finding]) -> str:
    """One object: `subject`, `status` (that of the process), `findings` in order."""
    return json.dumps(
        {
            "subject": subject,
            "status": exit_status(findings),
            "findings": [
                {
                    "level": finding.level.name.lower(),
                    "name": finding.name,
                    "seen": finding.seen,
                    "fix": finding.fix,
                }
                for finding in findings
            ],
        },
        ensure_ascii=False,
        indent=2,
    )


def printable(words: str) -> str:
    """A text whose control characters are replaced by their codes, for a terminal."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in words)
