"""A session in a terminal, as documents show it: commands behind `$ `, and what each prints.

`…` in the output stands for any characters of a line, and a line that is only `…` for any lines.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.program import free_ports

TIMEOUT = 60.0  # for one command, on a busy machine
_MARK = "--- the command has ended ---"


@dataclass(frozen=True)
class Step:
    """A command, and the output that is told of it."""

    command: str
    output: str


def parse(text: str) -> list[Step]:
    """The steps of a session; a command may go on in lines that begin with `> `."""
    steps = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        found = re.match(r"(?P<command>.*\n(?:> .*\n)*)(?P<output>(?s:.*))", part)
        assert found is not None
        command = re.sub(r"^> ", "", found["command"], flags=re.MULTILINE)
        steps.append(Step(command.rstrip("\n"), found["output"].strip("\n")))
    return steps


def fits(told: str, printed: str) -> bool:
    """Whether an output is the one that is told."""
    pattern = ""
    for line in told.split("\n"):
        if line.strip() == "…":
            pattern += r"(?:.*\n)*"
        else:
            pattern += re.escape(line).replace("…", ".*") + r"\n"
    return re.fullmatch(pattern, printed.replace("\r", "").rstrip("\n") + "\n") is not None


class Terminal:
    """A shell in which the commands of one session run, one after the other.

    Args:
        directory: where they run.
        ports: the ports that the documents name; commands and files use free ones instead.
        files: the programs below the directory, whose ports are replaced likewise.
    """

    def __init__(self, directory: Path, ports: list[int], files: Iterator[Path]) -> None:
        self._ports = dict(zip(map(str, ports), map(str, free_ports(len(ports))), strict=True))
        for path in files:
            path.write_text(self._replaced(path.read_text("utf-8"), self._ports), "utf-8")
        bin_directory = str(Path(sys.executable).parent)
        env = {**os.environ, "PATH": f"{bin_directory}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=env,
            start_new_session=True,
        )

    def port(self, told: int) -> int:
        """The port that stands in for one that documents name."""
        return int(self._ports[str(told)])

    @staticmethod
    def _replaced(text: str, ports: dict[str, str]) -> str:
        numbers = "|".join(ports)
        return re.sub(rf"\b({numbers})\b", lambda found: ports[found[0]], text)

    def run(self, command: str) -> str:
        """What a command prints, standard output and standard error.

        Raises:
            AssertionError: it did not end in time.
        """
        assert self._shell.stdin is not None
        text = f"{self._replaced(command, self._ports)}\nprintf '%s\\n' '{_MARK}'\n"
        self._shell.stdin.write(text.encode())
        self._shell.stdin.flush()
        printed = self._read(f"{_MARK}\n".encode(), command)
        return self._replaced(printed, {given: port for port, given in self._ports.items()})

    def _read(self, end: bytes, command: str) -> str:
        assert self._shell.stdout is not None
        printed, deadline = b"", time.monotonic() + TIMEOUT
        while not printed.endswith(end):
            left = deadline - time.monotonic()
            assert left > 0, f"{command!r} has not ended, and printed {printed!r}"
            if select.select([self._shell.stdout], [], [], left)[0]:
                piece = os.read(self._shell.stdout.fileno(), 65536)
                assert piece, f"the shell has ended in {command!r}"
                printed += piece
        return printed.removesuffix(end).decode()

    def close(self) -> None:
        """Ends the shell, and what it has left in the background."""
        os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.communicate()
