"""The pid file of a program, which is its lock, and the path of its control socket."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import socket
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lineman.errors import ConfigError
from lineman.process.rundir import claim, paths

SYSTEM = Path("/run/lineman")
# The flags to open a pid file for reading.
LOOKING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def run_directory() -> Path:
    """The directory of this user's pid files.

    It is `$RUNTIME_DIRECTORY` if systemd has made one, `/run/lineman` for root, else a directory
    of the user.
    """
    given = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    if os.geteuid() == 0:
        return SYSTEM
    own = os.environ.get("XDG_RUNTIME_DIR")
    if own and not _is_of_another(own):
        return Path(own, "lineman")
    return Path(f"/tmp/lineman-{os.geteuid()}")


def _is_of_another(directory: str) -> bool:
    """Whether a directory belongs to another user, whose variable `su` or `sudo` has kept."""
    try:
        return os.stat(directory).st_uid != os.geteuid()
    except OSError:
        return False


def name_of(script: str, arguments: Sequence[str] = ()) -> str:
    """A file name for a program, the same for every way of writing its path.

    Args:
        script: the path of the script.
        arguments: its own arguments, such as a port: with other ones it is another program.
    """
    real = os.path.realpath(script)
    stem = re.sub(r"[^A-Za-z0-9_.-]", "-", Path(real).stem) or "program"
    digest = hashlib.sha256(os.fsencode("\0".join((real, *arguments))))
    return f"{stem[:40]}-{digest.hexdigest()[:8]}"


def default_pid_file(name: str) -> Path:
    """The pid file of a program that names none; `name` as `name_of` returns it."""
    return run_directory() / f"{name}.pid"


def find_pid_file(name: str) -> Path:
    """The pid file that a command uses: that of this user, or of systemd.

    If there is none, it is that of a running program, which was removed or lies elsewhere.
    """
    own = default_pid_file(name)
    if os.path.exists(own):
        return own
    elsewhere = [SYSTEM / own.name, *sorted(SYSTEM.glob(f"*/{own.name}"))]
    removed = [
        each.pid_file
        for each in claim.runners(name)
        if each.is_believed and each.pid_file is not None and each.pid_file.name == own.name
    ]
    found = [path for path in elsewhere if os.path.exists(path)]
    return next(iter((*found, *removed)), own)


def control_path(pid_file: Path) -> Path:
    """The control socket of the program with this pid file."""
    return _beside(pid_file, ".sock")


def links_directory(pid_file: Path) -> Path:
    """The directory for sockets between the processes of the program with this pid file."""
    return _beside(pid_file, ".d")


def _beside(pid_file: Path, ending: str) -> Path:
    """`chat.pid` gives `chat.sock`; `chat.1` gives `chat.1.sock`, which is not that of `chat.2`."""
    return pid_file.with_name(pid_file.name.removesuffix(".pid") + ending)


def _prepare(directory: Path) -> None:
    """Creates the directory if it is missing, and refuses one that others may write to."""
    try:
        if directory == SYSTEM or directory.parent == SYSTEM:
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        else:
            directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
    except OSError as error:
        raise ConfigError(
            f"cannot make {directory} for the pid file: {(error.strerror or str(error)).lower()}",
            "make the directory, or name another place: pid_file= or --pid-file",
        ) from None
    if not stat.S_ISDIR(found.st_mode):
        raise ConfigError(
            f"{directory} is no directory; the pid file is kept there",
            "remove what is there, or name another place: pid_file= or --pid-file",
        )
    if found.st_uid not in (0, os.geteuid()):
        raise ConfigError(
            f"{directory} belongs to user {found.st_uid}, who could take the service over",
            "name another place: pid_file= or --pid-file",
        )
    if os.geteuid() == 0 and not paths.is_roots_alone(directory):
        raise ConfigError(
            f"other users may replace {directory}, and so take the service over",
            "name another place: pid_file= or --pid-file",
        )


def _refuse_shared(directory: Path) -> None:
    mode = directory.stat().st_mode
    if mode & 0o022 and not mode & stat.S_ISVTX:
        raise ConfigError(
            f"{directory} may be written to by other users (mode {mode & 0o7777:o}), who could "
            "take the "
            "service over",
            f"chmod go-w {directory}, or name another place: pid_file= or --pid-file",
        )


@dataclass(slots=True)
class PidFile:
    """A pid file that this process holds: no other process can hold it until this one ends.

    Attributes:
        path: the file's path.
        claims: abstract sockets for the program, and for the file in case it is removed.
    """

    path: Path
    _descriptor: int
    claims: Sequence[socket.socket] = ()

    @classmethod
    def take(cls, path: Path, program: str) -> PidFile:
        """Takes the file, or raises an error that names its holder.

        Args:
            path: the file's path.
            program: the name of its program, as `name_of` returns it.

        Raises:
            ConfigError: the program runs already, or the file cannot be written.
        """
        path = path.absolute()
        _prepare(path.parent)
        _refuse_shared(path.parent)
        patience = time.monotonic() + 0.3  # a command that reads it holds it for a moment
        while True:
            descriptor = _open(path)
            _refuse_strangers(descriptor, path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_ino == path.lstat().st_ino:
                    break
            except FileNotFoundError:
                pass  # its holder has just ended and removed it: try again
            except BlockingIOError:
                pid = _pid_in(os.pread(descriptor, 32, 0))
                os.close(descriptor)
                if time.monotonic() < patience:
                    time.sleep(0.02)
                    continue
                raise _runs_already(pid, path) from None
            os.close(descriptor)
        try:
            claimed = claim.take(path)
        except claim.ClaimedError as error:  # its pid file was removed
            path.unlink(missing_ok=True)
            os.close(descriptor)
            raise _runs_already(error.pid, path) from None
        sockets = (claimed, claim.announce(program, path))
        held = cls(path, descriptor, [each for each in sockets if each is not None])
        held.write(os.getpid())
        return held

    def restore(self) -> Path | None:
        """Creates the file again if it was removed; returns its path in this case.

        Raises:
            ConfigError: it cannot be created.
        """
        if self._is_ours():
            return None
        _prepare(self.path.parent)
        _refuse_shared(self.path.parent)
        descriptor = _open(self.path)
        _refuse_strangers(descriptor, self.path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = _pid_in(os.pread(descriptor, 32, 0))
            os.close(descriptor)
            raise _runs_already(pid, self.path) from None
        os.close(self._descriptor)
        self._descriptor = descriptor
        self.write(os.getpid())
        return self.path

    def _is_ours(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.lstat())
        except OSError:
            return False

    def write(self, pid: int) -> None:
        """Writes the pid of the process that holds it from here on."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, b"%d\n" % pid, 0)

    def release(self) -> None:
        """Removes the file, so that other processes can take it."""
        for each in self.claims:
            each.close()
        if self._is_ours():
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def refuse_running(path: Path) -> None:
    """Checks whether a pid file can be taken, without taking it.

    Raises:
        ConfigError: the program runs already, or this user may not read the file.
    """
    pid = holder(path)
    if pid:
        raise _runs_already(max(pid, 0), path)


