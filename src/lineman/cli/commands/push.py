"""`lineman push`: a message to clients of a gateway, from a shell or a cron job.

Exit status: 0 when the gateway or its broker has taken it, 1 if that failed.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from lineman.errors import LinemanError, NotReachedError, UsageError
from lineman.gateway.push.blocking import GatewayClient
from lineman.gateway.push.recipients import recipients_of
from lineman.process.master.handoff import Handoff
from lineman.process.rundir.claim import runners
from lineman.process.rundir.rundir import find_pid_file, links_directory, name_of

# How the socket of a gateway's first process is called, after the gateway's name.
FIRST = "-0.sock"


def add_to(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], handoff: Handoff | None = None
) -> None:
    """Adds the command and its options."""
    made = commands.add_parser(
        "push",
        help="send a message to clients of a gateway",
        description="Sends a message to users, groups or clients of a gateway, wherever they are.",
    )
    made.set_defaults(run=run)
    made.add_argument(
        "to",
        metavar="GATEWAY",
        help="the gateway's script (app.py) on this machine, unix:///path of its socket, or its "
        "broker: redis://host, nats://host",
    )
    made.add_argument("message", metavar="MESSAGE", help="text; - reads it from standard input")
    add = made.add_argument
    add("--uid", action="append", default=[], metavar="U", help="to a user; may be repeated")
    add("--group", action="append", default=[], metavar="G", help="to a group; may be repeated")
    add("--client", action="append", default=[], metavar="ID", help="to a client; may be repeated")
    add("--all", action="store_true", help="to everybody")
    add("--keep", action="store_true", help="with --group: keep it in the group's history")
    add("--binary", action="store_true", help="send it as a binary message")
    add(
        "--name",
        help="name of the gateway (default: gateway; of a script: the only one that it runs)",
    )
    add(
        "--secret-file",
        metavar="FILE",
        help="file with the secret that the nodes share; default: $LINEMAN_SECRET",
    )


def run(options: argparse.Namespace) -> int:
    """Sends the message."""
    recipients = recipients_of(vars(options), lambda field: f"--{field}")
    message = _message(options)
    try:
        address, name = _gateway(options)
        with GatewayClient(address, name, _secret(options)) as gateway:
            recipients.send(gateway, message)
    except LinemanError as error:
        print(f"lineman: {error}", file=sys.stderr)
        return 1
    print("sent")
    return 0


def _message(options: argparse.Namespace) -> str | bytes:
    text: str = options.message
    if options.binary:
        return sys.stdin.buffer.read() if text == "-" else text.encode()
    return sys.stdin.read() if text == "-" else text


def _gateway(options: argparse.Namespace) -> tuple[str, str]:
    """The gateway's URL and name: as they were given, or those of a program on this machine."""
    given: str = options.to
    if "://" in given:
        return given, options.name or "gateway"
    if not os.path.isfile(given):
        raise UsageError(
            f"there is no file {given}; give a script, or unix:///…, redis://…, nats://…"
        )
    name = name_of(os.path.abspath(given))
    pid_file = find_pid_file(name)
    if not pid_file.exists():  # the program may run with another pid file
        others = [each.pid_file for each in runners(name) if each.is_believed and each.pid_file]
        pid_file = next(iter(others), pid_file)
    directory = links_directory(pid_file)
    name = options.name or _only_name(given, directory)
    return f"unix://{directory / f'{name}-0.sock'}", name


def _only_name(script: str, directory: Path) -> str:
    """The name of the only gateway whose sockets are in a program's directory."""
    names = sorted(path.name.removesuffix(FIRST) for path in directory.glob(f"*{FIRST}"))
    if len(names) == 1:
        return names[0]
    if names:
        raise UsageError(f"{script} runs {len(names)} gateways; give --name: {', '.join(names)}")
    raise NotReachedError(
        f"no gateway of {script} runs", "start it, if the program has a Gateway: lineman start"
    )


def _secret(options: argparse.Namespace) -> str | None:
    if options.secret_file is None:
        return os.environ.get("LINEMAN_SECRET")
    try:
        return Path(options.secret_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"cannot read {options.secret_file}: {error.strerror}") from None
