"""`lineman`: reads the command line and calls the subcommand."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import platform
import signal
import ssl
import sys
import threading
from collections.abc import Sequence
from typing import Any

from lineman import __version__
from lineman.cli.shared import standard_output as output
from lineman.cli.shared.parsing import Parser
from lineman.cli.shared.standard_output import OutputLostError
from lineman.cli.shared.table import printable
from lineman.errors import ConfigError, UsageError
from lineman.process.master.handoff import Handoff, take_handoff

# The module of each command. Only the one that is asked for is loaded: a master is small.
COMMANDS = {
    "start": "start",
    "run": "start",
    "restart": "start",
    "serve": "serve",
    "stop": "stop",
    "reload": "reload",
    "drain": "drain",
    "status": "status",
    "connections": "connections",
    "top": "top",
    "push": "push",
    "bench": "bench",
    "cert": "cert",
    "config": "config",
    "connect": "connect",
    "doctor": "doctor",
    "proxy": "proxy",
}
# The commands that are not about a program.
OTHERS = frozenset({"serve", "bench", "cert", "config", "connect", "doctor", "proxy", "push"})

SHELLS = ("bash", "zsh", "fish")

OK = 0
FAILED = 1
USAGE = 2
INTERRUPTED = 130  # what a shell reports for a program that SIGINT has ended


def version() -> str:
    """One line that a bug report needs: the version, the build, Python and OpenSSL."""
    from lineman.net.stream import tlsstream  # it loads the data path
    from lineman.runtime import build

    openssl = " ".join(ssl.OPENSSL_VERSION.split()[:2])
    python = platform.python_version()
    way = "called directly" if tlsstream.is_direct() else "called through ssl"
    return f"lineman {__version__} ({build.describe()}), Python {python}, {openssl} {way}"


class _Version(argparse.Action):
    """Prints the version, which is found out only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(version())
        parser.exit()


class _Completion(argparse.Action):
    """Prints the script that a shell needs to complete this command's arguments."""

    def __call__(self, parser: argparse.ArgumentParser, _: Any, shell: Any, *__: Any) -> None:
        try:
            import argcomplete  # an extra
        except ImportError:
            parser.error("completion needs a package: pip install 'lineman[cli]'")
        print(argcomplete.shell_integration.shellcode(["lineman"], shell=shell))
        parser.exit()


def modules(first: str, handoff: Handoff | None) -> list[Any]:
    """The modules of the command line's commands, in order.

    Args:
        first: its first word; if it is a command's name, only that module is loaded.
        handoff: of a program that was started by hand; None for `lineman` itself.
    """
    known = [name for name in COMMANDS if handoff is None or name not in OTHERS]
    wanted = [first] if first in known else known
    names = dict.fromkeys(COMMANDS[name] for name in wanted)
    return [importlib.import_module(f"lineman.cli.commands.{name}") for name in names]


def parser(first: str = "", handoff: Handoff | None = None) -> argparse.ArgumentParser:
    """The command line, with every subcommand; arguments as for `modules`."""
    made = Parser(
        prog="lineman" if handoff is None else handoff.name,
        description="Services that hold long connections open, wss first.",
    )
    made.add_argument("--version", action=_Version, nargs=0, help="print the version")
    if handoff is None:
        made.add_argument(
            "--completion", action=_Completion, choices=SHELLS, metavar="|".join(SHELLS),
            help="print the completion script of a shell; for bash: "
            'eval "$(lineman --completion bash)"',
        )  # fmt: skip
    words = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in modules(first, handoff):
        if handoff is None:
            module.add_to(words)
        else:
            module.add_to(words, handoff)
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
    words = sys.argv[1:] if arguments is None else list(arguments)
    command = words[0] if words else ""
    handoff = take_handoff()
    _take_signals_back()
    output.guard(command)
    try:
        try:
            made = parser(command, handoff)
            if "_ARGCOMPLETE" in os.environ:  # a shell asks what may come next
                complete(made)
            options = made.parse_args(words)
            status: int = options.run(options)
        finally:
            sys.stdout.flush()
    except UsageError as error:
        _tell(error)
        return USAGE
    except ConfigError as error:
        _tell(error)
        return FAILED
    except OutputLostError as error:
        if not error.is_broken_pipe:  # a reader such as `| head` may close the pipe
            print(f"lineman: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _tell(error: Exception) -> None:
    """Prints an error; what it quotes may have characters that a terminal would obey."""
    lines = str(error).split("\n")
    print("lineman: " + "\n".join(map(printable, lines)), file=sys.stderr)


def complete(made: argparse.ArgumentParser) -> None:
    """Answers a shell that asks for completions, and ends; does nothing without `argcomplete`."""
    with contextlib.suppress(ImportError):
        import argcomplete  # an extra

        argcomplete.autocomplete(made)


def _take_signals_back() -> None:
    """Undoes what a launcher may have left: blocked signals and an ignored SIGCHLD.

    An ignored SIGHUP stays ignored until a master starts: the master recognizes `nohup` by it.
    """
    if threading.current_thread() is threading.main_thread():
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
