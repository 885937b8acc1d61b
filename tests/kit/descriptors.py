"""The open file descriptors of this process, and whether any was left open."""

from __future__ import annotations

import contextlib
import gc
import os

from kit.waiting import wait_until


def descriptors() -> set[tuple[int, str]]:
    """The open file descriptors of this process, each with its target."""
    gc.collect()  # frees the garbage of earlier tests now, not while a test counts
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # of this listing, or just closed
            found.add((int(name), os.readlink(f"/proc/self/fd/{name}")))
    return found


def wait_until_none_is_left(before: set[tuple[int, str]]) -> None:
    """Returns once only descriptors of `before` are open; some of those may be closed."""
    wait_until(lambda: descriptors() <= before, "everything that was opened is closed")
