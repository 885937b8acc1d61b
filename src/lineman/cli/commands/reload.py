"""`lineman reload`: new code in a running program, without losing a connection.

Exit status: 0 once every process runs the new code; 1 if that failed (the old code then continues
to run), or if the program does not run.
"""

from __future__ import annotations

import argparse
import sys

from lineman.cli.shared import program_target
from lineman.process.master.handoff import Handoff
from lineman.process.rundir.control_request import NotRunning


def add_to(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], handoff: Handoff | None = None
) -> None:
    """Adds the command and its options."""
    made = program_target.add_command(
        commands,
        "reload",
        handoff,
        run,
        "replace the processes of a running program by new ones, with new code",
        "Starts new processes with new code, and closes the clients of the old ones with 1012, "
        "over drain_seconds. Waits until all processes run the new code.",
    )
    program_target.add_quiet(made)
    program_target.add_graceful(made, "also wait until the old processes have ended")


def run(options: argparse.Namespace) -> int:
    """Reloads the program."""
    program = program_target.of(options)
    try:
        reply = program.ask("reload", None, graceful=options.graceful)
    except NotRunning as error:
        print(
            f"lineman: {program.shown} does not run: {error}; fix: {program.command('start')}",
            file=sys.stderr,
        )
        return 1
    if not reply.get("ok"):
        print(f"lineman: {program.shown}: {reply.get('text')}", file=sys.stderr)
        return 1
    program_target.say(options, f"{program.shown}: {reply['text']}")
    return 0
