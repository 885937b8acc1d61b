"""A record of the log as a line of text, or of JSON. Pure."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

# Characters that would move a terminal's cursor or begin a false line.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))}

_INDENT = "    "

# The names that every record has; others were given with `extra=`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class TextFormatter(logging.Formatter):
    """`2026-11-25 13:20:00,123 [4711] INFO listening on …`.

    Lines after the first one are indented, so that text from a client cannot look like a line of
    the log. The name of the logger comes before the message, unless it is Lineman's.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s [%(process)d] %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The first line of the record."""
        if record.name not in ("root", "lineman"):
            record.message = f"{record.name}: {record.message}"
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """The record, with its exception in the following lines."""
        text = super().format(record).translate(_ESCAPES)
        return text.replace("\n", f"\n{_INDENT}")


class JsonFormatter(logging.Formatter):
    """One JSON object: `time`, `level`, `pid`, `worker`, `slot`, `logger`, `message`.

    An exception is a text in `exception`; values that were given with `extra=` follow by name.

    Args:
        worker: the name of this process' worker; empty for the master.
        slot: the number of this process in the worker; None for the master.
    """

    def __init__(self, worker: str = "", slot: int | None = None) -> None:
        super().__init__()
        self._place = {} if slot is None else {"worker": worker, "slot": slot}

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "pid": record.process,
            **self._place,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        for name, value in vars(record).items():
            if name not in _STANDARD:
                line.setdefault(name, value)
        return json.dumps(line, ensure_ascii=False, default=str)
