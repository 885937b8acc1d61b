"""Makes every signal wake `select`."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def woken_by_signals() -> Iterator[int]:
    """Makes a descriptor readable at every signal that Python handles.

    Python runs a handler between two of its own instructions. If a signal comes after `select` was
    called and before it waits, its handler runs only when something else ends the wait, perhaps
    never.

    Yields:
        The descriptor, for `select`; the caller empties it with `os.read`.
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
