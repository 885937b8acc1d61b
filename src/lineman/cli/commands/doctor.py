"""`lineman doctor`: why a connection fails, and how to mend it.

Exit status: 0 if nothing is wrong, 1 if something keeps clients out, 2 for invalid options, 3 if
there are only warnings.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lineman.base.finding import Finding
from lineman.base.program_words import is_application
from lineman.cli.shared import program_survey, served_program
from lineman.cli.websocket_client import arguments
from lineman.cli.websocket_client.failures import development_authority
from lineman.client import stream_target
from lineman.client.stream_target import StreamTarget
from lineman.doctor import report
from lineman.doctor.checks import judge, stream_port
from lineman.doctor.checks import program_inside as inside_checks
from lineman.doctor.checks.wechat import PROFILE
from lineman.doctor.facts import Question
from lineman.doctor.looks import inside, stream_look
from lineman.doctor.looks.outside import Tools, look
from lineman.errors import UsageError
from lineman.protocols.websocket.client import url as targets
from lineman.tls.advice.certificate_facts import roots_of

EXAMPLES = """\
examples:
  lineman doctor wss://example.com/wss
  lineman doctor wss://example.com/wss --patience 130          is a silent connection cut, and when?
  lineman doctor wss://example.com/wss --upstream ws://127.0.0.1:8282 --cert fullchain.pem
  lineman doctor wss://example.com/wss --stand-in 127.0.0.1:8282   what does the proxy send on?
  lineman doctor wss://example.com/wss --profile wechat
  lineman doctor text+tls://example.com:7000                   tcp, text and frame, with +tls or not
  lineman doctor app.py                                        the program, from inside
  lineman doctor main:app --port 8000                          an application, from inside

