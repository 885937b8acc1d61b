"""Asking the program for its description: a process that runs its code, says it, and ends."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

from lineman.errors import ConfigError
from lineman.process.description import Description
from lineman.process.owner import Owner
from lineman.process.reactor import Channel, Reactor
from lineman.process.role import BLOCKED, Role
from lineman.process.staff import Program, cause_of, reap, spawn
from lineman.process.wire import MAX_LINE, WireError, decode

logger = logging.getLogger("lineman")

# A program that has not described itself by then never will.
TIMEOUT = 60.0
# What it prints is kept so far, to say why it failed.
MAX_OUTPUT = 64 * 1024


class Describing:
    """One such process.

    Args:
        reactor: the master's.
        program: what to run.
        owner: whom it runs as.
        blocked: signals that wait, as for `spawn`.
        now: on the clock of `deadline`.
        on_done: gets the description, or None and why there is none.

    Attributes:
        deadline: when to call `give_up`.
    """

    def __init__(
        self,
        reactor: Reactor,
        program: Program,
        owner: Owner | None,
        blocked: Sequence[signal.Signals],
        now: float,
        on_done: Callable[[Description | None, str], None],
    ) -> None:
        self.deadline = now + TIMEOUT
        self._on_done = on_done
        self._told: dict[str, Any] | None = None
        self._output: list[str] = []
        said, theirs = socket.socketpair()
        with theirs:
            self._popen, link = spawn(program, lambda fd: Role(fd), owner, blocked, theirs.fileno())
        self._link = Channel(reactor, link, self._hear, lambda: None, MAX_LINE)
        self._stderr = Channel(reactor, said, self._note, lambda: None, MAX_OUTPUT)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._popen.pid

    @property
    def popen(self) -> subprocess.Popen[bytes]:
        """The process."""
        return self._popen

    def _hear(self, line: bytes) -> None:
        try:
            self._told = decode(line)
        except WireError as error:
            self._told = {"error": str(error)}

    def _note(self, line: bytes) -> None:
        text = line.decode(errors="replace")
        if text:
            self._output.append(text)
            del self._output[:-200]

    def give_up(self) -> None:
        """Ends it: it is too late."""
        self._told = {"error": f"it has not described itself within {TIMEOUT:g} s"}
        os.kill(self.pid, signal.SIGKILL)

    def ended(self, status: int) -> None:
        """Acts on its end."""
        self._popen.returncode = os.waitstatus_to_exitcode(status)
        for channel in (self._link, self._stderr):
            channel.drain()
            channel.close()
        told = self._told
        if told is not None and "error" not in told:
            for line in self._output:
                logger.info("%s", line)
            self._on_done(Description.from_json(told), "")
            return
        if told is not None:
            why = str(told["error"])
        else:
            for line in self._output:
                logger.error("%s", line)
            last = self._output[-1] if self._output else cause_of(status)
            why = f"the program does not come to Worker.run_all(): {last}"
        self._on_done(None, why)


def describe(program: Program, owner: Owner | None) -> Description:
    """The description of a program; waits for it.

    Raises:
        ConfigError: it has none, and why.
    """
    found: list[tuple[Description | None, str]] = []

    def note(description: Description | None, why: str) -> None:
        found.append((description, why))

    reactor = Reactor((signal.SIGCHLD,))
    try:
        asked = Describing(reactor, program, owner, BLOCKED, time.monotonic(), note)
        while not found:
            reactor.wait(max(0.0, asked.deadline - time.monotonic()))
            if time.monotonic() >= asked.deadline:
                asked.give_up()
            for pid, status in reap():
                if pid == asked.pid:
                    asked.ended(status)
    finally:
        reactor.close()
    description, why = found[0]
    if description is None:
        raise ConfigError(why, "correct it and try again")
    return description
