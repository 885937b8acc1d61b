"""Finds out which program a process of the machine belongs to, from the kernel's data."""

from __future__ import annotations

import json
import os
import shlex

from lineman.process.child.process_title import MASTER, PREFIX
from lineman.process.messages.lines import spelled_here
from lineman.process.messages.role import PROGRAM_VARIABLE
from lineman.process.rundir.procfs import PROC, parent_of, pid_file_of, strings
from lineman.process.rundir.rundir import find_pid_file, name_of

# The commands that become a master.
STARTING = ("start", "run", "restart")


def how_to_stop(pid: int) -> str:
    """The command that ends a process, and with it the program that it is a part of.

    For a process of a Lineman program, killing it alone is not enough: the master starts it again.
    Killing the master would cut off all clients.
    """
    for one in (pid, parent_of(pid)):
        script = _script_of_master(one)
        if script is not None:
            return _printable(_stop(script, pid_file_of(one)))
    return f"kill {pid}"


def script_of(pid: int) -> str | None:
    """The script of the Lineman program that a process is a part of; None if there is none."""
    return _script_of_master(pid) or _script_of_master(parent_of(pid))


def is_of_this_program(pid: int) -> bool:
    """Whether a process belongs to the same program as this process, a child of a master."""
    return belongs_to(pid, os.getppid())


def belongs_to(pid: int, master: int) -> bool:
    """Whether a process is this master, or was started by it or its children."""
    while pid:
        if pid == master:
            return True
        pid = parent_of(pid)
    return False


def _stop(script: str, pid_file: str | None) -> list[str]:
    words = ["lineman", "stop", script]
    if pid_file is None or pid_file == str(find_pid_file(name_of(script))):
        return words
    return [*words, "--pid-file", pid_file]


def _script_of_master(pid: int) -> str | None:
    """The script that a master runs; None if the process is no master, or cannot be inspected.

    Source: proc_pid_cmdline(5), proc_pid_environ(5)
    """
    words = strings(PROC / str(pid) / "cmdline")
    title = words[0] if len(words) == 1 else ""
    if title.startswith(PREFIX + MASTER):
        return title.removeprefix(PREFIX + MASTER)
    if "-m" in words[:4]:
        at = words.index("-m") + 1
        given = words[at + 1 :] if words[at : at + 1] == ["lineman"] else []
    else:  # the script that pip has made, run by an interpreter
        given = words[2:] if words[1:2] and os.path.basename(words[1]) == "lineman" else []
    if not given or given[0] not in STARTING:
        return None
    return _handed_over(pid) or _named(pid, given[1:])


def _handed_over(pid: int) -> str | None:
    """The script of a program that was started directly, and gave `lineman` its path."""
    prefix = f"{PROGRAM_VARIABLE}="
    for text in strings(PROC / str(pid) / "environ"):
        if text.startswith(prefix):
            try:
                told = str(json.loads(text.removeprefix(prefix))["program"]["script"])
                return spelled_here(told)
            except (ValueError, KeyError, TypeError):  # ValueError: also for an invalid path
                return None
    return None


def _named(pid: int, words: list[str]) -> str | None:
    """The script in the words after the command."""
    try:
        directory = os.readlink(PROC / str(pid) / "cwd")
    except OSError:
        return None
    paths = (os.path.normpath(os.path.join(directory, word)) for word in words)
    return next((path for path in paths if os.path.isfile(path)), None)


def _printable(words: list[str]) -> str:
    return "".join(each if each.isprintable() else "?" for each in shlex.join(words))
