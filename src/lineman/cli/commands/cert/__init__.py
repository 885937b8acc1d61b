"""`lineman cert`: what has to do with certificates, one module for each word."""

from __future__ import annotations

import argparse

from lineman.cli.commands.cert import check, list, obtain, renew, show, trust

WORDS = (check, obtain, renew, list, show, trust)


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its words."""
    made = commands.add_parser(
        "cert",
        help="look at certificates, get and renew them, have them trusted on this machine",
        description="Looks at certificates, gets and renews them, has them trusted here.",
    )
    words = made.add_subparsers(title="words", metavar="WORD", required=True)
    for word in WORDS:
        word.add_to(words)
