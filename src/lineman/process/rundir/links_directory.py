"""The directory for the sockets between a running program's own processes."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from lineman.errors import ConfigError
from lineman.process.rundir.owner import Owner
from lineman.process.rundir.rundir import links_directory


class Links:
    """The directory for these sockets.

    Args:
        pid_file: the program's pid file.

    Attributes:
        path: its path; empty while it does not exist.
    """

    def __init__(self, pid_file: Path) -> None:
        self.path = ""
        self._directory = links_directory(pid_file)
        self._owner: Owner | None = None

    def make(self, owner: Owner | None) -> None:
        """Creates it if it is missing; other users cannot read it.

        Args:
            owner: the user of the processes; None for the user of this process.

        Raises:
            ConfigError: it cannot be made.
        """
        directory = self._directory
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            found = _given_to(directory, owner)
        except OSError as error:
            raise ConfigError(
                f"cannot make {directory} for the program's own sockets: "
                f"{(error.strerror or str(error)).lower()}",
                "name another place: pid_file= or --pid-file",
            ) from None
        if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077:
            raise ConfigError(
                f"{directory} must be a directory of mode 0700; it is for the program's own "
                "sockets",
                f"rm -r {directory}, and start again",
            )
        self.path, self._owner = str(directory), owner

    def restore(self) -> Path | None:
        """Creates it again if it was removed; returns its path in this case.

        Raises:
            ConfigError: it cannot be made.
        """
        if not self.path or os.path.lexists(self.path):
            return None
        self.make(self._owner)
        return self._directory

    def remove(self) -> None:
        """Removes it, if it is empty."""
        if self.path:
            with contextlib.suppress(OSError):
                self._directory.rmdir()


def _given_to(directory: Path, owner: Owner | None) -> os.stat_result:
    """Gives a directory to its owner, and returns its status; refuses one of another user."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        users = {os.geteuid()} if owner is None else {os.geteuid(), owner.uid}
        if found.st_uid not in users and directory.parent.stat().st_mode & 0o022:
            raise PermissionError(errno.EPERM, f"user {found.st_uid} has made it already")
        if owner is not None:
            os.fchown(descriptor, owner.uid, owner.gid)
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)
