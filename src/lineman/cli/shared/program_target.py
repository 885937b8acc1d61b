"""Which program a command is about."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from lineman.base.program_words import command_line, is_application
from lineman.errors import ConfigError, UsageError
from lineman.process.master.children import Program
from lineman.process.master.description import Description
from lineman.process.master.handoff import Handoff
from lineman.process.messages.lines import spelled_here
from lineman.process.rundir import claim, owner
from lineman.process.rundir.claim import Runner
from lineman.process.rundir.control_request import NotAllowed, NotRunning, ask
from lineman.process.rundir.rundir import default_pid_file, find_pid_file, name_of

# Seconds in which a master must say what it runs.
LOOKING = 2.0


@dataclass(frozen=True, slots=True)
class ProgramTarget:
    """A program, running or not.

    Attributes:
        pid_file: where it is found while it runs.
        description: what it says about itself; None until it is asked.
        handoff: what it has left when it was started by hand; None for `lineman COMMAND`.
        is_placed: whether the command line names the pid file, as its other commands must too.
    """

    program: Program
    pid_file: Path
    description: Description | None
    handoff: Handoff | None
    is_placed: bool = False

    @property
    def name(self) -> str:
        """The name of its log file and its other files."""
        return name_of(self.program.script, self.program.arguments)

    @property
    def shown(self) -> str:
        """Its name in messages."""
        return os.path.basename(self.program.script)

    def command(self, word: str) -> str:
        """The command line with which its user sends it a command."""
        script = self.program.script
        given = f"lineman {word} {shlex.quote(script)}"
        if word == "start" and is_application(script):
            given = command_line(script, word)
        if self.handoff is not None:
            given = f"{self.handoff.name} {word}"
        return f"{given} --pid-file {shlex.quote(str(self.pid_file))}" if self.is_placed else given

    def _elsewhere(self, command: str, error: NotRunning) -> NotRunning | ElsewhereError:
        """The error if no process holds the pid file; it names other processes of the program."""
        holder = claim.holder_of(self.pid_file)
        if holder is not None and not holder.is_believed:
            return ElsewhereError(self, command, holder)
        others = [each for each in claim.runners(self.name) if each.pid_file != self.pid_file]
        if others and not self.is_placed:
            return ElsewhereError(self, command, others[0], is_beside=True)
        if not others and (moved := self._moved()) is not None:
            return ElsewhereError(self, command, moved)
        # If several instances run, the one with that pid file was meant.
        found = ", ".join(
            f"process {each.pid} with {each.pid_file or 'an unknown pid file'}" for each in others
        )
        return NotRunning(str(error), f"; it also runs as {found}") if others else error

    def _moved(self) -> Runner | None:
        """The process that runs the former target of a link in the script's path."""
        for each in claim.namesakes(self.name):
            with contextlib.suppress(NotRunning, ConfigError):
                if each.pid_file is not None:
                    told = ask(each.pid_file, {"command": "whose"}, LOOKING)
                    if spelled_here(str(told.get("script"))) == self.program.script:
                        return each
        return None

    def ask(
        self, command: str, timeout: float | None = 10.0, **arguments: Any
    ) -> Mapping[str, Any]:
        """The reply of its master; raises as `process.request.ask`."""
        try:
            return ask(self.pid_file, {**arguments, "command": command}, timeout)
        except NotRunning as error:
            raise self._elsewhere(command, error) from None
        except NotAllowed as error:
            holder = claim.holder_of(self.pid_file)
            raise error if holder is None else ElsewhereError(self, command, holder) from None

    def inquire(self, command: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The reply of its master, as an `Ask`."""
        return self.ask(command, **arguments)


class ElsewhereError(ConfigError):
    """The program runs, but this user's commands do not reach it.

    Attributes:
        is_beside: whether it is this user's, and another instance with a pid file of its own.
    """

    def __init__(
        self, program: ProgramTarget, command: str, found: Runner, *, is_beside: bool = False
    ) -> None:
        is_ours = found.uid == os.geteuid()
        self.is_beside = is_beside and is_ours
        user = owner.names(found.uid, found.uid)[0]
        where = program.pid_file if found.pid_file is None else found.pid_file
        line = replace(program, pid_file=where, is_placed=True).command(command)
        who = "" if is_ours else f" of user {user}"
        place = "" if found.pid_file is None else f", its pid file is {where}"
        super().__init__(
            f"{program.shown} runs as process {found.pid}{who}{place}",
            line if is_ours else f"as that user: sudo -u {shlex.quote(user)} {line}",
        )


# Asks a running program: a command with its arguments, and the reply.
Ask: TypeAlias = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]

NOT_RUNNING = 3  # as the scripts of services have it (LSB)


def asking(
    show: Callable[[argparse.Namespace, Ask], int],
) -> Callable[[argparse.Namespace], int]:
    """A command that asks the program, or prints that the program does not run."""

    def run(options: argparse.Namespace) -> int:
        program = of(options)
        try:
            return show(options, program.inquire)
        except NotRunning as error:
            fix = program.command("start")
            print(f"lineman: {program.shown} does not run: {error}; fix: {fix}", file=sys.stderr)
            return NOT_RUNNING

    return run


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    word: str,
    handoff: Handoff | None,
    run: Callable[[argparse.Namespace], int],
    text: str,
    description: str = "",
) -> argparse.ArgumentParser:
    """Adds a command about a program.

    Args:
        commands: where it is added.
        word: its name.
        handoff: what the program has left when it was started by hand; None for `lineman COMMAND`.
        run: carries out the command and returns the exit status.
        text: a line for the list of commands.
        description: what its own help says; that line where it is empty.
    """
    description = description or f"{text[0].upper()}{text[1:]}."
    made = commands.add_parser(word, help=text, description=description)
    made.set_defaults(run=run)
    add_to(made, handoff)
    return made


def add_graceful(made: argparse.ArgumentParser, text: str) -> None:
    """Adds `-g`, which closes clients one by one."""
    made.add_argument("-g", dest="graceful", action="store_true", help=text)


def add_quiet(made: argparse.ArgumentParser, text: str = "print nothing if it succeeds") -> None:
    """Adds `-q`."""
    made.add_argument("-q", "--quiet", action="store_true", help=text)


def say(options: argparse.Namespace, text: str) -> None:
    """Prints what a command has done, unless `-q` is given; errors are printed in any case."""
    if not options.quiet:
        print(text)


def add_to(made: argparse.ArgumentParser, handoff: Handoff | None) -> None:
    """Adds the arguments that name the program: only the pid file for `python app.py COMMAND`."""
    made.set_defaults(handoff=handoff)
    if handoff is None:
        made.add_argument(
            "script", metavar="PROGRAM", help="the script, such as app.py, or main:app"
        )
    made.add_argument(
        "--pid-file",
        metavar="FILE",
        help="pid file of the running program, if it is not the default",
    )


def directory() -> str:
    """Where a program is started: this directory, by the name that the shell has for it."""
    logical = os.environ.get("PWD", "")
    return logical if logical and os.path.samefile(logical, ".") else os.getcwd()


def of(options: argparse.Namespace, *, starts: bool = False) -> ProgramTarget:
    """The program that the options name.

    Args:
        starts: whether it shall be started, and so is not looked for elsewhere.

    Raises:
        UsageError: there is no such script.
    """
    handoff: Handoff | None = options.handoff
    if handoff is None:
        script = os.path.abspath(options.script)
        if starts and not os.path.isfile(script):
            if is_application(options.script):
                raise UsageError(
                    f"{options.script} is an application: lineman serve {options.script}"
                )
            raise UsageError(f"there is no file {options.script}")
        program = Program((sys.executable, options.script), directory(), script)
        pid_file, description = None, None
    else:
        program, pid_file = handoff.program, handoff.pid_file
        told = handoff.description
        description = None if told is None else Description.from_json(told)
    given = options.pid_file or pid_file
    if given is not None:
        found = Path(given).absolute()
    else:
        name = name_of(program.script, program.arguments)
        found = default_pid_file(name) if starts else find_pid_file(name)
    return ProgramTarget(program, found, description, handoff, bool(options.pid_file))
