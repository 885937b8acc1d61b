"""Signals that `select` does not sleep through."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def woken_by_signals() -> Iterator[int]:
    """Has every signal that Python handles make a descriptor readable.

    Python runs its handler between two instructions of its own. Of a signal that comes when
    `select` was called and does not wait yet, it would know when something else ends the waiting,
    which may be never.

    Yields:
        The descriptor, for `select`; to be emptied with `os.read`.
    """
    heard, note = os.pipe()
    for end in (heard, note):
        os.set_blocking(end, False)
    before = signal.set_wakeup_fd(note, warn_on_full_buffer=False)
    try:
        yield heard
    finally:
        signal.set_wakeup_fd(before)
        os.close(heard)
        os.close(note)
