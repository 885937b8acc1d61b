"""Which process of a seat owns the time: the one that holds a lock on the seat's time sheet.

During a reload two processes of a seat run side by side, and the jobs must run in one of them. The
time sheet is a piece of memory that the master makes for the seat, and that its processes inherit.
The process that runs the jobs holds a lock on it. It writes down when each job is due next, and
gives the lock back when it is told to retire; the kernel does so where it dies. The next process
waits for the lock, and goes on with the written times.

Locks on the same memory also say which processes of the seat listen, and which is the newest: they
have one listening socket together, and only the newest may shut it down.

The sheet was written by a process of the service's user, and an attacker may control that process:
its content is not trusted.

Source: fcntl_locking(2), "Advisory record locking": such a lock belongs to the process, not to the
descriptor that it has inherited.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Protocol

from lineman.base.forks import keep_from_children

logger = logging.getLogger("lineman")

# A job in the sheet: its key, and when it is due next.
RECORD = struct.Struct("<16sd")
MAX_JOBS = 100_000
# What is locked need not exist: the first byte stands for the time of the seat, those from here on
# for jobs that still run in a process that has given the time back.
TIME = 0
RUNS = 1 << 32
# The byte that is locked while a process begins or ends listening; behind it one for each process
# that listens, at the nanoseconds of the moment when it began.
SOCKET = 1 << 40


def key_of(*names: object) -> bytes:
    """The key of a job, the same in every process that has the job."""
    return blake2b("\0".join(map(str, names)).encode(), digest_size=16).digest()


class Retiring(Protocol):
    """What runs jobs in this process."""

    def retire(self) -> None:
        """Begins no run from now on."""


class SeatDuty:
    """The time sheet of a seat, in one of its processes.

    Args:
        descriptor: the inherited memory.

    Attributes:
        inherited: when each job was due next in the process before, by key; not trusted.
        members: the timekeepers of this process.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.inherited: dict[bytes, float] = {}
        self.members: list[Retiring] = []
        self._waiting: list[Callable[[], None]] = []
        self._records: dict[bytes, int] = {}
        self._is_on = False
        self._has_left = False
        self._listens_at = 0  # where this process has said that it listens
        keep_from_children(self)

    def descriptors(self) -> list[int]:
        """The descriptor of the sheet."""
        return [self._descriptor]

    # The time.

    def ask(self) -> None:
        """Waits for the time, beside the event loop; call it when the process is ready."""
        loop = asyncio.get_running_loop()

        def wait() -> None:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, TIME)
            with contextlib.suppress(RuntimeError):  # the loop has ended, and so does the process
                loop.call_soon_threadsafe(self._begin)

        threading.Thread(target=wait, name="lineman-time", daemon=True).start()

    def _begin(self) -> None:
        if self._has_left:
            self._unlock(TIME)
            return
        self._is_on = True
        self.inherited = self._read()
        os.ftruncate(self._descriptor, 0)
        waiting, self._waiting = self._waiting, []
        for function in waiting:
            function()

    def when_on(self, function: Callable[[], None]) -> None:
        """Calls a function when this process owns the time, which may be now."""
        if self._is_on:
            function()
        elif not self._has_left:
            self._waiting.append(function)

    def leave(self) -> None:
        """Ends all jobs of this process, and gives the time to the next one."""
        if self._has_left:
            return
        self._has_left = True
        self._waiting.clear()
        for each in list(self.members):
            each.retire()
        if self._is_on:
            self._unlock(TIME)
        self._is_on = False

    # The sheet.

    def note(self, key: bytes, due: float) -> None:
        """Writes down when a job is due next."""
        if not self._is_on:
            return
        place = self._records.setdefault(key, len(self._records))
        if place < MAX_JOBS:
            os.pwrite(self._descriptor, RECORD.pack(key, due), place * RECORD.size)

    def _read(self) -> dict[bytes, float]:
        content = os.pread(self._descriptor, MAX_JOBS * RECORD.size, 0)
        whole = len(content) - len(content) % RECORD.size
        return dict(RECORD.iter_unpack(content[:whole]))

    # Runs that go on.

    def hold(self, key: bytes) -> None:
        """Says that a run of a job goes on here, although the time is another process'."""
        self._lock(_place(key))

    def let_go(self, key: bytes) -> None:
        """Says that this run has ended."""
        self._unlock(_place(key))

    def is_held(self, key: bytes) -> bool:
        """Whether a run of a job goes on in another process."""
        if not self._lock(_place(key)):
            return True
        self._unlock(_place(key))
        return False

    # The listening sockets.

    @contextlib.contextmanager
    def socket_held(self) -> Iterator[None]:
        """Meanwhile no other process of the seat begins to listen, or shuts the socket down."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, SOCKET)
        try:
            yield
        finally:
            self._unlock(SOCKET)

    def note_listening(self) -> None:
        """Says that this process listens from now on."""
        if not self._listens_at:
            self._listens_at = SOCKET + 1 + time.monotonic_ns()
            self._lock(self._listens_at)

    def has_successor(self) -> bool:
        """Whether a process that began to listen later than this one listens still."""
        behind = self._listens_at + 1 if self._listens_at else SOCKET + 1
        if not self._lock(behind, 0):
            return True
        self._unlock(behind, 0)
        return False

    def _lock(self, place: int, count: int = 1) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, count, place)
        except OSError:
            return False
        return True

    def _unlock(self, place: int, count: int = 1) -> None:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, count, place)
        except OSError as error:  # pragma: no cover
            logger.error("a lock of the time sheet cannot be given back: %s", error)


def _place(key: bytes) -> int:
    return RUNS + int.from_bytes(key[:4], "little")


# The duty of this process; None where no master has started it: then it owns the time itself.
of_process: SeatDuty | None = None


@contextlib.contextmanager
def listening_begins() -> Iterator[None]:
    """The process begins to listen inside: from then on it alone may shut the socket down."""
    duty = of_process
    if duty is None:
        yield
        return
    with duty.socket_held():
        duty.note_listening()
        yield


@contextlib.contextmanager
def listening_ends() -> Iterator[bool]:
    """The process ends listening inside; gets whether it may shut the seat's socket down."""
    duty = of_process
    if duty is None:
        yield True
        return
    with duty.socket_held():
        yield not duty.has_successor()


def open_sheet(descriptor: int) -> None:
    """Uses the time sheet of a seat in this process.

    Args:
        descriptor: the inherited memory; -1 if there is none.
    """
    global of_process
    of_process = None if descriptor < 0 else SeatDuty(descriptor)
