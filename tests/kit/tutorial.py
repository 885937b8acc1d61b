"""The steps of the tutorial's chat: the files that a reader has after each, and what is typed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.peer_client import PeerClient
from kit.program import Program, free_ports
from kit.waiting import DEADLINE

PAGES = sorted((Path(__file__).parents[2] / "docs" / "tutorial").glob("chat-*.md"))
SECRET = "00112233445566778899aabbccddeeff" * 2

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"(?:# |<!-- )([\w./-]+\.\w+)(?: -->)?\n")


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a page in one language."""
    return [text for kind, text in _BLOCK.findall(page.read_text("utf-8")) if kind == language]


def files(page: Path) -> dict[str, list[str]]:
    """The files that a page has its reader save, by name: blocks whose first line is the name."""
    found: dict[str, list[str]] = {}
    for _, text in _BLOCK.findall(page.read_text("utf-8")):
        name = _NAME.match(text)
        if name is not None:
            found.setdefault(name[1], []).append(text)
    return found


def write_step(directory: Path, step: int) -> None:
    """Writes what a reader has in the directory when a step is done, except for `secret.txt`."""
    for page in PAGES[:step]:
        for name, (text, *_) in files(page).items():
            if "/" not in name:
                (directory / name).write_text(text, "utf-8")


def session(page: Path) -> str:
    """All that a reader types in a terminal, with what is printed."""
    return "".join(blocks(page, "console"))


class Chat:
    """The program of a step, at a port of its own.

    Args:
        directory: an empty one, for its files.
        step: which one.

    Attributes:
        port: where it listens, on 127.0.0.1.
        program: its process, if it runs.
    """

    def __init__(self, directory: Path, step: int) -> None:
        self.directory = directory
        (self.port,) = free_ports(1)
        write_step(directory, step)
        (directory / "secret.txt").write_text(SECRET)
        self.replace("8282", str(self.port))
        self.program: Program | None = None

    def replace(self, old: str, new: str) -> None:
        """Changes a word of chat.py, which must be there."""
        script = self.directory / "chat.py"
        text = script.read_text("utf-8")
        assert old in text
        script.write_text(text.replace(old, new), "utf-8")

    def start(self, *words: str) -> Program:
        """Starts it as a reader would, or as a module of Python with these words."""
        command = [sys.executable, *(words or ["chat.py"])]
        self.program = Program("chat", command, cwd=self.directory)
        self.program.wait_for_line("ready:")
        return self.program

    def stop(self) -> None:
        """Ends it, if it runs."""
        if self.program is not None:
            self.program.stop()

    def run(self, *words: str) -> str:
        """What a command prints that must succeed."""
        command = [sys.executable, *words]
        done = subprocess.run(
            command,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=2 * DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def token(self, name: str) -> str:
        """A token for this name."""
        return self.run("tokens.py", name)

    def come(self, token: str) -> PeerClient:
        """A client with this token."""
        return PeerClient(f"ws://127.0.0.1:{self.port}/wss?token={token}")

    def login(self, name: str) -> PeerClient:
        """A client with a token for this name."""
        return self.come(self.token(name))


@contextmanager
def chat(directory: Path, step: int) -> Iterator[Chat]:
    """The running program of a step."""
    made = Chat(directory, step)
    try:
        made.start()
        yield made
    finally:
        made.stop()
