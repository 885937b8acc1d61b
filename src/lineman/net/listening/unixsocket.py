"""Listening on a unix socket: a file that outlives its process, and the right to connect to it."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

from lineman.base.address import Address
from lineman.base.unixpeer import peer_pid
from lineman.errors import AddressInUseError, ConfigError


class SocketFile:
    """The file of a socket that this process has made.

    Args:
        path: where it is; another file that comes to stand there later is left alone, and so is
            what another directory holds that has been put in the place of its own.

    Attributes:
        identity: its device and inode.
    """

    def __init__(self, path: str) -> None:
        self._directory = _open_directory(path)
        self._name = os.path.basename(path)
        self.identity = _identity(self._directory, self._name)

    def remove(self) -> None:
        """Deletes the file, unless it is gone or another service has put its own there."""
        with contextlib.suppress(FileNotFoundError):
            if _identity(self._directory, self._name) == self.identity:
                os.unlink(self._name, dir_fd=self._directory)
        self.leave()

    def leave(self) -> None:
        """Lets the file be: another process of the program listens there now."""
        os.close(self._directory)


def identity(path: str) -> tuple[int, int]:
    """The device and inode of a socket's file.

    Raises:
        OSError: there is none.
    """
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _open_directory(path: str) -> int:
    return os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _identity(directory: int, name: str) -> tuple[int, int]:
    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    return found.st_dev, found.st_ino


def bind(address: Address, backlog: int, mode: int) -> socket.socket:
    """A bound, listening, non-blocking socket; a file that a dead service has left is replaced.

    Args:
        address: with a path.
        backlog: connections that may wait to be accepted.
        mode: of the file, such as 0o660: a user that may write to it may connect.

    Raises:
        ConfigError: another process listens there, another file is there, or it cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        directory = _open_directory(address.path)
        try:
            _make_room(address, directory)
            _bind(listener, address.path, mode)
            _give_mode(directory, os.path.basename(address.path), mode)
        finally:
            os.close(directory)
        listener.listen(backlog)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _explained(address, error) from None
    except ConfigError:
        listener.close()
        raise
    return listener


def give_mode(path: str, mode: int) -> None:
    """Gives a socket's file, which is there already, this mode.

    Raises:
        OSError: it is gone, or is no socket of this user.
    """
    directory = _open_directory(path)
    try:
        _give_mode(directory, os.path.basename(path), mode)
    finally:
        os.close(directory)


def _bind(listener: socket.socket, path: str, mode: int) -> None:
    # The file must not be open to more for even a moment, nor to fewer than asked for.
    before = os.umask(0o777 & ~mode)
    try:
        listener.bind(path)
    finally:
        os.umask(before)


def _give_mode(directory: int, name: str, mode: int) -> None:
    """Gives the mode to the socket, and to nothing else that has come to have its name."""
    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if stat.S_IMODE(found.st_mode) == mode:
        return  # the usual case; where the directory has a default access list, it is not so
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "somebody has put another file there meanwhile")
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)


def _make_room(address: Address, directory: int) -> None:
    """Deletes what a service has left that did not end well."""
    path, name = address.path, os.path.basename(address.path)
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ConfigError(
            f"cannot listen on {address}: {path} is there and is no socket",
            "give another path, or delete it yourself if nobody needs it",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        holder = 0
        try:
            probe.connect(path)
            holder = peer_pid(probe)
        except ConnectionRefusedError:
            os.unlink(name, dir_fd=directory)
            return
        except BlockingIOError:  # somebody listens, and is busy
            pass
    raise AddressInUseError(
        f"cannot listen on {address}: another process listens there",
        f"stop the process that `ss -lxp 'src = {path}'` shows, or give another path",
        holder,
    )


def _explained(address: Address, error: OSError) -> ConfigError:
    seen = f"cannot listen on {address}: {(error.strerror or str(error)).lower()}"
    directory = Path(address.path).parent
    if isinstance(error, FileNotFoundError):
        return ConfigError(
            f"{seen}: the directory {directory} does not exist",
            f"make it: install -d -g www-data -m 2750 {directory}; or RuntimeDirectory= in the "
            "systemd unit",
        )
    if isinstance(error, PermissionError):
        return ConfigError(
            f"{seen} in {directory}",
            f"let the user that the program runs as write there: ls -ld {directory}",
        )
    return ConfigError(seen, f"see the error, and ls -ld {directory}")
