"""A program that is inspected, the commands that inspect it, and its clients."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kit.processes import children_of
from kit.program import Program
from kit.waiting import DEADLINE
from lineman.testing.client import RawClient

ECHO = """
    import os, time
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:{port}", name="chat", count={count}, drain_seconds=0.1)

    @worker.on_message
    def reply(connection, message):
        while message == "hang" and not os.path.exists("gate"):
            time.sleep(0.02)
        if message == "raise":
            raise RuntimeError("no such room")
        if message == "raise another":
            raise ValueError("no such name")
        connection.send(str(os.getpid()))

    {more}
    Worker.run_all()
"""


class Inspected:
    """A program, the commands that inspect it, and its clients."""

    def __init__(self, script: Path, port: int, stack: ExitStack) -> None:
        self.script = script
        self.port = port
        self.stack = stack
        self.program = Program("app.py", [sys.executable, script], cwd=script.parent)
        stack.callback(self.program.stop)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, self.script, *words], capture_output=True, text=True, timeout=DEADLINE
        )

    def told(self, *words: str) -> dict[str, Any]:
        done = self.command(*words, "--json")
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    @property
    def pids(self) -> list[int]:
        """The processes of the program: the master and its children."""
        master = self.program.process.pid
        return [master, *children_of(master)]

    def client(self) -> RawClient:
        return self.stack.enter_context(RawClient(self.port)).open()


Run = Callable[..., Inspected]


def written(folder: Path, more: str = "", count: int = 1, port: int = 0) -> Path:
    """The program as a file."""
    script = folder / "app.py"
    script.write_text(textwrap.dedent(ECHO).format(count=count, more=more, port=port))
    return script
