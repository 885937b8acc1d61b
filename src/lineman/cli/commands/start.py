"""`lineman start`, `run` and `restart`: a program under a master, here or as a daemon.

Exit status: 0 when every process listens (as a daemon) or after a graceful stop (in the
foreground), 1 when it cannot start, 2 for invalid options.
"""

from __future__ import annotations

import argparse
import functools
import logging
import os
import shlex
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

from lineman.base.address import Address
from lineman.base.program_words import is_application
from lineman.cli.commands import stop
from lineman.cli.shared import program_target, served_program
from lineman.cli.shared.program_target import ElsewhereError, ProgramTarget
from lineman.errors import ConfigError
from lineman.net.listening.bind import bind
from lineman.net.listening.unixsocket import SocketFile
from lineman.process.log import log_setup
from lineman.process.log.log_setup import LogOptions
from lineman.process.master import daemon, file_limit, systemd_notify
from lineman.process.master.describing import describe
from lineman.process.master.description import Place, PlaceAddress, ProgramSettings
from lineman.process.master.handoff import Handoff
from lineman.process.master.listening_sockets import Sockets
from lineman.process.master.master import Master
from lineman.process.master.master_setting import Setting
from lineman.process.master.rights import Rights
from lineman.process.messages.lines import clean
from lineman.process.rundir import masters, owner, paths, procfs
from lineman.process.rundir.control_request import NotRunning
from lineman.process.rundir.owner import Owner, acting_as
from lineman.process.rundir.paths import Opener
from lineman.process.rundir.rundir import PidFile, holder, refuse_running
from lineman.tls.openssl.tickets import TicketSecret

Configure: TypeAlias = Callable[[ProgramSettings, Owner | None], ProgramSettings]

logger = logging.getLogger("lineman")

# The options that a restart takes over from the previous start.
KEPT = ("user", "group", "log", "watch")

# Characters of a path in a message, at most.
MAX_PATH = 1000

WORDS = {
    "start": "start the program",
    "run": "start the program in the foreground (the same as start)",
    "restart": "stop the program and start it again",
}


def add_to(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], handoff: Handoff | None = None
) -> None:
    """Adds the commands and their options."""
    for word, text in WORDS.items():
        if word == "run" and handoff is not None:
            continue
        how = restart if word == "restart" else run
        made = program_target.add_command(commands, word, handoff, how, text)
        made.set_defaults(daemon=False, graceful=False)
        if word != "run":
            made.add_argument(
                "-d", dest="daemon", action="store_true", help="as a daemon, in the background"
            )
        quiet = "print nothing if it succeeds; in the foreground: log warnings and errors only"
        program_target.add_quiet(made, quiet)
        if word == "restart":
            served_program.take_options(made, "script")
            program_target.add_graceful(made, "close clients one by one over drain_seconds")
        made.add_argument(
            "--watch", action="store_true", help="reload when a file of the program changes"
        )
        made.add_argument(
            "--user", metavar="NAME", default="", help="the user and group of all processes"
        )
        made.add_argument("--group", metavar="NAME", default="", help="its group")
        made.add_argument("--log", metavar="FILE", help="the log file (a daemon has a default)")


def run(options: argparse.Namespace) -> int:
    """Starts the program."""
    return start(options, program_target.of(options, starts=True))


def restart(options: argparse.Namespace) -> int:
    """Stops the program and starts it again; first checks that it can start."""
    if options.handoff is None and is_application(options.script):
        program = served_program.to_restart(options.script, options.rest, options.pid_file)
    else:
        program = program_target.of(options, starts=True)
    _keep_what_it_was_given(options)
    if program.description is None:
        log_setup.set_up()
        whom = owner.find(options.user, options.group)
        program = replace(program, description=describe(program.program, whom))
    try:
        stopped = stop.run(options)
    except ElsewhereError as error:
        if not error.is_beside:
            raise
        print(f"lineman: {error.seen}; this one is started beside it", file=sys.stderr)
        stopped = 0
    return stopped or start(options, program)


