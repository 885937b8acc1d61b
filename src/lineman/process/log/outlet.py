"""Writes without waiting: lines that are not read in time are dropped and counted.

A pipe, a socket or a terminal may block, and a disk may be full. Descriptors from a launcher are
shared with it, and so are their flags: making them non-blocking would break the launcher. Asking
for room is no help, because other processes write there as well. So a thread waits instead.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Protocol

# Bytes that may wait for a reader.
LIMIT = 1024 * 1024
# Seconds for waiting lines to be written at the end of a process.
PATIENCE = 1.0

SLOW = "nobody has read them in time"

# Makes a line from the number of missing lines and the reason.
Note = Callable[[int, str], bytes]


class Writer(Protocol):
    """Takes lines to write.

    Attributes:
        note: makes the line that stands where others are missing.
    """

    note: Note

    def write(self, data: bytes) -> None:
        """Takes whole lines, and returns at once."""


def plain_note(count: int, why: str) -> bytes:
    """A line that says how many lines are missing."""
    return f"lineman: {count:,} lines are missing here: {why}\n".encode()


class Outlet:
    """A descriptor with its own writer thread.

    Args:
        descriptor: stays open for as long as this is used.
        note: makes the line that stands where others are missing.
    """

    def __init__(self, descriptor: int, note: Note = plain_note) -> None:
        self.note = note
        self._descriptor = descriptor
        self._waiting: list[bytes] = []
        self._size = 0
        self._dropped = 0  # lines dropped after the waiting ones
        self._is_writing = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        # Only the thread uses these.
        self._lost = 0  # lines lost before the waiting ones
        self._why = ""
        self._is_torn = False

    def write(self, data: bytes) -> None:
        """Takes whole lines, or drops them; returns at once."""
        with self._changed:
            if self._size + len(data) > LIMIT:
                self._dropped += max(1, data.count(b"\n"))
                return
            self._waiting.append(data)
            self._size += len(data)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lineman-log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, timeout: float = PATIENCE) -> None:
        """Returns when all lines are written, or after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._waiting or self._is_writing:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    return

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                while not self._waiting:
                    self._changed.wait()
                data = b"".join(self._waiting)
                dropped, self._dropped = self._dropped, 0
                self._waiting.clear()
                self._size = 0
                self._is_writing = True
            self._put(data, dropped)

    def _put(self, data: bytes, dropped: int) -> None:
        """Writes lines, with the numbers of missing lines before and after them."""
        head = b"\n" if self._is_torn else b""
        if self._lost:
            head += self.note(self._lost, self._why)
        whole = head + data + (self.note(dropped, SLOW) if dropped else b"")
        start = 0
        while start < len(whole):
            try:
                start += os.write(self._descriptor, whole[start : start + 65536])
            except BlockingIOError:  # the launcher has made it non-blocking
                with contextlib.suppress(OSError):
                    select.select([], [self._descriptor], [], PATIENCE)
            except OSError as error:
                self._why = (error.strerror or str(error)).lower()
                if start >= len(head):
                    self._lost = 0  # it has been said
                self._lost += data.count(b"\n", max(0, start - len(head))) + dropped
                self._is_torn = start > 0 and whole[start - 1 : start] != b"\n"
                return
        self._lost = 0
        self._is_torn = False


class PrivatePipe:
    """The pipe to the master, to which this process alone writes; the master always reads it.

    A stopped master (SIGSTOP) does not read: then lines are dropped, and the service continues.

    Args:
        descriptor: the descriptor of the pipe.
        note: makes the line that stands where others are missing.
    """

    def __init__(self, descriptor: int, note: Note = plain_note) -> None:
        self.note = note
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._dropped = 0
        self._is_torn = False

    def write(self, data: bytes) -> None:
        """Writes whole lines, or drops them; returns at once."""
        head = b"\n" if self._is_torn else b""
        if self._dropped:
            head += self.note(self._dropped, SLOW)
        whole = head + data
        for start in range(0, len(whole), select.PIPE_BUF):
            part = whole[start : start + select.PIPE_BUF]
            try:
                if not self._poll.poll(0):
                    raise BlockingIOError
                os.write(self._descriptor, part)  # a pipe with room takes this part at once
            except OSError:
                if start >= len(head):
                    self._dropped = 0  # it has been said
                self._dropped += max(1, data.count(b"\n", max(0, start - len(head))))
                self._is_torn = self._is_torn or start > 0
                return
        self._dropped = 0
        self._is_torn = False
