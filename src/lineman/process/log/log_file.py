"""The log's file: it may be renamed or removed, or its disk full, without stopping the service."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import stat
import time
from pathlib import Path

from lineman.base.stdio import STDERR
from lineman.process.log.outlet import Outlet, PrivatePipe, Writer
from lineman.process.rundir import paths
from lineman.process.rundir.paths import Opener

# Seconds after which a process notices without a signal that the file was renamed or removed.
LOOK_EVERY = 1.0

# O_NONBLOCK: a pipe without a reader causes an error, and does not block the service.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


class LineHandler(logging.Handler):
    """Writes each record in one piece, so that lines of several processes never mix.

    While the file cannot be written, records go to standard error. One line there says so, and one
    line in the file when it works again.

    Args:
        path: the absolute path of the file, which is made if missing; None for standard error.
        owner: user and group that get a file of root's, so that processes of this user can open
            it again; only in a folder where root alone may create files.
        opener: opens the file; None for the usual way with this process' own rights.
        errors: standard error, for lines without a file and what cannot be written to it.
        is_told: whether it was already reported that the file cannot be written.
        look_every: seconds between looks whether another file lies there now.
    """

    def __init__(
        self,
        path: Path | None = None,
        owner: tuple[int, int] | None = None,
        opener: Opener | None = None,
        errors: Writer | None = None,
        *,
        is_told: bool = False,
        look_every: float = LOOK_EVERY,
    ) -> None:
        super().__init__()
        self._look_every = look_every
        self._is_told = is_told
        self._opener = opener or paths.opener()
        self._owner = owner
        self._path = path
        self._errors = errors or PrivatePipe(STDERR)
        self._errors.note = self._note_missing
        self._fd = -1
        self._identity: tuple[int, int] | None = None
        self._looked_at = -math.inf
        self._trouble = ""  # why the file cannot be written; empty while it can
        self._missing = 0  # records that the file lacks for this reason
        self._is_torn = False  # the last line in the file is incomplete

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record."""
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
        except Exception:
            self.handleError(record)
            return
        if self._path is None:
            self._errors.write(line)
            return
        try:
            self._write(line)
        except OSError as error:
            self._fail(error, line)

    def _write(self, line: bytes) -> None:
        self._look_now_and_then()
        if self._fd < 0:
            raise OSError(0, self._trouble)
        if self._trouble:
            self._recover()
        self._put(line)

    def _put(self, line: bytes) -> None:
        data = b"\n" + line if self._is_torn else line
        written = os.write(self._fd, data)
        self._is_torn = written < len(data)
        if self._is_torn:  # a full disk may have taken a part
            self._is_torn = os.write(self._fd, data[written:]) < len(data) - written

    def _recover(self) -> None:
        if self._missing:
            self._put(self._note_missing(self._missing, self._trouble))
        self._trouble = ""
        self._missing = 0
        self._is_told = False

    def _note_missing(self, count: int, why: str) -> bytes:
        text = f"{count} lines are missing here: {why}"
        record = logging.LogRecord("lineman", logging.WARNING, __file__, 0, text, None, None)
        return self.format(record).encode("utf-8", "backslashreplace") + b"\n"

    def _fail(self, error: OSError, line: bytes) -> None:
        if not self._trouble:
            self._trouble = (error.strerror or str(error)).lower()
            text = f"lineman: cannot write the log {self._path}: {self._trouble}; lines come here\n"
            if not self._is_told:
                self._errors.write(text.encode("utf-8", "backslashreplace"))
        if line:
            self._missing += 1
            self._errors.write(line)

    @property
    def path(self) -> Path | None:
        """The file; None for standard error."""
        return self._path

    @property
    def is_in_trouble(self) -> bool:
        """Whether a line has said that the file cannot be written, and it still cannot."""
        return bool(self._trouble)

    def look(self) -> None:
        """Opens the file again if it was renamed, if it is time to look."""
        if self._path is not None:
            with self.lock or contextlib.nullcontext(), contextlib.suppress(OSError):
                self._look_now_and_then()

    def _look_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._looked_at >= self._look_every:
            self._looked_at = now
            self._look()

    def _look(self) -> None:
        """Opens the file if it is not open, or if another file has its path now."""
        assert self._path is not None
        try:
            found = os.stat(self._path)
            if self._fd >= 0 and self._identity == (found.st_dev, found.st_ino):
                return
        except FileNotFoundError:
            pass
        self._open()

    def _open(self) -> None:
        assert self._path is not None
        old, self._fd = self._fd, -1
        try:
            opened = self._opener(self._path, _FLAGS, 0o640)
        finally:
            if old >= 0:
                os.close(old)
        status = os.fstat(opened)
        before, self._identity = self._identity, (status.st_dev, status.st_ino)
        self._fd = opened
        self._is_torn = False
        if self._owner is not None and _may_give(self._path, status):
            os.fchown(opened, *self._owner)
        _follow(before, opened)

    def reopen(self) -> None:
        """Opens the file again now; without a file this does nothing."""
        if self._path is None:
            return
        with self.lock or contextlib.nullcontext():
            try:
                self._looked_at = time.monotonic()
                self._open()
            except OSError as error:
                self._fail(error, b"")

    def flush(self) -> None:
        """Waits a short time until the lines for standard error are written."""
        if isinstance(self._errors, Outlet):
            self._errors.flush()

    def close(self) -> None:
        """Closes the file."""
        if self._path is not None and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        super().close()


def _may_give(path: Path, status: os.stat_result) -> bool:
    """Whether this is a file of root's whose path other users cannot have influenced."""
    if os.geteuid() != 0 or status.st_uid != 0 or not stat.S_ISREG(status.st_mode):
        return False
    for folder in path.parents:
        found = folder.lstat()
        is_open = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
        if found.st_uid != 0 or is_open or not stat.S_ISDIR(found.st_mode):
            return False
    return not path.parent.stat().st_mode & 0o022 and not path.is_symlink()


def _follow(before: tuple[int, int] | None, opened: int) -> None:
    """Redirects standard output and error to the new file, if they led to the old one."""
    for descriptor in (1, STDERR):
        with contextlib.suppress(OSError):
            status = os.fstat(descriptor)
            if before == (status.st_dev, status.st_ino):
                os.dup2(opened, descriptor)
