"""Runs a program under test: its script, the commands that it is given, and their output."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kit.program import Program
from kit.waiting import DEADLINE

ECHO = """
    import os
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", count={count}, drain_seconds={drain}, stop_timeout=2)

    @worker.on_message
    def reply(connection, message):
        connection.send(str(os.getpid()))

    Worker.run_all()
"""


def echo(count: int = 1, drain: float = 0.1) -> str:
    """A program that answers with the pid of the process that received the message."""
    return ECHO.format(count=count, drain=drain)


class App:
    """A script, and the commands that are given to it.

    Args:
        directory: where it is written, as `app.py`.
        text: the program; it may be indented.
        prefix: words before those that start it.
    """

    def __init__(self, directory: Path, text: str, prefix: Sequence[str] = ()) -> None:
        self.prefix = list(prefix)
        self.script = directory / "app.py"
        self.write(text)
        self.program: Program | None = None

    def write(self, text: str) -> None:
        """Replaces the script, in one step."""
        new = self.script.with_suffix(".new")
        new.write_text(textwrap.dedent(text))
        new.replace(self.script)

    def start(self, *arguments: str, ready: str = "ready: ", **environment: str) -> Program:
        """Starts it in the foreground and waits until it reports that it is ready."""
        words = [*self.prefix, sys.executable, self.script, "start", *arguments]
        self.program = Program("app.py", words, env=environment)
        if ready:
            self.program.wait_for_line(ready)
        return self.program

    def run(self, *words: str, by_script: bool = True) -> subprocess.CompletedProcess[str]:
        """Gives a command: `python app.py WORDS`, or `lineman WORDS app.py`; waits for its end."""
        if by_script:
            command = [sys.executable, str(self.script), *words]
        else:
            command = [sys.executable, "-m", "lineman", *words, str(self.script)]
        if words[0] in ("start", "restart", "doctor"):
            command = [*self.prefix, *command]
        return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)

    def status(self) -> dict[str, Any]:
        """The answer of `status --json`."""
        done = self.run("status", "--json", by_script=False)
        assert not done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def stop(self) -> None:
        """Ends it, in whatever state it is."""
        if self.program is not None:
            self.program.stop()
        else:
            self.run("stop", by_script=False)

    @property
    def output(self) -> str:
        """The whole output of the foreground program."""
        assert self.program is not None
        return self.program.output

    @property
    def port(self) -> int:
        """Where it listens."""
        return port_in(self.output)

    @property
    def pids(self) -> list[int]:
        """The processes that have reported that they listen, in order."""
        return [int(pid) for pid in re.findall(r"\[(\d+)\] INFO listening on ", self.output)]


# The fixture `make_app`: it makes a program from its text.
MakeApp = Callable[[str], App]


def port_in(text: str) -> int:
    """The port in a log."""
    found = re.search(r"listening on \S+:(\d+)", text)
    assert found is not None, text
    return int(found[1])


def environment(**more: str) -> dict[str, str]:
    """This process' environment with further variables."""
    return {**os.environ, **more}
