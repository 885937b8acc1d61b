"""`lineman config`: the options of a program that are in force, and where each comes from.

Exit status: 0 when they were printed; 1 when the program cannot be read or an option cannot work.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from lineman.cli.shared import program_survey, served_program
from lineman.cli.shared.table import printable
from lineman.config.shown_options import DEFAULT
from lineman.process.master.survey import SurveyedOption


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    made = commands.add_parser(
        "config",
        help="show the options that are in force, and where each comes from",
        description="Runs the program up to the point where it would serve, and prints the options "
        "of its services: the value, and whether it comes from the code, from lineman.toml or from "
        "a variable LINEMAN_….",
    )
    made.add_argument(
        "app", metavar="app.py|MODULE:APP", help=f"the program; {served_program.OPTIONS}"
    )
    served_program.take_options(made, "app")
    made.add_argument("--all", action="store_true", help="show the defaults as well")
    made.add_argument("--json", action="store_true", help="print JSON")
    program_survey.add_user_to(made)
    made.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the options."""
    words = served_program.words_for(options.app, options.rest)
    found = program_survey.read_options(Path(options.app), options.user, options.group, words)
    shown = [each for each in found.options if options.all or each.source != DEFAULT]
    if options.json:
        rows = [
            {name: getattr(each, name) for name in ("service", "option", "value", "source")}
            for each in shown
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        print(text_of(shown, [each.service for each in found.options]))
    faults = [worker for worker in found.workers if worker.fault]
    for worker in faults:
        print(f"{printable(worker.name)}: {printable(worker.fault)}; fix: {printable(worker.fix)}")
    return 1 if faults else 0


def text_of(shown: Sequence[SurveyedOption], services: Sequence[str]) -> str:
    """The options as text, a block for each service.

    Args:
        shown: the options, those of one service together.
        services: the services in their order, also those without a shown option.
    """
    wide = max((len(each.option) for each in shown), default=0)
    values = max((min(len(printable(each.value)), 40) for each in shown), default=0)
    blocks = {name: [f"{printable(name)}: all defaults"] for name in dict.fromkeys(services)}
    for name, group in groupby(shown, lambda each: each.service):
        blocks[name] = [printable(name)] + [
            f"  {each.option:<{wide}}  {printable(each.value):<{values}}  {printable(each.source)}"
            for each in group
        ]
    return "\n".join(line for block in blocks.values() for line in block)
