"""`lineman stop`: ends a running program.

Exit status: 0 once it has ended, or if it does not run; 1 if it does not end, or if this user's
commands do not reach it.
"""

from __future__ import annotations

import argparse
import os
import select

from lineman.cli.shared import program_target
from lineman.errors import ConfigError
from lineman.process.master.handoff import Handoff
from lineman.process.rundir.control_request import NotRunning
from lineman.process.rundir.rundir import holder

# Seconds from the master's last message to the end of its process.
LEAVING = 10.0


def add_to(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], handoff: Handoff | None = None
) -> None:
    """Adds the command and its options."""
    made = program_target.add_command(
        commands,
        "stop",
        handoff,
        run,
        "stop a running program",
        "Stops the program: clients are closed with 1001, and handlers at work have stop_timeout.",
    )
    program_target.add_quiet(made)
    program_target.add_graceful(made, "close clients one by one over drain_seconds, then stop")


def run(options: argparse.Namespace) -> int:
    """Stops the program and waits for its end."""
    program = program_target.of(options)
    try:
        pid = holder(program.pid_file)
        process = os.pidfd_open(pid) if pid > 0 else None
        program.ask("stop", None, graceful=options.graceful)
    except NotRunning as error:
        program_target.say(options, f"{program.shown} does not run{error.beside}")
        return 0
    except ProcessLookupError:
        program_target.say(options, f"{program.shown} does not run")
        return 0
    if process is not None and not select.select([process], [], [], LEAVING)[0]:
        raise ConfigError(f"process {pid} does not end", f"kill -KILL {pid}")
    program_target.say(options, f"{program.shown} is stopped (process {pid})")
    return 0
