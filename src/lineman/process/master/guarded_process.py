"""Protects a process against other processes of its user.

The kernel lets a process read another's descriptors and memory (ptrace(2), pidfd_getfd(2),
/proc/PID/mem) if both have the same user, unless the other has a capability that the first lacks.
So a process that describes a program to root gets a harmless capability.

Source: capabilities(7), ptrace(2), "Ptrace access mode checking"
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from lineman.process.rundir.owner import Owner

# The least harmful first: timers that wake a sleeping machine, keeping it awake, ports below 1024.
# A container may have only the last one.
CAP_WAKE_ALARM, CAP_BLOCK_SUSPEND, CAP_NET_BIND_SERVICE = 35, 36, 10
HARMLESS = (CAP_WAKE_ALARM, CAP_BLOCK_SUSPEND, CAP_NET_BIND_SERVICE)

_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    """One half of the sets: capabilities 0 to 31, or those above."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def guarded(owner: Owner, harmless: Sequence[int] = HARMLESS) -> Callable[[], None] | None:
    """A function that gives a forked process to a user and protects it against the user's others.

    Args:
        owner: the user.
        harmless: capabilities; the process gets the first one that this process has.

    Returns:
        A function to call before `exec`; None if this process has none of the capabilities.
    """
    chosen = next((each for each in harmless if _has(each)), None)
    if chosen is None:
        return None
    libc = ctypes.CDLL(None, use_errno=True)  # loaded before the fork

    def become() -> None:
        _check(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
        os.setgroups(owner.groups)
        os.setresgid(owner.gid, owner.gid, owner.gid)
        os.setresuid(owner.uid, owner.uid, owner.uid)
        _check(libc.capset(ctypes.byref(_Header(_VERSION_3, 0)), ctypes.byref(_only(chosen))))
        _check(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, chosen, 0, 0))

    return become


def _has(capability: int) -> bool:
    try:
        told = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return False
    found = re.search(r"^CapPrm:\s*([0-9a-f]+)$", told, re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> capability & 1)


def _only(capability: int) -> ctypes.Array[_Sets]:
    sets = (_Sets * 2)()
    bit = 1 << capability % 32
    sets[capability // 32] = _Sets(bit, bit, bit)
    return sets


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
