"""How far a load test has come: a bar on a terminal, a line for each phase elsewhere."""

from __future__ import annotations

import sys
from typing import Any, Protocol, TextIO

from lineman.cli.load.load_counts import LoadCounts
from lineman.cli.load.load_report import bar


class LoadProgress(Protocol):
    """Shows what goes on."""

    def show(self, phase: str, done: float, tally: LoadCounts) -> None:
        """Shows the phase, how far it is (0 to 1), and what was counted."""
        ...

    def close(self) -> None:
        """Leaves the terminal clean."""
        ...


def counted(tally: LoadCounts) -> str:
    """What was counted so far, in a few words."""
    words = [f"{tally.opened:,} open" if not tally.count else f"{tally.count:,} done"]
    failed = sum(tally.failures.values())
    return ", ".join([*words, *([f"{failed:,} failed"] if failed else [])])


class ProgressLines:
    """One line for each phase: for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._phase = ""

    def show(self, phase: str, done: float, tally: LoadCounts) -> None:
        """Names a phase once, when it begins."""
        if phase != self._phase:
            self._phase = phase
            print(f"{phase} …", file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing is left to clean."""


class PlainBar:
    """One line that is written over and over: a terminal without `rich`."""

    WIDTH = 30

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, phase: str, done: float, tally: LoadCounts) -> None:
        """Draws the line anew."""
        drawn = f"{bar(done, self.WIDTH):<{self.WIDTH}}"
        line = f"{phase:<28} {drawn} {done:>4.0%}  {counted(tally)}"
        self._stream.write(f"\r\x1b[K{line[:100]}")
        self._stream.flush()

    def close(self) -> None:
        """Takes the line away."""
        self._stream.write("\r\x1b[K")
        self._stream.flush()


class RichBar:
    """A bar drawn by `rich`, which is an extra.

    Raises:
        ImportError: it is not installed.
    """

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self._bar: Any = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[counted]}"),
            console=Console(file=stream),
            transient=True,
        )
        self._task = self._bar.add_task("", total=1.0, counted="")
        self._bar.start()

    def show(self, phase: str, done: float, tally: LoadCounts) -> None:
        """Moves the bar."""
        self._bar.update(self._task, description=phase, completed=done, counted=counted(tally))

    def close(self) -> None:
        """Takes the bar away."""
        self._bar.stop()


def choose(stream: TextIO | None = None) -> LoadProgress:
    """What suits the stream.

    Args:
        stream: where to show it; None for standard error, so that the report alone can be kept.
    """
    stream = sys.stderr if stream is None else stream
    if not stream.isatty():
        return ProgressLines(stream)
    try:
        return RichBar(stream)
    except ImportError:
        return PlainBar(stream)
