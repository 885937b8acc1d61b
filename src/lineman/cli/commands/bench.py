"""`lineman bench URL`: puts load on a service and measures how it performs.

Exit status: 0 when everything was answered, 1 when something failed, 2 for invalid options.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from lineman.cli.load.engine import Address, LoadEngine, addresses_of
from lineman.cli.load.load_plan import Mode, Plan
from lineman.cli.load.load_progress import choose
from lineman.cli.load.load_report import as_json, render
from lineman.cli.load.load_talk import StreamOpening
from lineman.cli.websocket_client import arguments
from lineman.cli.websocket_client.arguments import number, seconds
from lineman.cli.websocket_client.failures import of_error
from lineman.client import stream_target
from lineman.client.stream_target import AnyTarget, StreamTarget
from lineman.errors import ConfigError, UsageError
from lineman.protocols.websocket.client.client_handshake import ClientOpening

EXAMPLES = """\
examples:
  lineman bench ws://127.0.0.1:8282/
  lineman bench wss://localhost:8282/ --ca certs/ca.pem --connections 1000 --rate 5000
  lineman bench wss://example.com/chat --mode idle --connections 10000 --duration 60
  lineman bench ws://127.0.0.1:8282/ --any-reply --text --json
  lineman bench text://127.0.0.1:8383
  lineman bench frame+tls://localhost:8384 --insecure --mode connect

modes:
  echo       every client sends, and waits for the answer to each message
  broadcast  one more client sends, and every other one waits for its copy
  connect    every client connects, opens a websocket, closes it, and starts again
  idle       every client connects and stays silent

Over tcp://, which has no messages of its own, --size bytes count as one, however they arrive. Over
udp:// a datagram without an answer after --timeout counts as lost, and the client goes on.

With --rate, latency counts from the time at which a message was due, so that a service which falls
behind cannot hide it. Ctrl-C ends the measurement, and a second Ctrl-C ends the wait for the last
answers.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    made = commands.add_parser(
        "bench",
        help="put load on a service and measure it",
        description="Puts load on a service and measures how it performs.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(run=run)
    made.add_argument("url", metavar="URL", help="ws://… or wss://…, or text://…, frame://…, "
        "tcp://…, each also as text+tls://… and text+unix:///…; or udp://…")  # fmt: skip

    _add_work(made)
    arguments.add_handshake(made)
    made.add_argument("--json", action="store_true", help="print the result as JSON")
    made.add_argument(
        "--pid",
        type=_pids,
        default=(),
        metavar="PID[,PID]",
        help="the server's processes on this machine: measure their CPU time as well",
    )


def _add_work(made: argparse.ArgumentParser) -> None:
    add = made.add_argument
    modes = [mode.value for mode in Mode]
    add("--mode", choices=modes, default="echo", help="what the clients do (default: echo)")
    add(
        "--connections",
        type=_count,
        default=100,
        metavar="N",
        help="number of clients (default: 100)",
    )
    add("--size", type=_size, default=32, metavar="BYTES", help="size of a message (default: 32)")
    add(
        "--depth",
        type=_count,
        default=1,
        metavar="N",
        help="messages in flight on each connection (default: 1)",
    )
    add("--duration", type=seconds, default=10.0, metavar="SECONDS", help="(default: 10)")
    add(
        "--warmup",
        type=_wait,
        default=0.0,
        metavar="SECONDS",
        help="time at the start that is not counted (default: 0)",
    )
    add(
        "--rate",
        type=seconds,
        metavar="N",
        help="messages a second, in all (default: as many as it answers)",
    )
    kind = made.add_mutually_exclusive_group()
    kind.add_argument("--text", action="store_true", help="text messages")
    kind.add_argument("--binary", action="store_true", help="binary messages (the default)")
    add("--any-reply", action="store_true", help="count any message as the answer")
    add(
        "--batch",
        action="store_true",
        help="send --depth messages at once, when all before are answered",
    )
    add(
        "--spin",
        action="store_true",
        help="never sleep, so that the server does not pay for waking the client",
    )
    add("--timeout", type=seconds, default=10.0, metavar="SECONDS",
        help="time for a handshake or an answer (default: 10)")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Runs the test and prints its result.

    Returns:
        0 when everything was answered, 1 when something failed.

    Raises:
        UsageError: options contradict each other.
        ConfigError: the service cannot be reached, and why.
    """
    target = stream_target.parse(options.url)
    plan = plan_of(options, target)
    context = arguments.tls_context(options.ca, options.insecure) if target.is_tls else None
    addresses = _addresses(target)
    progress = choose()
    engine = LoadEngine(plan, addresses, context, progress.show)
    try:
        with _interruptible(engine.stop):
            result = engine.run()
    finally:
        progress.close()
    print(json.dumps(as_json(result)) if options.json else render(result), end="")
    if options.json:
        print()
    return 0 if result.is_good else 1


def plan_of(options: argparse.Namespace, target: AnyTarget) -> Plan:
    """The options as a plan.

    Raises:
        UsageError: they contradict each other, or a header would break the handshake.
    """
    if isinstance(target, StreamTarget):
        _refuse_what_only_websockets_have(options, target)
        is_text = target.protocol == "text"
        is_bytes = target.protocol == "tcp" and not options.any_reply
        opening: ClientOpening | StreamOpening = StreamOpening(
            target, options.size if is_bytes else 0
        )
    else:
        is_text = options.text
        opening = arguments.opening_of(options, target)
    return Plan(
        opening,
        Mode(options.mode), options.connections, options.size, options.depth,
        options.duration, options.warmup, options.rate, is_text, options.any_reply,
        options.batch, options.spin, options.timeout, options.pid,
    )  # fmt: skip


def _refuse_what_only_websockets_have(options: argparse.Namespace, target: StreamTarget) -> None:
    for name in ("header", "origin", "subprotocol", "text", "binary"):
        if getattr(options, name):
            what = "kinds of messages" if name in ("text", "binary") else "a handshake"
            raise UsageError(
                f"--{name} is for websockets: {target.protocol}:// does not have {what};"
                f" leave --{name} out"
            )


def _addresses(target: AnyTarget) -> list[Address]:
    try:
        return addresses_of(target)
    except socket.gaierror as error:
        failure = of_error(error, target)
        raise ConfigError(failure.seen, failure.fix) from None


@contextmanager
def _interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C ends the measuring, the second the waiting, the third everything."""
    count = 0

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count > 2:
            raise KeyboardInterrupt
        stop()

    previous = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


# The types of the arguments.


def _count(text: str) -> int:
    return int(number(text, int, 1, "a whole number, 1 or more"))


def _size(text: str) -> int:
    return int(number(text, int, 0, "a number of bytes, 0 or more"))


def _wait(text: str) -> float:
    return number(text, float, 0, "a number, 0 or more")


def _pids(text: str) -> tuple[int, ...]:
    return tuple(int(number(one, int, 1, "a process id")) for one in text.split(","))