def _runs_already(pid: int, path: Path) -> ConfigError:
    who = f"process {pid}" if pid else "another process, which is just starting"
    return ConfigError(
        f"it runs already: {who} ({path})",
        "stop it first, or use restart or reload; for a second one beside it (another "
        "environment does not make it another program) name another place in this and "
        "in its other commands: --pid-file FILE, and --log FILE for a daemon",
    )


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except PermissionError:
        who = f"user {path.lstat().st_uid}" if path.exists() else "another user"
        raise ConfigError(
            f"cannot write the pid file {path}: permission denied; it belongs to {who}",
            "run the command as that user, or name another place: pid_file= or --pid-file",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"cannot write the pid file {path}: {(error.strerror or str(error)).lower()}",
            "name another place: pid_file= or --pid-file",
        ) from None


def _refuse_strangers(descriptor: int, path: Path) -> None:
    found = os.fstat(descriptor)
    if found.st_uid not in (0, os.geteuid()) or not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise ConfigError(
            f"the pid file {path} is there already and belongs to user {found.st_uid}",
            "name another place: pid_file= or --pid-file",
        )


def _pid_in(content: bytes) -> int:
    text = content.strip()
    return int(text) if text.isdigit() else 0


def _held_by(descriptor: int) -> int:
    """The pid in a pid file; 0 if another user has written the pid of a foreign process."""
    pid = _pid_in(os.pread(descriptor, 32, 0))
    owner = os.fstat(descriptor).st_uid
    return pid if owner in (0, os.geteuid()) or owner == _user_of(pid) else 0


def _user_of(pid: int) -> int | None:
    """The user that a process runs as; None if it is unknown.

    Source: proc_pid_status(5)
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[2]) for line in lines if line.startswith("Uid:")), None)


def holder(path: Path) -> int:
    """The pid of the process that holds a pid file, also a removed one; 0 if none does.

    Raises:
        ConfigError: this user may not read the file.
    """
    try:
        # The flags keep a pipe with this name from blocking. They also refuse a link: no master
        # makes one, and it may lead to any file.
        descriptor = os.open(path, LOOKING)
    except PermissionError:
        if pid := claim.master_of(path):
            return pid
        raise ConfigError(
            f"cannot read {path}: permission denied", "run the command as the service's user"
        ) from None
    except OSError:
        return claim.master_of(path)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _held_by(descriptor) or -1
    finally:
        os.close(descriptor)
    return claim.master_of(path)
