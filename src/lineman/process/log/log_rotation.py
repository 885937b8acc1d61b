"""Limits the size of the log's file: it gets another name, and a new file takes its place.

Only the master does this. The other processes find the new file under the old name within a second,
as after logrotate. So no line is lost, and the limit may be exceeded by what is written meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
from pathlib import Path

from lineman.process.rundir.paths import OpenFolder, folder_opener

logger = logging.getLogger("lineman")

# Errors of a file system that has no hard links, or of a file of which this user may make none.
_NO_LINK = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class LogRotation:
    """Renames a log file that has grown too large: `app.log.1`, then `app.log.2` and so on.

    Args:
        path: the absolute path of the file.
        max_size: the size in bytes from which it is renamed.
        keep: how many renamed files stay; 0 deletes the file.
        open_folder: opens its directory; None for the usual way with this process' own rights.
    """

    def __init__(
        self, path: Path, max_size: int, keep: int, open_folder: OpenFolder | None = None
    ) -> None:
        self._path = path
        self._max_size = max_size
        self._keep = keep
        self._open_folder = open_folder or folder_opener()
        self._fault = ""

    def look(self) -> bool:
        """Renames the file if it is too large; returns whether there is a new one."""
        try:
            if self._path.stat().st_size < self._max_size:
                return False
            with self._open_folder(self._path) as (folder, name):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if not stat.S_ISREG(found.st_mode):
                    return False  # a pipe or a device has no size
                self._rotate(folder, name, found)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._tell(error)
            return False
        self._fault = ""
        return True

    def _tell(self, error: OSError) -> None:
        fault = (error.strerror or str(error)).lower()
        if fault != self._fault:
            self._fault = fault
            logger.warning(
                "the log %s has more than log_max_size=%d bytes, and cannot be renamed: %s",
                self._path, self._max_size, fault,
            )  # fmt: skip

    def _rotate(self, folder: int, name: str, found: os.stat_result) -> None:
        for number in range(self._keep - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.rename(
                    f"{name}.{number}", f"{name}.{number + 1}", src_dir_fd=folder, dst_dir_fd=folder
                )
        self._make_new(folder, f"{name}.new", found)
        if self._keep:
            _keep_as(folder, name, f"{name}.1")
        os.rename(f"{name}.new", name, src_dir_fd=folder, dst_dir_fd=folder)

    def _make_new(self, folder: int, name: str, found: os.stat_result) -> None:
        """Makes the empty file, with the owner and the mode of the present one."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)  # left by a master that was killed
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        made = os.open(name, flags, 0o600, dir_fd=folder)
        try:
            with contextlib.suppress(PermissionError):
                os.fchown(made, found.st_uid, found.st_gid)
            os.fchmod(made, stat.S_IMODE(found.st_mode) & 0o666)
        finally:
            os.close(made)


def _keep_as(folder: int, name: str, kept: str) -> None:
    """Gives the file a second name, so that the first one never misses a file."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(kept, dir_fd=folder)
    try:
        os.link(name, kept, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        os.rename(name, kept, src_dir_fd=folder, dst_dir_fd=folder)
