"""Asks the program for its description: a process runs its code, sends the description, and ends.

A master asks for a description, `lineman doctor` and `lineman proxy` for a survey. The answer is
trusted no more than the user that the process runs as. It counts if it was sent once, and the
process has then ended normally.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from lineman.errors import ConfigError
from lineman.process.master.children import Program, cause_of, reap, spawn
from lineman.process.master.description import Description
from lineman.process.master.reactor import Channel, Reactor
from lineman.process.messages.lines import MAX_DESCRIPTION, WireError, clean, decode
from lineman.process.messages.role import BLOCKED, Role
from lineman.process.rundir.owner import Owner

logger = logging.getLogger("lineman")

Told = TypeVar("Told")

# Seconds for a program to describe itself.
TIMEOUT = 60.0
# Bytes of its output that are kept, to explain a failure.
MAX_OUTPUT = 64 * 1024
MAX_WHY = 2000
AGAIN = "correct it and try again"


class Describing(Generic[Told]):
    """One process that describes the program.

    Args:
        reactor: the master's event loop.
        program: the program to run.
        owner: the user that it runs as.
        blocked: signals that are blocked, as for `spawn`.
        now: the time, by the clock of `deadline`.
        read: parses its answer; raises a `ConfigError` if that is invalid.
        on_done: gets the result, or the error.
        role: makes the role from the descriptor of the process' end of the link.
        timeout: seconds until it must have ended.

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
        read: Callable[[object], Told],
        on_done: Callable[[Told | ConfigError], None],
        role: Callable[[int], Role] = Role,
        timeout: float = TIMEOUT,
    ) -> None:
        self._timeout = timeout
        self.deadline = now + timeout
        self._read = read
        self._on_done = on_done
        self._script = os.path.basename(program.script)
        self._told: dict[str, Any] | None = None
        self._output: list[str] = []
        said, theirs = socket.socketpair()
        with theirs:
            outputs = (theirs.fileno(), theirs.fileno())
            self._popen, link = spawn(program, role, owner, blocked, outputs, is_guarded=True)
        self._link = Channel(reactor, link, self._hear, lambda: None, MAX_DESCRIPTION)
        self._stderr = Channel(reactor, said, self._note, lambda: None, MAX_OUTPUT)

    @property
    def pid(self) -> int:
        """The pid of the process."""
        return self._popen.pid

    @property
    def popen(self) -> subprocess.Popen[bytes]:
        """The process."""
        return self._popen

    def _hear(self, line: bytes) -> None:
        if self._told is not None:
            self._told = {"error": "it has described itself more than once"}
            return
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
        """Ends the process, because its time is over."""
        self._told = {
            "error": f"{self._script} has not come to Worker.run_all(), or not come back from "
            f"on_master_reload or on_master_stop, within {self._timeout:g} s",
            "fix": "move code that takes long, or never ends, into on_worker_start",
        }
        os.kill(self.pid, signal.SIGKILL)

    def ended(self, status: int) -> None:
        """Handles the end of the process."""
        self._popen.returncode = os.waitstatus_to_exitcode(status)
        for channel in (self._link, self._stderr):
            channel.drain()
            channel.close()
        found = self._believed(status)
        if not isinstance(found, ConfigError) or self._told is None:
            level = logging.ERROR if isinstance(found, ConfigError) else logging.INFO
            for line in self._output:
                logger.log(level, "%s", line)
        self._on_done(found)

    def _believed(self, status: int) -> Told | ConfigError:
        """The description, or the reason why it does not count."""
        if self._told is None:
            return self._without_word(status)
        if "error" in self._told:
            error, fix = (str(self._told.get(name) or "") for name in ("error", "fix"))
            return ConfigError(clean(error, MAX_WHY), clean(fix, MAX_WHY) or AGAIN)
        if self._popen.returncode != 0:
            return ConfigError(
                "the process that described the program did not end normally "
                f"({cause_of(status)}), so what it said does not count",
                "check what the program does at its end",
            )
        if self._told.get("fault"):  # a callback has failed, and its description counts
            logger.error("%s", clean(str(self._told["fault"]), MAX_WHY))
        try:
            return self._read(self._told)
        except ConfigError as error:
            return error

    def _without_word(self, status: int) -> ConfigError:
        """The error for a program that has ended without a description."""
        if status == 0:
            return ends_early(self._script)
        last = clean(self._output[-1], MAX_WHY) if self._output else cause_of(status)
        return ConfigError(f"the program does not come to Worker.run_all(): {last}", AGAIN)


def ends_early(script: str) -> ConfigError:
    """The error for a program that ends normally without a call of `Worker.run_all()`."""
    return ConfigError(
        f"{script} ends and does not come to Worker.run_all()",
        "write Worker.run_all() as its last line, where it is reached; where it stands "
        'under `if __name__ == "__main__":`, that is right; leave out sys.exit() before it',
    )


def ask(
    program: Program,
    owner: Owner | None,
    read: Callable[[object], Told],
    role: Callable[[int], Role] = Role,
) -> Told:
    """Waits for the description of a program. Arguments as for `Describing`.

    Raises:
        ConfigError: there is no valid description; the error says why.
    """
    found: list[Told | ConfigError] = []
    reactor = Reactor((signal.SIGCHLD,))
    try:
        asked = Describing(
            reactor, program, owner, BLOCKED, time.monotonic(), read, found.append, role
        )
        try:
            while not found:
                reactor.wait(max(0.0, asked.deadline - time.monotonic()))
                if time.monotonic() >= asked.deadline:
                    asked.give_up()
                for pid, status in reap():
                    if pid == asked.pid:
                        asked.ended(status)
        except BaseException:  # the waiting command was interrupted
            asked.popen.kill()
            raise
    finally:
        reactor.close()
    if isinstance(found[0], ConfigError):
        raise found[0]
    return found[0]


def describe(program: Program, owner: Owner | None) -> Description:
    """The description of a program; raises as `ask`."""
    return ask(program, owner, Description.from_json)
