"""Standard output that may be full, closed, or limited to ASCII: how commands still write to it."""

from __future__ import annotations

import contextlib
import io
import select
import sys

# Commands that count as done even if their output could not be written.
DOING = frozenset({"start", "run", "restart", "stop", "reload", "push", "cert"})


class OutputLostError(Exception):
    """Standard output takes nothing more."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"cannot write to standard output: {(error.strerror or '').lower()}")
        self.is_broken_pipe = isinstance(error, BrokenPipeError)


class _Descriptor(io.FileIO):
    """Standard output or error; after its first fault it takes everything and writes nothing.

    Args:
        is_told: whether the fault is raised, as an `OutputLostError`.
    """

    def __init__(self, descriptor: int, is_told: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._is_told = is_told
        self._is_lost = False

    def write(self, data: bytes) -> int:  # type: ignore[override]  # as a buffer calls it
        size = len(data)
        while not self._is_lost:
            try:
                written = super().write(data)
            except OSError as error:
                self._is_lost = True
                if self._is_told:
                    raise OutputLostError(error) from None
                break
            if written is not None:
                return written
            select.select([], [self], [])  # the process that opened it made it non-blocking
        return size


def guard(command: str) -> None:
    """Makes sure that no fault of the output ends this process, nor any character that it lacks.

    Args:
        command: the first word of the command line. A command that prints information ends with an
            `OutputLostError` if nobody can read it; a command that does something still does it.
    """
    if sys.stdout is sys.__stdout__ and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _guarded(sys.stdout, command not in DOING)
    if sys.stderr is sys.__stderr__ and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _guarded(sys.stderr, is_told=False)


def _guarded(stream: io.TextIOWrapper, is_told: bool) -> io.TextIOWrapper:
    with contextlib.suppress(OSError):
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Descriptor(stream.fileno(), is_told)),  # type: ignore[type-var]
        encoding=stream.encoding,
        errors="backslashreplace",
        # With `-u` Python writes without a buffer; here it then writes each line at once.
        line_buffering=stream.line_buffering or stream.write_through,
    )