def _keep_what_it_was_given(options: argparse.Namespace) -> None:
    """Adds the options of the running program's start that the command line leaves out.

    Raises:
        ConfigError: the program runs as another user, and would run as this one.
    """
    running = program_target.of(options)
    try:
        told = running.ask("whose")
    except (NotRunning, ElsewhereError):
        return  # `stop`, which follows, handles this
    uid = procfs.user_of(holder(running.pid_file))
    if uid not in (None, os.geteuid()):
        if options.user:
            return  # what another user's process says is not used
        name = owner.names(uid, uid)[0]
        raise ConfigError(
            f"{running.shown} runs as the user {name}, who started it; a restart would run it as "
            f"{owner.names(os.geteuid(), os.getegid())[0]}",
            f"as that user: sudo -u {shlex.quote(name)} {running.command('restart')}; or name its "
            "user: --user NAME",
        )
    given = told.get("given") or {}
    kept = [word for word in KEPT if given.get(word) and not getattr(options, word)]
    if options.user:  # a user without --group means that user's own group
        kept = [word for word in kept if word != "group"]
    for word in kept:
        setattr(options, word, given[word])
    if kept:
        words = (f"--{each}" if given[each] is True else f"--{each} {given[each]}" for each in kept)
        said = f"restart uses the options of the start: {clean(' '.join(words), MAX_PATH)}"
        program_target.say(options, said)


def start(options: argparse.Namespace, program: ProgramTarget) -> int:
    """Starts a program; returns the exit status."""
    tell: daemon.Tell = _say_nothing
    rights = Rights(options.user, options.group)
    if options.log is not None:
        # A restart may be called in another directory.
        options.log = os.path.abspath(options.log)
    log = _Log(None if options.log is None else Path(options.log), None, options.quiet)
    settings, whom = ProgramSettings(), None
    if program.description is not None:
        settings = program.description.settings
        whom = rights.first_of(program.description.places)
    if options.daemon:
        refuse_running(program.pid_file)  # before this process writes to a log that may be its
        log.default = None if log.named else daemon.default_log(program.name)
        path = log.usable(settings, whom)
        outcome = daemon.detach()
        if isinstance(outcome, tuple):
            return _report(options, program, path, *outcome)
        tell = outcome
        daemon.redirect(path, log.opener(settings, whom))
    told: set[str] = set()

    def configure(settings: ProgramSettings, whom: Owner | None) -> ProgramSettings:
        found = log.configure(settings, whom)
        _tell_what_does_not_count(program, settings.pid_file or "", told)
        return found

    try:
        log.configure(settings, whom)
        return _serve(options, program, rights, tell, configure)
    except ConfigError as error:
        if options.daemon:
            tell(False, str(error))
        raise


def _tell_what_does_not_count(program: ProgramTarget, pid_file: str, told: set[str]) -> None:
    """Warns once about a pid file that the program names: commands cannot know it in advance."""
    if not pid_file or program.is_placed or Path(pid_file) == program.pid_file or pid_file in told:
        return
    told.add(pid_file)
    named = clean(shlex.quote(pid_file), MAX_PATH)
    logger.warning(
        "the program names the pid file %s, but `lineman` learns that too late and uses %s; fix: "
        "give --pid-file %s to this command and all others, or start it with python %s",
        named, program.pid_file, named, program.shown,
    )  # fmt: skip


