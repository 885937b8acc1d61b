"""The program that serves an application: `main:app`, with the words of its `lineman serve`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lineman.base.program_words import is_application
from lineman.cli.shared import program_target, serve_options
from lineman.cli.shared.parsing import Parser
from lineman.cli.shared.program_target import ProgramTarget
from lineman.errors import ConfigError, UsageError
from lineman.process.master.children import Program
from lineman.process.rundir.control_request import NotRunning, ask
from lineman.process.rundir.rundir import default_pid_file, find_pid_file, name_of

MODULE = "lineman.cli.shared.app_program"

# Options of the master, which the program is not given, with the number of their values.
_OF_MASTER = {
    "-d": 0, "-q": 0, "--quiet": 0, "--watch": 0, "--reload": 0, "--fd": 1, "--user": 1,
    "--group": 1, "--log": 1, "--pid-file": 1,
}  # fmt: skip

# Seconds in which a master must say with which words it was started.
_LOOKING = 2.0

OPTIONS = "behind MODULE:APP also the options of `lineman serve`; without any, and where it runs, "
OPTIONS += "those of its start count"


def command_of(words: Sequence[str]) -> tuple[str, ...]:
    """The command line of the process that serves an application."""
    return (sys.executable, "-P", "-m", MODULE, *words)


def words_in(command: Sequence[str]) -> list[str]:
    """The words of an application in such a command line; none where it is of another program."""
    start = list(command_of(()))
    return list(command[len(start) :]) if list(command[1 : len(start)]) == start[1:] else []


def words_of(arguments: Sequence[str]) -> list[str]:
    """The words of `lineman serve` that the program is given."""
    found: list[str] = []
    rest = iter(arguments)
    for word in rest:
        name = word.partition("=")[0]
        if name not in _OF_MASTER:
            found.append(word)
        elif _OF_MASTER[name] and "=" not in word:
            next(rest, None)
    return found


def take_options(made: argparse.ArgumentParser, subject: str) -> None:
    """Lets a command have the options of `lineman serve` where its subject is an application.

    Args:
        made: the command.
        subject: the name of the argument that may be an application.
    """

    def takes(options: argparse.Namespace) -> bool:
        return is_application(str(getattr(options, subject) or ""))

    taker: Callable[[argparse.Namespace], bool] = takes
    made.set_defaults(takes_rest=taker)


def words_for(subject: str, given: Sequence[str]) -> list[str]:
    """The words that describe what a command is about; none where it is no application.

    Args:
        subject: a program's file, or an application.
        given: options of `lineman serve` on the command line.

    Raises:
        UsageError: `--fd` is among them.
        SystemExit: status 2, if one of them is wrong.
    """
    if not is_application(subject):
        return []
    if not given:
        return running_words(subject) or [subject]
    if any(word.partition("=")[0] == "--fd" for word in given):
        raise UsageError(
            "--fd is a socket of the process that serves; say where it listens: --host and --port, "
            "or --uds"
        )
    words = [subject, *words_of(given)]
    parser = Parser("lineman serve", allow_abbrev=False)
    serve_options.add_to(parser)
    parser.parse_args(words)
    return words


def target_of(app: str, words: Sequence[str], pid_file: str | None) -> ProgramTarget:
    """The program that serves an application, to be started.

    Args:
        app: such as `main:app`.
        words: that it is given, with `app`.
        pid_file: None for the default.
    """
    script = os.path.abspath(app)
    program = Program(command_of(words), program_target.directory(), script)
    found = Path(pid_file).absolute() if pid_file else default_pid_file(name_of(script))
    return ProgramTarget(program, found, None, None, bool(pid_file))


def to_restart(app: str, given: Sequence[str], pid_file: str | None) -> ProgramTarget:
    """The same to be started again, with the words of its last start if none are given.

    Raises:
        ConfigError: none are given, and it does not run, or this user cannot ask it.
    """
    words = words_for(app, given) if given else running_words(app, pid_file)
    if not words:
        raise ConfigError(
            f"{app} does not run here, so its options are unknown",
            f"lineman serve {app}, with its options",
        )
    return target_of(app, words, pid_file)


def running_words(subject: str, given: str | None = None) -> list[str]:
    """The words with which a running application was started; none if this user cannot ask.

    Args:
        subject: the application.
        given: its pid file; None for the default.
    """
    pid_file = Path(given) if given else find_pid_file(name_of(os.path.abspath(subject)))
    try:
        told = ask(pid_file, {"command": "whose"}, _LOOKING, is_roots=os.geteuid() == 0)
    except (NotRunning, ConfigError):
        return []
    command = told.get("started_with")
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        return []
    words = words_in(command)
    return words if words[:1] == [subject] else []
