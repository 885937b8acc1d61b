"""`lineman drain`: asks the clients of a running program to connect again, to other nodes.

Exit status: 0 once it is ordered, with `--wait` once it is done; 1 if that failed or was cancelled,
or if the program does not run.
"""

from __future__ import annotations

import argparse
import re
import sys
import time

from lineman.cli.shared import program_target, units
from lineman.cli.shared.parsing import span
from lineman.cli.shared.program_target import ProgramTarget
from lineman.errors import UsageError
from lineman.process.master.drain_order import MAX_SECONDS
from lineman.process.master.handoff import Handoff
from lineman.process.messages.process_status import Status
from lineman.process.rundir.control_request import NotRunning

OVER = 300.0
# Seconds between looks with `--wait`.
LOOK = 0.2


def add_to(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], handoff: Handoff | None = None
) -> None:
    """Adds the command and its options."""
    made = program_target.add_command(
        commands,
        "drain",
        handoff,
        run,
        "ask the clients of a running program to connect again, to other nodes",
        "Closes the clients with 1012, evenly over a time, while the program runs on. New clients "
        "get 503, and /readyz answers 503, so that a load balancer sends them to other nodes; then "
        "the node can be stopped without a loss. With --share, only a part of the clients is "
        "asked, and new ones are welcome: for nodes that have more than their share.",
    )
    program_target.add_quiet(made)
    add = made.add_argument
    add(
        "--over",
        type=_over,
        default=OVER,
        metavar="TIME",
        help="ask the clients evenly over this time: 90, 5m, 2h (default: 5m)",
    )
    add(
        "--share",
        type=_share,
        metavar="PERCENT",
        help="ask only this share of the present clients, such as 25%%, and take new ones",
    )
    add("--wait", action="store_true", help="return when the clients that were asked are gone")
    add("--cancel", action="store_true", help="ask no more clients, and take new ones again")


def _over(text: str) -> float:
    seconds = span(text)
    if seconds > MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is more than {units.span(MAX_SECONDS)}")
    return seconds


def _share(text: str) -> float:
    found = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)%", text)
    if found is None or not 0 < float(found[1]) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; write it like 25%, at most 100%")
    return float(found[1]) / 100


def run(options: argparse.Namespace) -> int:
    """Orders the drain, or cancels it.

    Raises:
        UsageError: options that exclude each other.
    """
    if options.cancel and (options.wait or options.share is not None or options.over != OVER):
        raise UsageError("--cancel goes without --over, --share and --wait")
    program = program_target.of(options)
    try:
        if options.cancel:
            return _tell(options, program, program.ask("keep"))
        reply = program.ask("drain", seconds=options.over, share=options.share)
        status = _tell(options, program, reply)
        return _wait(options, program) if options.wait and not status else status
    except NotRunning as error:
        print(
            f"lineman: {program.shown} does not run: {error}; fix: {program.command('start')}",
            file=sys.stderr,
        )
        return 1


def _tell(options: argparse.Namespace, program: ProgramTarget, reply: object) -> int:
    """Prints what became of the order; returns the exit status."""
    assert isinstance(reply, dict)
    if not reply.get("ok"):
        why = reply.get("text") or "its version of Lineman knows no drain; restart it once"
        print(f"lineman: {program.shown}: {why}", file=sys.stderr)
        return 1
    was_draining = reply.get("was_draining")
    if options.cancel:
        text = "the drain is cancelled" if was_draining else "no drain is under way"
    elif options.share is None:
        text = f"draining over {units.span(options.over)}"
    else:
        share = f"{options.share * 100:g}%"
        text = f"{share} of the clients are asked to connect again over {units.span(options.over)}"
    if was_draining and not options.cancel:
        text += ", in place of the drain that was under way"
    if not options.cancel and not options.wait:
        text += (
            f"; see it: {program.command('status')}; end it: {program.command('drain')} --cancel"
        )
    program_target.say(options, f"{program.shown}: {text}")
    return 0


def _wait(options: argparse.Namespace, program: ProgramTarget) -> int:
    """Returns when all that were asked are gone, or when the drain is over in another way."""
    while True:
        status = Status.from_json(program.ask("status"))
        share, reports = status.master.drain_share, status.reports()
        is_known = len(reports) == len(status.children)  # a busy process has not answered
        if options.share is None:
            if not status.is_draining:
                print(f"lineman: {program.shown}: the drain was cancelled", file=sys.stderr)
                return 1
            clients = [each.report for each in status.children if each.takes_clients]
            left = sum(report.connections for report in clients if report is not None)
        elif not share:
            left = 0
        else:
            left = sum(report.drain_total - report.drain_asked for report in reports)
        if is_known and not left:
            break
        time.sleep(LOOK)
    program_target.say(options, f"{program.shown}: drained")
    return 0
