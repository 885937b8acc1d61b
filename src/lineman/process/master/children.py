"""Starts the child processes, receives their messages, and ends them."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lineman.errors import ConfigError
from lineman.process.master import child_events as childevents
from lineman.process.master import guarded_process
from lineman.process.master.description import Place
from lineman.process.master.model import Key
from lineman.process.master.reactor import Channel, Reactor
from lineman.process.messages.lines import MAX_LINE, WireError, encode, split_answer
from lineman.process.messages.role import VARIABLE, Role
from lineman.process.rundir.owner import Owner, barrier

logger = logging.getLogger("lineman")


@dataclass(frozen=True, slots=True)
class Program:
    """How to run the user's program.

    Attributes:
        command: the words of its command line, as it was started.
        directory: where it was started; symbolic links in it are followed again at each start.
        script: its path.
        arguments: the program's own words on its command line, without the command.
    """

    command: tuple[str, ...]
    directory: str
    script: str
    arguments: tuple[str, ...] = ()

    def in_place(self, module: str) -> Program:
        """How to run a module of Python in its place; an empty name means the program."""
        if not module:
            return self
        return replace(self, command=(*self.command[:1], "-P", "-m", module))


@dataclass(slots=True, eq=False)
class Child:
    """A child process, as the master knows it.

    Attributes:
        number: its number in the plan.
        started_at: seconds since the epoch.
        place: what it was started as.
        lag: the delay of its event loop at its last beat, in seconds.
        rate: the rate of its messages.
    """

    number: int
    key: Key
    pid: int
    started_at: float
    popen: subprocess.Popen[bytes]
    channel: Channel
    place: Place
    lag: float = 0.0
    rate: childevents.Rate = field(default_factory=childevents.Rate)


def spawn(
    program: Program,
    role: Callable[[int], Role],
    owner: Owner | None,
    blocked: Sequence[signal.Signals],
    outputs: tuple[int, int],
    *,
    is_guarded: bool = False,
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Starts the program in a role.

    Args:
        role: makes the role from the descriptor of the child's end of the link.
        owner: the user that it runs as from its first instruction on; None for the user of this
            process.
        blocked: signals that are blocked until the child has its handlers, so that they do not
            end it earlier.
        outputs: descriptors for its standard output and error.
        is_guarded: whether it is protected against other processes of that user, as far as
            possible.

    Returns:
        The process, and this end of the link.

    Raises:
        ConfigError: the user may not run it.
    """
    if owner is not None and barrier(owner, program.script, os.R_OK):
        raise _closed_to(owner, program)  # Python's own message would not help
    own, theirs = socket.socketpair()
    given = role(theirs.fileno())
    environment = {**os.environ, VARIABLE: given.encode()}
    if owner is not None:
        environment.update(owner.environment())
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        process = _popen(
            owner,
            is_guarded,
            args=[sys.executable, *program.command[1:]],
            cwd=program.directory,
            env=environment,
            stdout=outputs[0],
            stderr=outputs[1],
            pass_fds=given.descriptors(),
        )
    except BaseException as error:
        own.close()
        if isinstance(error, PermissionError) and owner is not None:
            raise _closed_to(owner, program) from None
        raise
    finally:
        theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process, own


def _closed_to(owner: Owner, program: Program) -> ConfigError:
    """The error for a user that cannot run or read a program: it names the first obstacle."""
    ways = (
        (sys.executable, os.X_OK),
        (program.directory, os.X_OK),
        (program.script, os.R_OK),
    )
    what = f"run {os.path.realpath(sys.executable)} in {program.directory}"
    found = next(filter(None, (barrier(owner, path, mode) for path, mode in ways)), "")
    return ConfigError(
        f"user {owner.name} may not {what}" + (f": {found} does not allow it" if found else ""),
        "put Python, the program and its folder where that user can read them, such as below /opt "
        "or /srv",
    )


def _popen(owner: Owner | None, is_guarded: bool, **given: Any) -> subprocess.Popen[bytes]:
    if owner is None:
        return subprocess.Popen(**given)
    become = guarded_process.guarded(owner) if is_guarded and owner.uid != 0 else None
    if become is not None:
        try:
            return subprocess.Popen(**{**given, "preexec_fn": become})
        except subprocess.SubprocessError:
            pass  # a container's filter of system calls may forbid it
    given |= {"user": owner.uid, "group": owner.gid, "extra_groups": owner.groups}
    return subprocess.Popen(**given)


def cause_of(status: int) -> str:
    """Why a process ended, as text.

    Args:
        status: as `os.waitpid` returns it.
    """
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


@dataclass(slots=True)
class Children:
    """All children.

    Args:
        on_event: gets the child, the name of its event, and the details.
        on_answer: gets the number of the process, the number of the question, and the answer as
            JSON.
    """

    reactor: Reactor
    on_event: Callable[[Child, str, Mapping[str, Any]], None]
    on_answer: Callable[[int, int, bytes], None]
    children: dict[int, Child] = field(default_factory=dict)

    def take(
        self,
        number: int,
        key: Key,
        place: Place,
        popen: subprocess.Popen[bytes],
        end: socket.socket,
    ) -> Child:
        """Begins to read the messages of a process that was just started."""
        channel = Channel(
            self.reactor, end, lambda line: self._hear(child, line), lambda: None, MAX_LINE
        )
        child = Child(number, key, popen.pid, time.time(), popen, channel, place)
        self.children[number] = child
        return child

    def _hear(self, child: Child, line: bytes) -> None:
        if child.rate.is_too_high(time.monotonic()):
            self._leave(child, f"it sends more than {childevents.MAX_RATE} messages a second")
            return
        answer = split_answer(line)
        if answer is not None:
            self.on_answer(child.number, *answer)
            return
        try:
            name, details = childevents.read(line)
        except WireError as error:
            self._leave(child, f"it sends {error}")
            return
        if name == "beat":
            child.lag = details["lag"]
        self.on_event(child, name, details)

    def _leave(self, child: Child, why: str) -> None:
        """Closes the link to a child; the child notices this, and ends."""
        logger.error("messages of process %d are ignored from now on: %s", child.pid, why)
        child.channel.close()

    def order(self, number: int, what: str, **arguments: Any) -> None:
        """Sends an order to one child; a child that is gone is ignored."""
        child = self.children.get(number)
        if child is not None:
            child.channel.send(encode({"do": what, **arguments}))

    def order_all(self, what: str, **arguments: Any) -> None:
        """Sends an order to every child."""
        for number in list(self.children):
            self.order(number, what, **arguments)

    def kill(self, number: int) -> None:
        """Ends a child at once."""
        child = self.children.get(number)
        if child is not None:
            os.kill(child.pid, signal.SIGKILL)  # not reaped yet, so the pid is still its own

    def gone(self, pid: int, status: int) -> Child | None:
        """Removes and returns a child that has ended; None if the pid belongs to no child."""
        for number, child in self.children.items():
            if child.pid == pid:
                del self.children[number]
                child.popen.returncode = os.waitstatus_to_exitcode(status)
                child.channel.drain()
                child.channel.close()
                return child
        return None


def reap() -> list[tuple[int, int]]:
    """The pid and status of every process that has ended.

    If this is the first process of a container, orphans are among them.
    """
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended.append((pid, status))
