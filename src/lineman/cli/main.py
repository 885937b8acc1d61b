"""`lineman`: reads the command line and calls the subcommand."""

from __future__ import annotations

import argparse
import platform
import ssl
import sys
from collections.abc import Sequence

from lineman import __version__, build
from lineman.cli import bench, cert, connect, doctor, proxy
from lineman.errors import ConfigError, UsageError
from lineman.net import tlsstream

COMMANDS = (bench, cert, connect, doctor, proxy)

OK = 0
FAILED = 1
USAGE = 2
INTERRUPTED = 130  # what a shell reports for a program that SIGINT has ended


def version() -> str:
    """One line that a bug report needs: this package, how it was built, and what it stands on."""
    openssl = " ".join(ssl.OPENSSL_VERSION.split()[:2])
    python = platform.python_version()
    way = "called directly" if tlsstream.is_direct() else "called through ssl"
    return f"lineman {__version__} ({build.describe()}), Python {python}, {openssl} {way}"


def parser() -> argparse.ArgumentParser:
    """The command line, with every subcommand."""
    made = argparse.ArgumentParser(
        prog="lineman", description="Services that hold long connections open, wss first."
    )
    made.add_argument("--version", action="version", version=version())
    words = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_to(words)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: the words after `lineman`; None for the process' own.

    Returns:
        The exit status: 0 when it did what it was asked, 1 when it failed, 2 for options that
        make no sense together.

    Raises:
        SystemExit: status 2 for words that are no command or option, 0 after `--help`.
    """
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except UsageError as error:
        print(f"lineman: {error}", file=sys.stderr)
        return USAGE
    except ConfigError as error:
        print(f"lineman: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return status
