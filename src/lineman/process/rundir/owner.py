"""The user that children run as."""

from __future__ import annotations

import codecs
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lineman.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Owner:
    """A user with a group and further groups.

    Attributes:
        name, home: the values of `USER` and `HOME` in its processes.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str

    @property
    def ids(self) -> tuple[int, int]:
        """User and group."""
        return self.uid, self.gid

    def environment(self) -> dict[str, str]:
        """The environment variables of its processes."""
        return {"USER": self.name, "LOGNAME": self.name, "HOME": self.home}


def find(user: str, group: str) -> Owner | None:
    """The user that children run as.

    Args:
        user: a name or number; empty for the user of the master.
        group: a name or number; empty for the user's own.

    Returns:
        None if nothing has to change.

    Raises:
        ConfigError: there is no such user or group, or this process may not become it.
    """
    if not user and not group:
        return None
    entry = _user(user) if user else pwd.getpwuid(os.geteuid())
    gid = _group(group) if group else entry.pw_gid
    if os.geteuid() != 0:
        if entry.pw_uid == os.geteuid() and gid in (os.getegid(), *os.getgroups()):
            return None
        me = _name(os.geteuid())
        raise ConfigError(
            f"the processes must run as {user or me}{f':{group}' if group else ''}, "
            f"but only root may change the user, and this is {me}",
            f"start it as root, or leave user= and group= out and start it as {user or me}",
        )
    groups = tuple(os.getgrouplist(entry.pw_name, gid))
    return Owner(entry.pw_uid, gid, groups, entry.pw_name, entry.pw_dir)


def _user(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
    except KeyError:
        raise ConfigError(
            f"there is no user {user!r} on this machine", f"useradd --system {user}, or another one"
        ) from None


def _group(group: str) -> int:
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(
            f"there is no group {group!r} on this machine",
            f"groupadd --system {group}, or another one",
        ) from None


def names(uid: int, gid: int) -> tuple[str, str]:
    """User and group as `find` takes them; numbers if they have no name."""
    try:
        group = grp.getgrgid(gid).gr_name
    except KeyError:
        group = str(gid)
    try:
        return pwd.getpwuid(uid).pw_name, group
    except KeyError:
        return str(uid), group


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


@contextmanager
def acting_as(owner: Owner | None) -> Iterator[None]:
    """Lets this process, which has one thread, open, bind and delete with a user's rights.

    Args:
        owner: the user; None for this process' own rights. A process that is not root keeps its
            own rights.
    """
    if owner is None or os.geteuid() != 0:
        yield
        return
    codecs.lookup("idna")  # imported now: that user may not be able to read Python's files
    groups, gid = os.getgroups(), os.getegid()
    try:
        os.setgroups(owner.groups)
        os.setegid(owner.gid)
        os.seteuid(owner.uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def barrier(owner: Owner, path: str, wanted: int) -> str:
    """The first part of a path that a user may not pass, as text; empty if there is none.

    Args:
        owner: the user.
        path: the path of a file or directory; links are followed.
        wanted: the access that the user needs, as for `os.access`.
    """
    written, real = Path(os.path.abspath(path)), Path(os.path.realpath(path))
    above = (*reversed(written.parents), *reversed(real.parents))
    with acting_as(owner):
        for each, mode in (*((directory, os.X_OK) for directory in above), (real, wanted)):
            if not os.access(each, mode, effective_ids=True):
                break
        else:
            return ""
    try:
        found = each.stat()
    except OSError:  # it does not exist, which another check reports
        return ""
    return f"{each} (mode {stat.S_IMODE(found.st_mode):04o}, owner {_name(found.st_uid)})"
