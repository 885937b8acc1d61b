"""`lineman connect` at a terminal, with an editor of lines and without."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from websockets.sync.server import ServerConnection

from cli.connecting import server
from kit.waiting import DEADLINE

LINEMAN = [sys.executable, "-m", "lineman", "connect"]

# A terminal.


PLAIN, EDITOR = "dumb", "xterm-256color"  # what TERM is


class Terminal:
    """The command under a pseudo-terminal.

    Args:
        words: after `lineman connect`.
        kind: what the terminal is called; prompt_toolkit edits lines on one that can be drawn on.
    """

    def __init__(self, words: list[str], kind: str) -> None:
        ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*LINEMAN, *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            # Ctrl-C on it is a signal, as on anybody's terminal.
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
            # Nobody answers here when the editor asks where the cursor is.
            env=os.environ
            | {"TERM": kind, "PROMPT_TOOLKIT_NO_CPR": "1"}
            | {"PYTHONUNBUFFERED": "1" if kind == PLAIN else ""},
        )
        os.close(theirs)
        self._fd = ours
        self.output = ""

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while text not in self.output:
            ready = select.select([self._fd], [], [], max(0, deadline - time.monotonic()))[0]
            has_come = bool(ready) and self._read()
            assert has_come, f"no {text!r} in {self.output!r}"

    def _read(self) -> bool:
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # the other side is closed
            return False
        self.output += data.decode()
        return bool(data)

    def end(self) -> int:
        """The exit status, once it has ended by itself."""
        deadline = time.monotonic() + DEADLINE
        while select.select([self._fd], [], [], max(0, deadline - time.monotonic()))[0]:
            if not self._read():
                return self.process.wait(DEADLINE)
        raise AssertionError(f"it does not end: {self.output!r}")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._fd)


@pytest.fixture
def at_terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def begin(*words: str, kind: str = EDITOR) -> Terminal:
        opened.append(Terminal(list(words), kind))
        return opened[-1]

    yield begin
    for terminal in opened:
        terminal.close()


KINDS = pytest.mark.parametrize("kind", [PLAIN, EDITOR])


@KINDS
def test_what_is_typed_is_sent_and_ctrl_d_closes_with_1000(
    url: str, at_terminal: Callable[..., Terminal], kind: str
) -> None:
    terminal = at_terminal(f"{url}/", kind=kind)
    terminal.wait_for("connected to ws://localhost")
    terminal.type("hellp\x7fo there\r")
    # Where an editor is, it takes the keyboard back behind each message.
    terminal.wait_for("< hello there\r\n" + ("\x1b[?2004h" if kind == EDITOR else ""))
    terminal.type("\x04")
    assert terminal.end() == 0
    assert "closed: 1000 normal closure" in terminal.output


def test_the_line_before_comes_back_and_the_cursor_knows_wide_letters(
    url: str, at_terminal: Callable[..., Terminal]
) -> None:
    terminal = at_terminal(f"{url}/")
    terminal.wait_for("\x1b[?2004h")  # the editor has the keyboard
    terminal.type("你好世\x1b[D\x1b[D\x7f再\r")  # left of 好, and 你 becomes 再
    terminal.wait_for("< 再好世")
    terminal.type("\x1b[A!\r")
    terminal.wait_for("< 再好世!")
    long = "a" * 300
    terminal.type(f"{long}\x01b\x05c\r")
    terminal.wait_for(f"< b{long}c")
    terminal.type("/close\r")
    assert terminal.end() == 0


@KINDS
@pytest.mark.parametrize("is_a_key", [True, False])
def test_ctrl_c_says_goodbye_with_1001(
    at_terminal: Callable[..., Terminal], kind: str, is_a_key: bool
) -> None:
    def act(connection: ServerConnection) -> None:
        connection.send("ready")
        for _ in connection:
            pass
        codes.append(connection.protocol.close_code)

    codes: list[int | None] = []
    with server(act) as address:
        terminal = at_terminal(address, kind=kind)
        terminal.wait_for("< ready")
        if is_a_key:
            terminal.type("\x03")
        else:
            os.kill(terminal.process.pid, signal.SIGINT)
        assert terminal.end() == 130
    assert codes == [1001]


@KINDS
def test_a_message_does_not_disturb_what_is_being_typed(
    at_terminal: Callable[..., Terminal], kind: str
) -> None:
    go = threading.Event()

    def act(connection: ServerConnection) -> None:
        connection.send("\x1b]0;owned\x07first")
        assert go.wait(DEADLINE)
        connection.send("second")
        assert connection.recv() == "half a line"
        connection.close(4000, "done")

    with server(act) as address:
        terminal = at_terminal(address, kind=kind)
        terminal.wait_for("< \\x1b]0;owned\\x07first")
        terminal.type("half a")
        terminal.wait_for("half a")
        go.set()
        terminal.wait_for("< second")
        terminal.type(" line\r")
        terminal.wait_for("closed by the server: 4000 (done)")
        assert terminal.end() == 1


def test_commands_begin_with_a_slash(url: str, at_terminal: Callable[..., Terminal]) -> None:
    terminal = at_terminal(f"{url}/")
    terminal.wait_for("connected")
    for line, seen in [
        ("/ping hello", "pong b'hello' after "),
        ("/hex 00 ff", "< 2 bytes: 00 ff"),
        ("/hex xyz", "not hexadecimal"),
        ("//slash", "< /slash"),
        ("/help", "/close [code [reason]]"),
        ("/close 1006", "1006 cannot be sent"),
        ("/close 4002 that is all", "closed: 4002"),
    ]:
        terminal.type(f"{line}\r")
        terminal.wait_for(seen)
    assert terminal.end() == 0
