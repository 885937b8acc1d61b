"""Which program a process of the machine belongs to, by what the kernel tells of it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from pathlib import Path

from lineman.process.child.process_title import MASTER, PREFIX
from lineman.process.messages.lines import spelled_here

PROC = Path("/proc")
# The commands that become a master.
STARTING = ("start", "run", "restart")


def how_to_stop(pid: int) -> str:
    """The command that ends a process, and with it the program that it is a part of.

    Where it is the master of a program of ours, or one of its processes, killing it alone is no
    way: the master starts it again, or all of its clients are cut off.
    """
    for one in (pid, _parent(pid)):
        script = _script_of_master(one)
        if script is not None:
            return _printable(_stop(script, pid_file_of(one)))
    return f"kill {pid}"


def script_of(pid: int) -> str | None:
    """The program of ours that a process is a part of; None where it is none, or cannot be seen."""
    return _script_of_master(pid) or _script_of_master(_parent(pid))


def is_of_this_program(pid: int) -> bool:
    """Whether a process belongs to the program of this one, which is a child of a master."""
    return belongs_to(pid, os.getppid())


def belongs_to(pid: int, master: int) -> bool:
    """Whether a process is this master, or was started by it or its children."""
    while pid:
        if pid == master:
            return True
        pid = _parent(pid)
    return False


def _stop(script: str, pid_file: str | None) -> list[str]:
    from lineman.process.rundir.rundir import find_pid_file, name_of  # which looks here

    words = ["lineman", "stop", script]
    if pid_file is None or pid_file == str(find_pid_file(name_of(script))):
        return words
    return [*words, "--pid-file", pid_file]


def _script_of_master(pid: int) -> str | None:
    """The program that a master runs; None where it is no master, or may not be looked at.

    Source: proc_pid_cmdline(5), proc_pid_environ(5)
    """
    words = _strings(PROC / str(pid) / "cmdline")
    title = words[0] if len(words) == 1 else ""
    if title.startswith(PREFIX + MASTER):
        return title.removeprefix(PREFIX + MASTER)
    if "-m" in words[:4]:
        at = words.index("-m") + 1
        given = words[at + 1 :] if words[at : at + 1] == ["lineman"] else []
    else:  # the script that pip has made, run by its interpreter
        given = words[2:] if words[1:2] and os.path.basename(words[1]) == "lineman" else []
    if not given or given[0] not in STARTING:
        return None
    return _handed_over(pid) or _named(pid, given[1:])


def _handed_over(pid: int) -> str | None:
    """The script of a program that was started by itself: it has told `lineman` its path."""
    from lineman.process.master.handoff import VARIABLE  # most who look here need none of that

    prefix = f"{VARIABLE}="
    for text in _strings(PROC / str(pid) / "environ"):
        if text.startswith(prefix):
            try:
                told = str(json.loads(text.removeprefix(prefix))["program"]["script"])
                return spelled_here(told)
            except (ValueError, KeyError, TypeError):  # ValueError: also what is no path
                return None
    return None


def _named(pid: int, words: list[str]) -> str | None:
    """The script that the words after the command name."""
    try:
        directory = os.readlink(PROC / str(pid) / "cwd")
    except OSError:
        return None
    paths = (os.path.normpath(os.path.join(directory, word)) for word in words)
    return next((path for path in paths if os.path.isfile(path)), None)


def pid_file_of(master: int) -> str | None:
    """The pid file of a master: it stands beside its control socket, and holds its number."""
    own = {text[8:-1] for text in _descriptors(master) if text.startswith("socket:[")}
    for inode, path in unix_sockets():
        if inode not in own or not path.endswith(".sock"):
            continue
        bare = path.removesuffix(".sock")
        for found in (f"{bare}.pid", bare):
            if _content(found) == str(master):
                return found
    return None


def unix_sockets() -> list[tuple[str, str]]:
    """The inode and path of every unix socket of the machine that has a path.

    Source: proc_net(5), `/proc/net/unix`; an `@` begins the path of an abstract one.
    """
    try:
        lines = (PROC / "net" / "unix").read_text(errors="surrogateescape").splitlines()[1:]
    except OSError:
        return []
    fields = (line.split(None, 7) for line in lines)
    return [(each[6], each[7]) for each in fields if len(each) == 8]


def user_of(pid: int) -> int | None:
    """The user of a process; None where it has ended."""
    try:
        return (PROC / str(pid)).stat().st_uid
    except OSError:
        return None


def children_of(pid: int) -> list[int]:
    """The processes that one has started; none where it has ended."""
    try:
        words = (PROC / str(pid) / "task" / str(pid) / "children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in words.split()]


def _descriptors(pid: int) -> list[str]:
    folder = PROC / str(pid) / "fd"
    try:
        names = os.listdir(folder)
    except OSError:  # it has ended just now, or is another user's
        return []
    found = []
    for name in names:
        with contextlib.suppress(OSError):  # this one was closed just now
            found.append(os.readlink(folder / name))
    return found


def _content(path: str) -> str:
    """The first words of a file; nothing of what is none: a pipe would hold us up."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.pread(opened, 32, 0).decode("ascii").strip()
    except (OSError, ValueError):
        return ""
    finally:
        os.close(opened)


def _strings(path: Path) -> list[str]:
    try:
        return os.fsdecode(path.read_bytes()).rstrip("\0").split("\0")
    except OSError:
        return []


def _parent(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _printable(words: list[str]) -> str:
    return "".join(each if each.isprintable() else "?" for each in shlex.join(words))
