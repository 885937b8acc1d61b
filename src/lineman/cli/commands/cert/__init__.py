"""`lineman cert`: the subcommands for certificates, one module for each."""

from __future__ import annotations

import argparse

from lineman.cli.commands.cert import check, list, obtain, renew, show, trust

WORDS = (check, obtain, renew, list, show, trust)


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its subcommands."""
    made = commands.add_parser(
        "cert",
        help="check, get, renew and trust certificates",
        description="Checks certificates, gets and renews them, and makes this machine trust them.",
    )
    words = made.add_subparsers(title="words", metavar="WORD", required=True)
    for word in WORDS:
        word.add_to(words)
