"""Watches the program's files for changes since they were loaded, for `--watch`."""

from __future__ import annotations

import asyncio
import os
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Mapping

from lineman.process.child import usage

# Seconds between looks. A change counts when nothing more has changed for this time.
LOOK = 0.4


async def watch_files(changed: Callable[[str], None], also: Iterable[str] = ()) -> None:
    """Calls `changed` with a path each time files of the program have changed.

    Only files that this process has loaded count: its script and the modules that it imports,
    without installed packages.

    Args:
        changed: gets the path of a file that has changed.
        also: further files, which need not exist.
    """
    seen = stamps({*program_files(), *also})
    # A file that has changed since the start may have been loaded before the change.
    started = usage.started()
    seen |= {path: 0.0 for path, at in seen.items() if started < at <= time.time()}
    while True:
        await asyncio.sleep(LOOK)
        now = stamps({*seen, *program_files()})
        different = [path for path in seen if now.get(path) != seen[path]]
        if different:
            now = await _settled(now)
            changed(different[0])
        seen = now


async def _settled(now: Mapping[str, float]) -> dict[str, float]:
    """Waits until an editor or a checkout has written all its files."""
    while True:
        await asyncio.sleep(LOOK)
        later = stamps(now)
        if later == now:
            return later
        now = later


def program_files() -> set[str]:
    """The files that belong to the program itself and are loaded."""
    installed = tuple(
        os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "purelib", "platlib")
    )
    own = os.path.join(
        os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), ""
    )
    paths = {
        os.path.abspath(path)
        for module in list(sys.modules.values())
        if (path := getattr(module, "__file__", None)) and path.endswith(".py")
    }
    return {path for path in paths if not path.startswith((*installed, own))}


def stamps(paths: Iterable[str]) -> dict[str, float]:
    """The time of each file's last change; 0 if it is gone, as while an editor replaces it."""
    found = {}
    for path in paths:
        try:
            found[path] = os.stat(path).st_mtime
        except OSError:
            found[path] = 0.0
    return found
