"""`lineman start`, `run` and `restart`: a program under a master, here or as a daemon.

Exit status: 0 once every process has said that it listens (as a daemon) or after an orderly stop
(in the foreground), 1 when it cannot start, 2 for options that make no sense.
"""

from __future__ import annotations

import argparse
import functools
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from lineman.address import Address
from lineman.cli import stop, target
from lineman.cli.target import Target
from lineman.errors import ConfigError
from lineman.net.listen import bind
from lineman.net.unixsocket import SocketFile
from lineman.process import daemon, logs, notify, owner, resources
from lineman.process.describing import describe
from lineman.process.description import Place
from lineman.process.handoff import Handoff
from lineman.process.logs import LogOptions
from lineman.process.master import Master
from lineman.process.masters import how_to_stop
from lineman.process.owner import Owner
from lineman.process.rundir import PidFile
from lineman.process.setting import Setting
from lineman.process.sockets import Sockets
from lineman.tls.tickets import TicketSecret

Configure: TypeAlias = Callable[[Mapping[str, Any], Owner | None], Mapping[str, Any]]

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
        made = target.add_command(commands, word, handoff, how, text)
        made.set_defaults(daemon=False, graceful=False)
        if word != "run":
            made.add_argument(
                "-d", dest="daemon", action="store_true", help="as a daemon, in the background"
            )
        if word == "restart":
            target.add_graceful(made, "let clients go over a time")
        made.add_argument(
            "--watch", action="store_true", help="reload when a file of the program changes"
        )
        made.add_argument("--user", metavar="NAME", default="", help="whom all of it runs as")
        made.add_argument("--group", metavar="NAME", default="", help="its group")
        made.add_argument("--log", metavar="FILE", help="where it writes (a daemon has a default)")


def run(options: argparse.Namespace) -> int:
    """Starts the program."""
    return _start(options, target.of(options, starts=True))


def restart(options: argparse.Namespace) -> int:
    """Stops the program and starts it again; one that could not start is not even stopped."""
    program = target.of(options, starts=True)
    if program.description is None:
        whom = owner.find(options.user, options.group)
        program = replace(program, description=describe(program.program, whom))
    return stop.run(options) or _start(options, program)


def _start(options: argparse.Namespace, program: Target) -> int:
    tell: daemon.Tell = _say_nothing
    log = None if options.log is None else Path(options.log).absolute()
    if options.daemon:
        log = _log_file(options, program)
        outcome = daemon.detach()
        if isinstance(outcome, tuple):
            return _report(program, log, *outcome)
        tell = outcome
        daemon.redirect(log)
    configure = functools.partial(_configure, options.log is not None, log)
    try:
        configure({} if program.description is None else program.description.settings, None)
        return _serve(options, program, tell, configure)
    except ConfigError as error:
        if options.daemon:
            tell(False, str(error))
        raise


def _configure(
    is_named: bool, log: Path | None, settings: Mapping[str, Any], whom: Owner | None
) -> Mapping[str, Any]:
    """Sends this process' log where it belongs, and returns the settings in force.

    Args:
        is_named: whether the command line names the log; otherwise the program may name another.
        log: the file; None for what the program says.
        settings: what the program says.
        whom: its processes run as; None for this user.
    """
    own = settings.get("log_file")
    chosen = log if is_named or own is None else own
    in_force = {**settings, "log_file": None if chosen is None else str(chosen)}
    ids = None if whom is None else (whom.uid, whom.gid)
    logs.set_up(LogOptions.from_json(in_force), owner=ids)
    return in_force


def _serve(
    options: argparse.Namespace, program: Target, tell: daemon.Tell, configure: Configure
) -> int:
    whom = owner.find(options.user, options.group)
    held = PidFile.take(program.pid_file)
    try:
        files: list[SocketFile] = []
        sockets = Sockets(functools.partial(_bind, files), notify.take_sockets())
        resources.raise_open_files()
        what = program.program
        master = Master(
            Setting(
                what,
                held,
                sockets,
                whom,
                tell,
                configure,
                TicketSecret.create().descriptor,
                options.watch,
                logs.reopen,
            )
        )
    except BaseException:
        held.release()
        raise
    try:
        return master.run(program.description)
    finally:
        for file in files:
            file.remove()


def _bind(files: list[SocketFile], place: Place, port: int, is_first: bool) -> socket.socket:
    address = Address(place.scheme, place.host, port, place.path)
    opened = bind(
        address,
        place.backlog,
        reuse_port=True,
        is_first=is_first,
        socket_mode=place.socket_mode,
        how_to_stop=how_to_stop,
    )
    if place.path:
        whom = owner.find(place.user, place.group)
        if whom is not None:  # the mode is about this user and group, not about root's
            os.chown(place.path, whom.uid, whom.gid)
        files.append(SocketFile(place.path))
    return opened


def _say_nothing(ok: bool, text: str) -> None:
    """The log says it all, and it is on the terminal."""


def _log_file(options: argparse.Namespace, program: Target) -> Path:
    named = options.log
    if named is None and program.description is not None:
        named = program.description.settings.get("log_file")
    path = daemon.default_log(program.name) if named is None else Path(named).absolute()
    try:
        path.open("ab").close()
    except OSError as error:
        raise ConfigError(
            f"cannot write the log {path}: {(error.strerror or str(error)).lower()}",
            "name another file: log_file= or --log",
        ) from None
    return path


def _report(program: Target, log: Path, ok: bool, text: str) -> int:
    if ok:
        print(f"{program.shown} runs: {text}")
        print(f"log: {log}\nto stop it: {program.command('stop')}")
        return 0
    print(f"lineman: {program.shown} does not start: {text}\nlog: {log}", file=sys.stderr)
    return 1
