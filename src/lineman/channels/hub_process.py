"""The process of a hub of channel layers: `python -m lineman.channels.hub_process --name chat`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import signal
import socket
import stat
import sys
from collections.abc import Sequence

import msgspec

from lineman.base.unixpath import short_path
from lineman.base.unixpeer import open_directory
from lineman.brokers.base import MakeBroker
from lineman.brokers.choice import broker_maker
from lineman.channels.channel_hub import ChannelHub
from lineman.channels.hub_place import HubPlace
from lineman.errors import ConfigError
from lineman.runtime.child import loop_factory

# Seconds after which a hub ends that no layer uses and that keeps nothing.
UNUSED = 10.0


class TakenError(Exception):
    """Another hub has the place."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a hub here; or, for a layer that starts one, in a process that stays behind."""
    options = _parser().parse_args(arguments)
    try:
        if options.place_on_stdin:
            place = msgspec.json.decode(sys.stdin.buffer.read(), type=HubPlace)
            return _leave_behind(place)
        place = HubPlace(options.name, options.broker, options.path)
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        _run(place, _take(place), None)
    except TakenError:
        if options.place_on_stdin:
            return 0  # the layer finds that one
        print(f"a hub {place} runs already", file=sys.stderr)
        return 1
    except ConfigError as error:
        print(error)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lineman.channels.hub_process",
        description="The hub that channel layers talk through. Layers start one by themselves; "
        "this is for a supervisor. Arguments are those of the layer's CONFIG.",
    )
    parser.add_argument("--name", default="", help="CONFIG's name")
    parser.add_argument("--broker", help="CONFIG's broker, such as redis://localhost:6379")
    parser.add_argument("--path", default="", help="CONFIG's path, instead of a name")
    parser.add_argument("--place-on-stdin", action="store_true", help=argparse.SUPPRESS)
    return parser


def _leave_behind(place: HubPlace) -> int:
    """Runs a hub in a process that nobody waits for; returns when it has begun, or failed."""
    place_taken = _take(place)
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        place_taken.close()
        said = b""
        while part := os.read(reading, 4096):
            said += part
        print(said.decode().removesuffix("ok"), end="")
        return 0 if said == b"ok" else 1
    os.close(reading)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for each in range(3):
        os.dup2(null, each)
    logging.getLogger("lineman").addHandler(logging.NullHandler())
    try:
        _run(place, place_taken, writing)
    except ConfigError as error:
        os.write(writing, str(error).encode())
    os._exit(0)


def _take(place: HubPlace) -> socket.socket:
    """A socket at a hub's place, for this user only; `ChannelHub.start` listens.

    Raises:
        TakenError: another hub does.
        ConfigError: it cannot be made there.
    """
    address = place.address
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if address[0] == "\0":
            end.bind(address)
        else:
            _bind_path(end, address)
    except OSError as error:
        end.close()
        if error.errno == errno.EADDRINUSE:
            raise TakenError from None
        what = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"the hub cannot listen at {place}: {what}",
            "name a path in a directory where the service's user may write, or none",
        ) from None
    return end


def _bind_path(end: socket.socket, path: str) -> None:
    directory = open_directory(path)
    if directory is not None:
        raise ConfigError(
            f"other users may replace {path}, because they may write in {directory}",
            f"name a path in a directory of the service's user, or chmod o-w {directory}",
        )
    # The lock stays with this process: only the one that has it may replace the socket.
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise TakenError from None
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise ConfigError(
                f"{path} is there and is no socket", "remove it, or name another path"
            )
        os.unlink(path)
    before = os.umask(0o177)
    try:
        with short_path(path) as short:
            end.bind(short)
    finally:
        os.umask(before)


def _run(place: HubPlace, end: socket.socket, starter: int | None) -> None:
    make_broker: MakeBroker | None = None
    if place.broker:
        make_broker = broker_maker(place.broker, f"channels:{place.name}")
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(make_broker, end, starter))


async def _serve(make_broker: MakeBroker | None, end: socket.socket, starter: int | None) -> None:
    hub = ChannelHub(make_broker)
    await hub.start(end)
    if starter is not None:
        os.write(starter, b"ok")
        os.close(starter)
    running = asyncio.create_task(hub.run(UNUSED if starter is not None else float("inf")))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await hub.stop()


if __name__ == "__main__":
    sys.exit(main())
