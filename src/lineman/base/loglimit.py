"""Limits log lines of each kind, so that clients cannot fill the log.

Lines of one kind have the same remedy. Lines of different kinds never displace each other, so many
lines of one kind cannot hide another kind. The kind of an exception is its type and the places in
its traceback.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from lineman.base.unknown_names import explain

# Lines of one kind that are logged within a window of seconds; the others are counted,
LINES = 10
WINDOW = 60.0
# and the count is logged after this number of seconds at most.
SUMMARY = 10.0
# Seconds after which the same traceback is logged again; a window without it has the same effect.
REPEAT = 3600.0
# Different tracebacks that are remembered; further ones are logged only by type and place.
TRACEBACKS = 30
# Characters after which a line is cut: parts of it may come from a client.
MAX_TEXT = 1000

# The position where the part of a text begins that a client may have written.
_VARYING = re.compile(r"[\"'(:;\d]|https?:|<")
# Where packages are installed: a framework calls the program's own code from there.
_INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]")
_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep


@dataclass(slots=True)
class _Kind:
    level: int
    text: str
    lines: int
    window: float
    started: float
    seen: float
    count: int = 0
    left_out: int = 0
    left_out_since: float = 0.0


class LogLimit:
    """Logs some lines of each kind and counts the rest.

    Args:
        logger: where the lines go.
        clock: gives the time in seconds.
        summary: seconds within which the count of omitted lines is logged.
    """

    def __init__(
        self,
        logger: logging.Logger,
        clock: Callable[[], float] = time.monotonic,
        summary: float = SUMMARY,
    ) -> None:
        self._logger = logger
        self._summary = summary
        self._clock = clock
        self._kinds: dict[Hashable, _Kind] = {}
        self._tracebacks = 0
        self._timer: asyncio.TimerHandle | None = None

    def log(self, level: int, kind: str, message: str, *args: object, lines: int = LINES) -> None:
        """Logs a line; counts it instead if its kind has had `lines` lines in this window."""
        if self._may_log(kind, level, kind, lines, WINDOW):
            text = message % args if args else message
            self._logger.log(level, "%s", _cut(text))

    def exception(self, error: BaseException, message: str, *args: object) -> None:
        """Logs a line with a traceback; counts it instead if the same traceback was logged."""
        places = _places(error)
        kind = (type(error), frozenset(places))
        text = f"{type(error).__name__} at {_of_program(places)}"
        if kind not in self._kinds and self._tracebacks >= TRACEBACKS:
            self.log(logging.ERROR, "other exceptions", "%s; %s", message % args, text)
        elif self._may_log(kind, logging.ERROR, text, 1, REPEAT):
            explain(error)
            self._logger.error("%s", _cut(message % args), exc_info=error)

    def _may_log(self, key: Hashable, level: int, text: str, lines: int, window: float) -> bool:
        now = self._clock()
        kind = self._kinds.get(key)
        if kind is not None and (now - kind.started >= kind.window or now - kind.seen >= WINDOW):
            self._forget(key, kind, now)
            kind = None
        if kind is None:
            kind = self._kinds[key] = _Kind(level, text, lines, window, now, now)
            self._tracebacks += not isinstance(key, str)
        kind.seen = now
        kind.count += 1
        if kind.count <= kind.lines:
            return True
        if not kind.left_out:
            kind.left_out_since = now
        kind.left_out += 1
        if self._timer is None:
            # Without an event loop the next line of its kind logs the count.
            with contextlib.suppress(RuntimeError):
                self._timer = asyncio.get_running_loop().call_later(self._summary, self.tell)
        return False

    def _forget(self, key: Hashable, kind: _Kind, now: float) -> None:
        self._tell(kind, now)
        del self._kinds[key]
        self._tracebacks -= not isinstance(key, str)

    def tell(self) -> None:
        """Logs now how many lines were omitted since the last count."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._clock()
        for key, kind in list(self._kinds.items()):
            if now - kind.seen >= WINDOW:
                self._forget(key, kind, now)
            else:
                self._tell(kind, now)

    def _tell(self, kind: _Kind, now: float) -> None:
        count, kind.left_out = kind.left_out, 0
        if count:
            seconds = max(1, round(now - kind.left_out_since))
            self._logger.log(
                kind.level, "%s: %s more times in the last %d s", kind.text, f"{count:,}", seconds
            )


def kind_of(prefix: str, text: str) -> str:
    """A kind from the fixed beginning of a text, up to its first quotation or number."""
    return f"{prefix}: {_VARYING.split(text)[0]}".rstrip(": ")


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}… ({len(text):,} characters)"


def _places(error: BaseException) -> list[tuple[str, int, str]]:
    """File, line and function of each frame, from the outermost one on."""
    found = []
    frame = error.__traceback__
    while frame is not None:
        code = frame.tb_frame.f_code
        found.append((code.co_filename, frame.tb_lineno, code.co_name))
        frame = frame.tb_next
    return found


def _of_program(places: list[tuple[str, int, str]]) -> str:
    """The outermost place outside of Lineman and of installed packages: the program's own line."""
    others = [place for place in places if not place[0].startswith((_PACKAGE, "src/lineman/"))]
    own = [place for place in others if not _INSTALLED.search(place[0])]
    if not places:
        return "an unknown place"
    file, line, function = (own or others or places)[0]
    return f"{file}:{line} in {function}"
