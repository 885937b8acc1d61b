"""The directory where a program's own processes talk to each other, for as long as it runs."""

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
    """That directory.

    Args:
        pid_file: of the program.

    Attributes:
        path: of it; empty while there is none.
    """

    def __init__(self, pid_file: Path) -> None:
        self.path = ""
        self._directory = links_directory(pid_file)
        self._owner: Owner | None = None

    def make(self, owner: Owner | None) -> None:
        """Makes it, if it is missing; no other user can look into it.

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
        """Makes it anew where it was removed; its path then.

        Raises:
            ConfigError: it cannot be made.
        """
        if not self.path or os.path.lexists(self.path):
            return None
        self.make(self._owner)
        return self._directory

    def remove(self) -> None:
        """Takes it away, if nothing is left in it."""
        if self.path:
            with contextlib.suppress(OSError):
                self._directory.rmdir()


def _given_to(directory: Path, owner: Owner | None) -> os.stat_result:
    """What a directory is, after its new owner has it; one of another user is given to nobody."""
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
