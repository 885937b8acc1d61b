"""The open file descriptors of this process, and whether any was left open."""

from __future__ import annotations

import contextlib
import gc
import os

from kit.waiting import wait_until


def descriptors() -> set[tuple[int, str]]:
    """The open file descriptors of this process, each with what it is."""
    gc.collect()  # what earlier tests have dropped goes now, not while somebody counts
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that lists, and who closes just now
            found.add((int(name), os.readlink(f"/proc/self/fd/{name}")))
    return found


def wait_until_none_is_left(before: set[tuple[int, str]]) -> None:
    """Returns when no descriptor is open but those of `before`; what others close is theirs."""
    wait_until(lambda: descriptors() <= before, "everything that was opened is closed")
