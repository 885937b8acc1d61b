"""`lineman connect URL`: talks to a service from the terminal, or in a pipe.

Exit status: 0 after an orderly end; 1 when it could not connect, or the connection was lost or
closed with another code than 1000; 2 for invalid options; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import ssl
import sys
from dataclasses import replace

from lineman.cli.shared.waking import woken_by_signals
from lineman.cli.websocket_client import arguments, shown
from lineman.cli.websocket_client.client_socket import Wire
from lineman.cli.websocket_client.failures import ended_early, of_error
from lineman.cli.websocket_client.screens import OutputGoneError, screen
from lineman.cli.websocket_client.stream_wire import StreamWire
from lineman.cli.websocket_client.talk import Conversation, Manners
from lineman.client import stream_target
from lineman.client.stream_target import AnyTarget, StreamTarget
from lineman.errors import ConfigError, ConnectionLost, UsageError
from lineman.protocols.websocket import close
from lineman.protocols.websocket.client.client_handshake import ClientOpening, HandshakeRefusedError
from lineman.protocols.websocket.client.server_answer import NotHttpError
from lineman.protocols.websocket.negotiation import DeflateOptions

INTERRUPTED = 130
GOODBYE = 5.0  # seconds that a server has to answer our close frame

# As browsers do: context takeover is allowed, and small messages are compressed as well.
COMPRESSION = DeflateOptions(
    server_no_context_takeover=False, client_no_context_takeover=False, threshold=0
)

EXAMPLES = """\
examples:
  lineman connect wss://example.com/chat
  lineman connect wss://localhost:8443/ --ca certs/ca.pem -v
  lineman connect ws://127.0.0.1:8282/ -H 'Authorization: Bearer …' --origin https://example.com
  echo tom | lineman connect ws://127.0.0.1:8282/ --count 1
  lineman connect text://127.0.0.1:5678
  lineman connect frame+tls://devices.example.com:7000 --hex
  printf '%s\\n' 00ff 0102 | lineman connect ws://127.0.0.1:8282/ --hex --wait 3

In a terminal each line is a message; Ctrl-D closes with 1000, Ctrl-C with 1001. Lines that begin
with / are commands: /ping [text], /hex 00 ff, /close [code [reason]]; //text sends /text.
In a pipe every line is sent as it is, and every message is a line of the output.

text, frame and tcp, also with +tls and +unix: over tcp a line is sent with its end, as nc does;
bytes that are UTF-8 are shown as text, unless --hex or --binary is given. They have no close codes.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    made = commands.add_parser(
        "connect",
        help="talk to a service from the terminal",
        description="Opens a websocket or another connection, sends the lines that you type, and "
        "shows the answers.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(run=run)
    add = made.add_argument
    add("url", metavar="URL", help="ws://…, wss://…, text://…, frame://… or tcp://…")
    arguments.add_handshake(made)
    add("--no-compression", action="store_true", help="do not offer permessage-deflate")
    add("-v", "--verbose", action="store_true", help="show headers, pings and times")
    kind = made.add_mutually_exclusive_group()
    kind.add_argument("--binary", action="store_true", help="send lines as binary messages")
    kind.add_argument("--hex", action="store_true", help="lines are hexadecimal; send the bytes")
    add("--wait", type=arguments.seconds, default=1.0, metavar="SECONDS",
        help="in a pipe: silence after the end of the input that ends it (default: 1)")  # fmt: skip
    add("--count", type=_count, metavar="N", help="end after this number of messages")
    add("--timeout", type=arguments.seconds, default=10.0, metavar="SECONDS",
        help="time for each step of connecting (default: 10)")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Opens the connection and runs the conversation.

    Returns:
        0 after an orderly end, 1 for any other, 130 after Ctrl-C.

    Raises:
        UsageError: options are invalid.
        ConfigError: the service cannot be reached, and why.
    """
    target = stream_target.parse(options.url)
    tls = arguments.tls_context(options.ca, options.insecure) if target.is_tls else None
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    manners = Manners(
        options.binary, options.hex, options.verbose, None if is_terminal else options.wait,
        options.count,
    )  # fmt: skip
    wire: Wire | StreamWire
    if isinstance(target, StreamTarget):
        wire = _open_stream(options, target, tls)
    else:
        opening = arguments.opening_of(options, target)
        if not options.no_compression:
            opening = replace(opening, compression=COMPRESSION)
        wire = _open(opening, tls, options.timeout, options.verbose)
    try:
        return _talk(wire, manners, target, is_terminal)
    except OutputGoneError:
        # The reader has closed the pipe, as in `… | head -1`: without this, Python would report
        # the failed write again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        wire.close()


def _open(
    opening: ClientOpening, tls: ssl.SSLContext | None, timeout: float, is_verbose: bool
) -> Wire:
    target = opening.target
    try:
        wire = Wire(opening, tls, timeout, GOODBYE)
    except HandshakeRefusedError as error:
        if is_verbose:
            _tell(shown.answer_lines(error.answer))
        failure = of_error(error, target)
    except (OSError, NotHttpError) as error:
        failure = of_error(error, target)
    except ConnectionLost:
        failure = ended_early(target)
    else:
        if is_verbose:
            _tell(shown.request_lines(wire.handshake.request))
            assert wire.handshake.answer is not None
            _tell(shown.answer_lines(wire.handshake.answer))
            _tell_steps(wire)
        return wire
    raise ConfigError(failure.seen, failure.fix)


def _open_stream(
    options: argparse.Namespace, target: StreamTarget, tls: ssl.SSLContext | None
) -> StreamWire:
    if target.protocol == "udp":
        raise UsageError(
            f"{options.url!r} is a service for datagrams, which have no connections; `nc -u` sends "
            "a datagram for each line"
        )
    for name in ("header", "origin", "subprotocol", "no_compression"):
        if getattr(options, name):
            word = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{word} is for websockets: {target.protocol}:// does not have a handshake; "
                f"leave {word} out"
            )
    is_text = not (options.binary or options.hex)
    try:
        wire = StreamWire(target, tls, options.timeout, GOODBYE, is_text)
    except OSError as error:
        failure = of_error(error, target)
        raise ConfigError(failure.seen, failure.fix) from None
    if options.verbose:
        _tell_steps(wire)
    return wire


def _tell_steps(wire: Wire | StreamWire) -> None:
    steps = (f"{step} {shown.milliseconds(took)}" for step, took in wire.timings.steps)
    _tell([f"* {wire.tls or 'no TLS'}; {', '.join(steps)}"])


def _tell(lines: list[str]) -> None:
    print("\n".join(lines), file=sys.stderr)


def _talk(wire: Wire | StreamWire, manners: Manners, target: AnyTarget, is_terminal: bool) -> int:
    with woken_by_signals() as alarm:
        if is_terminal:
            took = shown.milliseconds(wire.timings.total)
            _tell([f"* connected to {target} in {took}{wire.agreed}; Ctrl-D ends it, /help helps"])
        there = screen(sys.stdin, sys.stdout)
        conversation = Conversation(wire, there, manners, alarm)
        try:
            conversation.run()
        except KeyboardInterrupt:
            conversation.say_goodbye(close.GOING_AWAY)
            conversation.run()
            return INTERRUPTED
        finally:
            there.end()
    return 0 if conversation.is_good else 1


def _count(text: str) -> int:
    return int(arguments.number(text, int, 1, "a whole number, 1 or more"))
