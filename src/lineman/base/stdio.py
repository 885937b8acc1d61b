"""Makes sure that standard input, output and error are open.

A launcher may have closed them. Then the next opened files get their numbers, and text for standard
error would be written into such a file: a database, a client's connection, a secret.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO, cast

STDIN, STDOUT, STDERR = 0, 1, 2

# The descriptor for standard error: 2, unless the program already had another file there.
error_descriptor = STDERR


def secure() -> None:
    """Opens the null device where a standard descriptor is closed, and gives Python a stream there.

    It is called when the package is loaded, before the package opens any file.
    """
    global error_descriptor
    opened = [number for number in (STDIN, STDOUT, STDERR) if _open_if_closed(number)]
    if sys.stdin is None:
        sys.stdin = _stream(STDIN, opened, "r")
    if sys.stdout is None:
        sys.stdout = _stream(STDOUT, opened, "w")
    if sys.stderr is None:
        sys.stderr = _stream(STDERR, opened, "w")
        error_descriptor = sys.stderr.fileno()


def _open_if_closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        os.set_inheritable(number, True)
        return True
    return False


def _stream(number: int, opened: list[int], mode: str) -> TextIO:
    # Python found it closed: its number now belongs to a file of Lineman or of the program.
    is_ours = number in opened
    where: int | str = number if is_ours else os.devnull
    return cast(TextIO, open(where, mode, errors="backslashreplace", closefd=not is_ours))
