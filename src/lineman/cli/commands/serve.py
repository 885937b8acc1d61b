"""`lineman serve`: an application of ASGI or WSGI under a master, with uvicorn's options.

Exit status: as `lineman start`.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys

from lineman.cli.commands import start
from lineman.cli.shared import program_target, serve_options, served_program
from lineman.errors import UsageError
from lineman.process.master.handoff import Handoff

logger = logging.getLogger("lineman")


def add_to(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], handoff: Handoff | None = None
) -> None:
    """Adds the command and its options."""
    made = commands.add_parser(
        "serve",
        help="serve an application: FastAPI, Starlette, Litestar, Django, …",
        description="Serves an application of ASGI, or with --interface wsgi of WSGI. The options "
        "have uvicorn's names. `lineman reload MODULE:APP`, status, stop and the others find it.",
        allow_abbrev=False,
    )
    made.set_defaults(run=run, daemon=False, graceful=False, handoff=None)
    serve_options.add_to(made)
    made.add_argument("--watch", "--reload", dest="watch", action="store_true",
                      help="reload when a file of the program changes")  # fmt: skip
    made.add_argument("-d", dest="daemon", action="store_true", help="as a daemon")
    program_target.add_quiet(made, "print nothing if it succeeds")
    made.add_argument("--user", metavar="NAME", default="", help="the user of all processes")
    made.add_argument("--group", metavar="NAME", default="", help="its group")
    made.add_argument("--log", metavar="FILE", help="the log file (a daemon has a default)")
    made.add_argument("--pid-file", metavar="FILE", help="the pid file, if not the default")


def run(options: argparse.Namespace) -> int:
    """Serves the application."""
    if ":" not in options.app:
        module = options.app.removesuffix(".py").replace("/", ".")
        raise UsageError(f"{options.app!r} is no application; write it as {module}:app")
    read = serve_options.gateway_options if options.keep_clients else serve_options.worker_options
    read(options)  # what contradicts itself is told at once
    words = served_program.words_of(sys.argv[2:])
    for line in serve_options.notes(options, words):
        print(f"lineman: {line}", file=sys.stderr)
    if options.fd is not None:
        words += take_descriptor(options.fd)
    return start.start(options, served_program.target_of(options.app, words, options.pid_file))


def take_descriptor(descriptor: int) -> list[str]:
    """Has the master find a socket that was inherited, as one that systemd passes.

    Returns:
        The words that say where it listens.
    """
    if descriptor < 3:
        raise UsageError(f"--fd is {descriptor}; give a listening socket, from 3 on")
    try:
        given = socket.socket(fileno=os.dup(descriptor))
        with given:
            name = given.getsockname()
    except OSError:
        raise UsageError(f"--fd {descriptor} is no socket of this process") from None
    if descriptor != 3:
        os.dup2(descriptor, 3)
    os.environ["LISTEN_FDS"], os.environ["LISTEN_PID"] = "1", str(os.getpid())
    if isinstance(name, str):
        return ["--uds", name]
    return ["--host", name[0], "--port", str(name[1])]
