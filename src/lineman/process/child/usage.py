"""The kernel's figures of this process: memory, CPU time, descriptors."""

from __future__ import annotations

import os
import re
import resource
import time
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
_PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)

_BORN = time.time()  # this module is loaded with the process


def started() -> float:
    """When this process was started, in seconds since 1970."""
    try:
        stat = Path("/proc/self/stat").read_bytes()
        uptime = float(Path("/proc/uptime").read_bytes().split()[0])
        ticks = int(stat.rpartition(b")")[2].split()[19])  # starttime of proc(5)
        return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return _BORN


def rss() -> int:
    """Bytes of memory in use, shared ones included."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def pss() -> int | None:
    """Bytes of memory in use, shared memory divided by its users; None if unknown."""
    try:
        found = _PSS.search(Path("/proc/self/smaps_rollup").read_bytes())
    except OSError:
        return None
    return None if found is None else int(found.group(1)) * 1024


def cpu_seconds() -> float:
    """CPU time spent since the start, user and system."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


def descriptors() -> tuple[int, int]:
    """The number of file descriptors in use, and their limit; 0 for an unknown number."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        # The size of this folder is their number since Linux 6.2; listing it is slow for many.
        used = os.stat("/proc/self/fd").st_size or len(os.listdir("/proc/self/fd")) - 1
    except OSError:
        used = 0
    return used, max(0, limit)
