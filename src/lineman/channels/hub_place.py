"""Where the hub of some layers is, and how it is started where none runs.

Its address is an abstract unix socket, which needs no directory and is the same for a service, a
shell and a task queue of one user, however their environments differ. Any user may take such a
name, so the other end is believed only if the kernel says that it is this user, or root.

Source: unix(7), "Abstract sockets"
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from lineman.base.unixpath import short_path
from lineman.base.unixpeer import peer_uid, user_in_words
from lineman.brokers.broker_address import without_login
from lineman.channels.layer_messages import VERSION
from lineman.errors import ConfigError, NotReachedError

# Seconds in which a hub must have been started.
PATIENCE = 15.0
LOOK = 0.02
PROGRAM = "lineman.channels.hub_process"


@dataclass(frozen=True, slots=True)
class HubPlace:
    """What a hub is found by.

    Attributes:
        name: the name that all processes of a service have; it is also the service's name at the
            broker.
        broker: the broker's address; None for one machine.
        path: the path of a unix socket; empty for an abstract one.
    """

    name: str
    broker: str | None = None
    path: str = ""

    @property
    def address(self) -> str:
        """The address of the hub's socket.

        Hubs with other brokers, of other versions, of other users and in other containers have
        other addresses.
        """
        if self.path:
            return self.path
        container = os.stat("/proc/self/ns/pid").st_ino
        parts = (VERSION, os.geteuid(), container, self.broker or "", self.name)
        digest = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]
        return f"\0lineman channels {digest}"

    def __str__(self) -> str:
        by = f" over {without_login(self.broker)}" if self.broker else ""
        return (self.path or f"of {self.name!r}") + by


def connect(place: HubPlace) -> socket.socket | None:
    """A connection to the hub; None if none runs.

    Raises:
        ConfigError: another user has its place.
        NotReachedError: it accepts no connections.
    """
    address = place.address
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        with contextlib.nullcontext(address) if address[0] == "\0" else short_path(address) as at:
            end.connect(at)
        uid = peer_uid(end)
        if uid not in (0, os.geteuid()):
            raise ConfigError(
                f"the place of the channel layer's hub {place} is taken by {user_in_words(uid)}, "
                f"and this process runs as {user_in_words(os.geteuid())}",
                "run all processes of the service as one user, or give them another CONFIG name",
            )
    except BaseException as error:
        end.close()
        if isinstance(error, OSError):
            if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
                return None
            what = (error.strerror or str(error)).lower()
            raise NotReachedError(
                f"the channel layer's hub {place} is not reached: {what}",
                "look for its process: pgrep -af lineman.channels",
            ) from None
        raise
    return end


def reach(place: HubPlace) -> socket.socket:
    """A connection to the hub, which is started if none runs. It may take a second.

    Raises:
        ConfigError: it cannot be reached or started.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        end = connect(place)
        if end is not None:
            return end
        if time.monotonic() > deadline:
            raise NotReachedError(
                f"the channel layer's hub {place} did not start within {PATIENCE:g} s",
                "look for what uses the processors; it is tried again with the next message",
            )
        with _turn(place) as is_ours:
            if is_ours:
                _start(place)
            else:
                time.sleep(LOOK)  # another process starts it


@contextlib.contextmanager
def _turn(place: HubPlace) -> Iterator[bool]:
    """Whether this process is the one that starts the hub now."""
    digest = hashlib.sha256(place.address.encode()).hexdigest()[:32]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as turn:
        try:
            turn.bind(f"\0lineman starts {os.geteuid()} {digest}")
        except OSError:
            yield False
        else:
            yield True


def _start(place: HubPlace) -> None:
    """Starts a hub that does not end with this process; returns when it listens."""
    failed = "the channel layer's hub could not be started"
    fix = "start it by itself, as `python -m lineman.channels.hub_process` says"
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", PROGRAM, "--place-on-stdin"],
            input=msgspec.json.encode(place),
            capture_output=True,
            cwd="/",
            timeout=PATIENCE,
            start_new_session=True,
            check=False,
            env=_environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{failed}: {error}", fix) from None
    if done.returncode != 0:
        said = (done.stdout or done.stderr).decode(errors="replace").strip()
        seen, found, how = (said.splitlines() or ["it said nothing"])[-1].partition("; fix: ")
        raise ConfigError(f"{failed}: {seen}", how if found else fix)


def _environment() -> dict[str, str]:
    """This process' environment, with its own path for modules."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