Each finding is a level, a word that is the same in every version, what was seen, and the fix.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    made = commands.add_parser(
        "doctor",
        help="find out why a connection fails",
        description="Looks at a service as its clients do (URL), or at a program from "
        "inside (app.py, main:app), and says what is wrong and how to mend it, the likeliest cause "
        "first.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(run=run)
    add = made.add_argument
    add("subject", metavar="URL|app.py|MODULE:APP",
        help=f"wss://…, tcp://… and its like, or a program; {served_program.OPTIONS}")  # fmt: skip
    served_program.take_options(made, "subject")
    add("--json", action="store_true", help="for programs")
    add("--timeout", type=arguments.seconds, default=5.0, metavar="SECONDS",
        help="time for each connection (default: 5)")  # fmt: skip
    program_survey.add_user_to(made.add_argument_group("for a program, as root"))
    _add_outside(made.add_argument_group("for a URL"))


def _add_outside(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--patience", type=arguments.seconds, default=0.0, metavar="SECONDS",
        help="send nothing for this time: is the connection cut, and when?")  # fmt: skip
    add("--message-size", type=_size, default=0, metavar="BYTES",
        help="send one message of this size: is it accepted?")  # fmt: skip
    add(
        "--upstream",
        metavar="URL",
        help="also connect to the service without its proxy, and compare",
    )
    add("--stand-in", type=_place, metavar="HOST:PORT",
        help="take the (stopped) service's place behind its proxy: what is sent on?")  # fmt: skip
    add("--cert", type=Path, metavar="FILE", help="the certificate on disk: is it the one served?")
    add("--resolve", action="append", default=[], type=_resolve, metavar="HOST:IP",
        help="connect to this address in place of the name's (may be repeated)")  # fmt: skip
    add("--ca", type=Path, metavar="FILE", help="authorities in place of the system's (PEM)")
    add("--profile", choices=[PROFILE], default="", help="also check the rules of these clients")
    add("--origin", help="the page that connects (default: a page of the site itself)")
    add("--subprotocol", action="append", default=[], metavar="NAME",
        help="offer this subprotocol (may be repeated)")  # fmt: skip
    add("--header", "-H", action="append", type=arguments.header, default=[],
        metavar="'NAME: VALUE'", help="send this header (may be repeated)")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Looks at the service or program and prints the findings.

    Returns:
        0, 1 or 3, as the module says.

    Raises:
        UsageError: options are invalid.
        ConfigError: the program, or the file of authorities, cannot be read.
    """
    subject = options.subject
    is_script = "://" not in subject and subject.endswith(".py")
    find = _program if is_script or is_application(subject) else _url
    findings = find(options)
    if options.json:
        print(report.as_json(options.subject, findings))
    else:
        is_coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        print(report.text(options.subject, findings, is_coloured))
    return report.exit_status(findings)


def _program(options: argparse.Namespace) -> list[Finding]:
    script = Path(options.subject)
    words = served_program.words_for(options.subject, options.rest)
    read = program_survey.read(script, options.user, options.group, words=words)
    return inside_checks.judge(inside.look(script, read.survey, read.owner_of, options.timeout))


def _url(options: argparse.Namespace) -> list[Finding]:
    if options.user or options.group:
        raise UsageError("--user and --group are for a program, and this is a URL")
    target = stream_target.parse(options.subject)
    if isinstance(target, StreamTarget):
        return _stream(options, target)
    if target.unix_path:
        raise UsageError(
            f"{target} is a socket of this machine, and the doctor looks at what clients of the "
            "network meet; `lineman connect` tries it"
        )
    # Raises now if a header or subprotocol would break every handshake.
    arguments.opening_of(options, target)
    question = Question(
        target,
        options.origin,
        tuple(options.subprotocol),
        options.profile,
        options.patience,
    )
    tools = replace(
        _tools(options, target.host),
        headers=tuple(options.header),
        upstream=None if options.upstream is None else targets.parse(options.upstream),
        stand_in=options.stand_in,
        size=options.message_size,
    )
    return [_with_path(finding) for finding in judge(look(question, tools))]


def _tools(options: argparse.Namespace, host: str) -> Tools:
    roots = roots_of(options.ca)
    given = _given(options.resolve, host)
    return Tools(options.timeout, roots.trusted, roots.own, given=given, file=options.cert)


def _stream(options: argparse.Namespace, target: StreamTarget) -> list[Finding]:
    """Looks at a service without HTTP."""
    if target.protocol == "udp":
        raise UsageError(
            f"{target} is a service for datagrams, which have no connections: nothing can be seen "
            "of it from here; look at it from inside: lineman doctor app.py"
        )
    for name in (
        "upstream", "stand_in", "message_size", "profile", "origin", "subprotocol", "header"
    ):  # fmt: skip
        if getattr(options, name):
            raise UsageError(
                f"--{name.replace('_', '-')} is for websockets, and this is {target.scheme}://"
            )
    seen = stream_look.look(
        target.address, _tools(options, target.host), options.patience or stream_look.SILENCE
    )
    return [_with_path(finding) for finding in stream_port.judge(seen)]


def _with_path(finding: Finding) -> Finding:
    """Says where the authority of `tls="dev"` is, if this machine has one."""
    own = development_authority()
    if own and "ca.pem" in finding.fix:
        return replace(finding, fix=f"{finding.fix} (this machine's is {shlex.quote(own)})")
    return finding


def _given(pairs: Sequence[tuple[str, str]], host: str) -> tuple[str, ...]:
    for name, _ in pairs:
        if name.lower() != host.lower():
            raise UsageError(f"--resolve is for {name}, and the URL's host is {host}")
    return tuple(ip for _, ip in pairs)


def _resolve(text: str) -> tuple[str, str]:
    name, _, ip = text.partition(":")
    try:
        return name, str(ipaddress.ip_address(ip.strip("[]")))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not HOST:IP, such as example.com:127.0.0.1"
        ) from None


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:8282")
    return host.strip("[]"), int(port)


def _size(text: str) -> int:
    return int(arguments.number(text, int, 1, "a number of bytes above 0"))
