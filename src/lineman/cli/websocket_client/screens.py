"""Where lines come from and messages are shown: a terminal, with or without an editor; a pipe."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

CHUNK = 64 * 1024
PROMPT = "> "


class OutputGoneError(Exception):
    """The reader of our messages has gone."""


class Screen(Protocol):
    """The source of lines, and the place where messages and notes are shown."""

    is_terminal: bool

    def fileno(self) -> int:
        """The descriptor that is readable when `lines` has something to give."""
        ...

    def lines(self) -> list[str] | None:
        """The lines that were entered since the last call; None at the end of the input."""
        ...

    def show(self, text: str) -> None:
        """Shows a message."""
        ...

    def tell(self, text: str) -> None:
        """Says something that is no message."""
        ...

    def end(self) -> None:
        """Restores the terminal."""
        ...


def screen(source: TextIO, out: TextIO) -> Screen:
    """The screen for these two: an editor of lines where there is a terminal and prompt_toolkit."""
    if not (source.isatty() and out.isatty()):
        return Pipe(source, out)
    is_dumb = os.environ.get("TERM", "dumb") == "dumb"
    if is_dumb or importlib.util.find_spec("prompt_toolkit") is None:
        return Terminal(source, out)
    return Editor()


class Pipe:
    """Lines from a file or another program; messages become lines of standard output."""

    is_terminal = False

    def __init__(self, source: TextIO, out: TextIO) -> None:
        self._fd = source.fileno()
        self._out = out
        self._rest = b""

    def fileno(self) -> int:
        """Where the lines come from."""
        return self._fd

    def lines(self) -> list[str] | None:
        """The complete lines; the last one needs no newline."""
        data = os.read(self._fd, CHUNK)
        if not data:
            last, self._rest = self._rest, b""
            return [last.decode("utf-8", "surrogateescape")] if last else None
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [line.removesuffix(b"\r").decode("utf-8", "surrogateescape") for line in whole]

    def show(self, text: str) -> None:
        """Writes a message as a line."""
        try:
            self._out.write(f"{text}\n")
            self._out.flush()
        except BrokenPipeError:
            raise OutputGoneError from None

    def tell(self, text: str) -> None:
        """Says something on standard error."""
        print(text, file=sys.stderr)

    def end(self) -> None:
        """Does nothing: there is no terminal to restore."""


class Terminal(Pipe):
    """A user who types; the kernel's line editor knows little more than backspace."""

    is_terminal = True

    def show(self, text: str) -> None:
        """Shows a message on a line of its own."""
        self._out.write(f"\r\x1b[K< {text}\n")
        self._out.flush()

    def tell(self, text: str) -> None:
        """Says something on a line of its own."""
        self._out.write(f"\r\x1b[K* {text}\n")
        self._out.flush()


class Editor:
    """A user who types, with prompt_toolkit's editor below the incoming messages.

    The editor runs in its own thread; a pipe signals that it has a line.
    """

    is_terminal = True

    def __init__(self) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.patch_stdout import StdoutProxy

        self._reader, self._writer = os.pipe()
        self._entered: list[str | None] = []
        self._session: PromptSession[str] = PromptSession(PROMPT)
        self._above = StdoutProxy(raw=True, sleep_between_writes=0.05)
        self._is_over = False
        self._thread = threading.Thread(target=self._edit, name="line editor", daemon=True)
        self._thread.start()

    def _edit(self) -> None:
        """Runs in the thread: hands over line after line until the end of the input."""
        line: str | None = ""
        while line is not None and not self._is_over:
            try:
                line = self._session.prompt(handle_sigint=False)
            except KeyboardInterrupt:  # Ctrl-C is a key here
                signal.raise_signal(signal.SIGINT)
                line = None
            except EOFError:
                line = None
            self._entered.append(line)
            with contextlib.suppress(OSError):
                os.write(self._writer, b"\n")

    def fileno(self) -> int:
        """Readable when a line was entered."""
        return self._reader

    def lines(self) -> list[str] | None:
        """The lines that Enter has ended; None at the end of the input."""
        count = len(os.read(self._reader, CHUNK))
        entered, self._entered[:count] = self._entered[:count], []
        lines = [line for line in entered if line is not None]
        if None in entered and lines:  # the end of the input has its own event
            self._entered.append(None)
            os.write(self._writer, b"\n")
        return lines or None

    def show(self, text: str) -> None:
        """Shows a message above the line that is being typed."""
        self._above.write(f"< {text}\n")

    def tell(self, text: str) -> None:
        """Says something above the line that is being typed."""
        self._above.write(f"* {text}\n")

    def end(self) -> None:
        """Removes the line that is being typed, after everything was shown above it."""
        self._is_over = True
        self._above.close()
        application = self._session.app
        while self._thread.is_alive():
            loop = application.loop
            if application.is_running and loop is not None:
                with contextlib.suppress(RuntimeError):  # it has ended meanwhile
                    loop.call_soon_threadsafe(self._leave)
            self._thread.join(0.05)
        os.close(self._reader)
        os.close(self._writer)

    def _leave(self) -> None:
        application = self._session.app
        if application.is_running and not application.is_done:
            application.exit(exception=EOFError)