@dataclass(slots=True)
class _Log:
    """Where this process' log is written.

    Attributes:
        named: the file on the command line, which takes precedence over the program's; None if
            there was none.
        default: a daemon's file, used if the program names none either.
        is_quiet: whether the terminal gets warnings and errors only.
    """

    named: Path | None
    default: Path | None
    is_quiet: bool = False

    def path(self, settings: ProgramSettings) -> Path | None:
        """The file; None for standard error."""
        own = None if settings.log_file is None else Path(settings.log_file)
        return self.named or own or self.default

    def opener(self, settings: ProgramSettings, whom: Owner | None) -> Opener:
        """The function that opens it: as the program's user if the program names the file."""
        return paths.opener(whom if self._is_the_programs(settings) else None)

    def _is_the_programs(self, settings: ProgramSettings) -> bool:
        return self.named is None and settings.log_file is not None

    def usable(self, settings: ProgramSettings, whom: Owner | None) -> Path:
        """The file, after a check that it can be written.

        Raises:
            ConfigError: it cannot be written.
        """
        path = self.path(settings)
        assert path is not None
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
            os.close(self.opener(settings, whom)(path, flags, 0o640))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            if whom is None or not self._is_the_programs(settings):
                fix = "name another file: log_file= or --log"
                raise ConfigError(f"cannot write the log {path}: {why}", fix) from None
            raise ConfigError(
                f"cannot write the log {path} as {whom.name}: {why}",
                f"let {whom.name} write there, or let root open it: --log {path}",
            ) from None
        return path

    def configure(self, settings: ProgramSettings, whom: Owner | None) -> ProgramSettings:
        """Opens this process' log, and returns the settings in force.

        Args:
            settings: what the program says.
            whom: the user that its processes run as; None for this user.

        Raises:
            ConfigError: the program names a file that its user may not write.
        """
        path = self.path(settings)
        if path is not None and whom is not None and self.named is None:
            self.usable(settings, whom)
        in_force = replace(settings, log_file=None if path is None else str(path))
        if self.is_quiet and path is None and in_force.log_level in ("DEBUG", "INFO"):
            in_force = replace(in_force, log_level="WARNING")
        ids = None if whom is None else whom.ids
        log_setup.set_up(
            LogOptions.from_json(asdict(in_force)),
            owner=ids,
            opener=self.opener(settings, whom),
            open_folder=paths.folder_opener(whom if self._is_the_programs(settings) else None),
        )
        return in_force


def _serve(
    options: argparse.Namespace,
    program: ProgramTarget,
    rights: Rights,
    tell: daemon.Tell,
    configure: Configure,
) -> int:
    owner.find(options.user, options.group)  # raises before anything is begun if one is unknown
    held = PidFile.take(program.pid_file, program.name)
    try:
        files: list[tuple[SocketFile, Owner | None]] = []
        sockets = Sockets(functools.partial(_bind, files, rights), systemd_notify.take_sockets())
        file_limit.raise_open_files()
        what = program.program
        master = Master(
            Setting(
                what,
                held,
                sockets,
                rights,
                tell,
                configure,
                TicketSecret.create().descriptor,
                options.watch,
                log_setup.reopen,
                {word: getattr(options, word) for word in KEPT},
            )
        )
    except BaseException:
        held.release()
        raise
    try:
        return master.run(program.description)
    finally:
        for file, whom in files:
            with acting_as(whom):
                file.remove()


def _bind(
    files: list[tuple[SocketFile, Owner | None]],
    rights: Rights,
    place: Place,
    address: PlaceAddress,
    is_first: bool,
) -> socket.socket:
    whom = rights.binder(place, address)
    with acting_as(whom):
        opened = bind(
            Address(address.scheme, address.host, address.port, address.path),
            place.backlog,
            reuse_port=True,
            is_first=is_first,
            socket_mode=place.socket_mode,
            how_to_stop=masters.how_to_stop,
        )
        if address.path:
            files.append((SocketFile(address.path), whom))
    return opened


def _say_nothing(ok: bool, text: str) -> None:
    """Does nothing: in the foreground the log is on the terminal and holds the message."""


def _report(
    options: argparse.Namespace, program: ProgramTarget, log: Path, ok: bool, text: str
) -> int:
    if ok:
        said = f"{program.shown} runs: {text}\nlog: {log}\nto stop it: {program.command('stop')}"
        program_target.say(options, said)
        return 0
    print(f"lineman: {program.shown} does not start: {text}\nlog: {log}", file=sys.stderr)
    return 1
