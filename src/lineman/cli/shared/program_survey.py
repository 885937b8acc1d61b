"""Describes a program without starting it: a process of the program's user runs it and sends the
description.

A command of root, like a master of root, trusts the description no more than the user that the
program runs as. That user is the one in the command line; else the user of root's running master;
else the user that the program names, which root reads once, as at a start.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lineman.cli.shared import surveying
from lineman.errors import ConfigError
from lineman.process.log import log_setup
from lineman.process.master import describing
from lineman.process.master.children import Program
from lineman.process.master.description import Description, Place
from lineman.process.master.keyfiles import KeyFiles
from lineman.process.master.rights import Rights
from lineman.process.master.survey import Survey, Surveyed
from lineman.process.messages.lines import spelled_here
from lineman.process.messages.role import Role
from lineman.process.rundir import claim, owner
from lineman.process.rundir.claim import Runner
from lineman.process.rundir.control_request import ask
from lineman.process.rundir.owner import Owner
from lineman.process.rundir.rundir import find_pid_file, holder, name_of

# Seconds in which a master must say as which user it runs a program.
TIMEOUT = 10.0


def add_user_to(made: argparse._ActionsContainer) -> None:
    """Adds the options for the user that the program runs as."""
    made.add_argument(
        "--user", metavar="NAME", default="", help="the user that the program runs as"
    )
    made.add_argument("--group", metavar="NAME", default="", help="its group")


@dataclass(frozen=True, slots=True)
class Read:
    """A program that was read.

    Attributes:
        survey: its description.
        rights: the users of its workers.
    """

    survey: Survey
    rights: Rights

    def owner_of(self, worker: Surveyed) -> Owner | None:
        """The user with whose rights a worker's files are opened; None for this process' own."""
        return None if worker.place is None else self.rights.owner_of(worker.place)


def read(
    script: Path,
    user: str = "",
    group: str = "",
    *,
    opens_files: bool = True,
    words: Sequence[str] = (),
) -> Read:
    """Runs a program up to the point where it would serve, and returns its description.

    The code before `Worker.run_all()` is executed: its imports, and the other code at its top
    level. No port is opened and no callback is called.

    Args:
        script: its file, or `main:app`.
        user, group: the user that it runs as; only root may name another one.
        opens_files: whether its certificates are checked.
        words: of `lineman serve` for an application, as `served_program.words_for` returns them.

    Raises:
        ConfigError: it cannot be run, or makes no worker.
    """
    files = surveying.ALL if opens_files else surveying.NONE
    return _read(script, user, group, files, words)


def _read(script: Path, user: str, group: str, files: str, words: Sequence[str]) -> Read:
    if not words and not script.is_file():
        raise ConfigError(
            f"there is no program {script}", "give the path of your app.py, or main:app"
        )
    is_root = os.geteuid() == 0
    if is_root and not user and not group:
        user, group = _whom_it_runs_as(script)
    rights = Rights(user, group)
    with _telling():
        if files != surveying.ALL or not is_root:
            return Read(_ask(script, rights, files, words), rights)
        return Read(_with_keys(script, rights, words), rights)


def read_options(
    script: Path, user: str = "", group: str = "", words: Sequence[str] = ()
) -> Survey:
    """The same with the options that are in force; no certificate is opened."""
    return _read(script, user, group, surveying.OPTIONS, words).survey


def _with_keys(script: Path, rights: Rights, words: Sequence[str]) -> Survey:
    """The survey of a program whose keys only root may be able to read.

    As at a start, root passes on the keys that the program has named first, and nothing else.
    """
    found = _ask(script, rights, surveying.READABLE, words)
    try:
        rights.admit(Description(found.places))
        if all(place.is_checked for place in found.places):
            return found
        files = _keys_of(found.places, rights)
        found = _ask(script, rights, surveying.ALL, words, files)
        rights.admit(Description(found.places))
    except ConfigError as error:
        return found.failing(error)
    return found


def _keys_of(places: Sequence[Place], rights: Rights) -> dict[str, int]:
    """Descriptors of the files that its workers' users cannot read; root hands them over."""
    keys = KeyFiles()
    users = [(place, rights.owner_of(place)) for place in places]
    keys.pin(users)
    return {
        path: descriptor
        for place, whom in users
        for path, descriptor in keys.for_child(place, whom).items()
    }


def _whom_it_runs_as(script: Path) -> tuple[str, str]:
    """User and group of a running program; empty where it does not run, or as root.

    Raises:
        ConfigError: it is another user's process. Any user may claim to run the program, and would
            get the environment of this process.
    """
    name = name_of(str(script))
    pid_file = find_pid_file(name)
    if master := holder(pid_file):
        uid = pid_file.lstat().st_uid if os.path.lexists(pid_file) else 0
        found = Runner(uid, master, pid_file)
    else:
        others = [each for each in claim.runners(name) if each.pid_file is not None]
        if not others:
            return "", ""
        found = others[0]
    if found.uid != 0 or found.pid_file is None:
        user = owner.names(found.uid, found.uid)[0]
        raise ConfigError(
            f"process {found.pid} of user {user} says that it runs {script.name}, and root does "
            "not believe another user's process",
            "name the user that shall read the program: --user NAME",
        )
    told = ask(found.pid_file, {"command": "whose"}, TIMEOUT, is_roots=True)
    if os.path.realpath(spelled_here(str(told.get("script", "")))) != os.path.realpath(script):
        raise ConfigError(
            f"the process that root runs with {found.pid_file} is not {script.name}",
            "name the user that shall read the program: --user NAME",
        )
    return str(told.get("user", "")), str(told.get("group", ""))


def _ask(
    script: Path,
    rights: Rights,
    files: str,
    words: Sequence[str],
    keys: dict[str, int] | None = None,
) -> Survey:
    what = words or [str(script)]
    command = (sys.executable, "-P", "-m", surveying.__name__, files, *what)
    program = Program(command, os.getcwd(), os.path.abspath(script))
    role = functools.partial(Role, files=keys or {})
    return describing.ask(program, rights.describer, Survey.from_json, role)


@contextmanager
def _telling() -> Iterator[None]:
    """Sends the program's output, and messages about it, to standard error."""
    log_setup.set_up()
    try:
        yield
    finally:
        log_setup.flush()
