"""`lineman status`: the master's reply, as JSON."""

from __future__ import annotations

import argparse
import json
import sys

from lineman.cli import target
from lineman.process.handoff import Handoff
from lineman.process.request import NotRunning


def add_to(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], handoff: Handoff | None = None
) -> None:
    """Adds the command and its options."""
    made = commands.add_parser("status", help="look at its processes", description=__doc__)
    made.set_defaults(run=run)
    target.add_to(made, handoff)
    made.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Prints what the master and its children say."""
    program = target.of(options)
    try:
        reply = program.ask("status")
    except NotRunning as error:
        print(f"lineman: {program.shown} does not run: {error}", file=sys.stderr)
        return 1
    print(json.dumps(reply, indent=2))
    return 0
