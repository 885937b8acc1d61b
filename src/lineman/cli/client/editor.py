"""A line that somebody types, pure: keys in, text and finished lines out.

The terminal's own line editor cannot step aside for a message that arrives; this one is drawn
anew below it.
"""

from __future__ import annotations

import codecs
import re

END = "\x04"
"""What `feed` gives for Ctrl-D on an empty line."""

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Z]|.)", re.DOTALL)
_OPEN_ESCAPE = re.compile(r"\x1b(?:\[[0-9;]*|O)?\Z")
_KEYS = {
    "\x1b[A": "up", "\x1bOA": "up", "\x10": "up",
    "\x1b[B": "down", "\x1bOB": "down", "\x0e": "down",
    "\x1b[C": "right", "\x1bOC": "right", "\x06": "right",
    "\x1b[D": "left", "\x1bOD": "left", "\x02": "left",
    "\x1b[H": "home", "\x1bOH": "home", "\x1b[1~": "home", "\x01": "home",
    "\x1b[F": "end", "\x1bOF": "end", "\x1b[4~": "end", "\x05": "end",
    "\x1b[3~": "delete",
    "\x7f": "backspace", "\x08": "backspace",
    "\x15": "kill", "\x0b": "kill_rest", "\x17": "kill_word",
}  # fmt: skip


class LineEditor:
    """One line, and those before it.

    Attributes:
        text: what is typed so far.
        cursor: before which of its characters the next one goes.
    """

    def __init__(self) -> None:
        self.text = ""
        self.cursor = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""  # the start of a key that sends several characters
        self._history: list[str] = []
        self._place = 0

    def feed(self, data: bytes) -> list[str]:
        """Takes what the terminal sends; the lines that it finishes, `END` for Ctrl-D."""
        keys = self._rest + self._decoder.decode(data)
        self._rest = ""
        lines: list[str] = []
        position = 0
        while position < len(keys):
            if _OPEN_ESCAPE.match(keys, position):
                self._rest = keys[position:]
                break
            match = _ESCAPE.match(keys, position)
            key = keys[position] if match is None else match.group()
            position += len(key)
            self._take(key, lines)
        return lines

    def _take(self, key: str, lines: list[str]) -> None:
        if key in ("\r", "\n"):
            lines.append(self._finish())
        elif key == "\x04":
            if not self.text:
                lines.append(END)
            else:
                self._edit("delete")
        elif key in _KEYS:
            self._edit(_KEYS[key])
        elif key.isprintable() or key == "\t":
            self.text = self.text[: self.cursor] + key + self.text[self.cursor :]
            self.cursor += 1

    def _finish(self) -> str:
        line = self.text
        if line and (not self._history or self._history[-1] != line):
            self._history.append(line)
        self._place = len(self._history)
        self.text, self.cursor = "", 0
        return line

    def _edit(self, what: str) -> None:
        before, after = self.text[: self.cursor], self.text[self.cursor :]
        if what in ("up", "down"):
            self._recall(-1 if what == "up" else 1)
        elif what == "left":
            self.cursor = max(0, self.cursor - 1)
        elif what == "right":
            self.cursor = min(len(self.text), self.cursor + 1)
        elif what == "home":
            self.cursor = 0
        elif what == "end":
            self.cursor = len(self.text)
        else:
            if what == "backspace":
                before = before[:-1]
            elif what == "kill":
                before = ""
            elif what == "kill_word":
                before = re.sub(r"\S*\s*\Z", "", before)
            else:
                after = "" if what == "kill_rest" else after[1:]
            self.text, self.cursor = before + after, len(before)

    def _recall(self, step: int) -> None:
        place = self._place + step
        if 0 <= place <= len(self._history):
            self._place = place
            self.text = self._history[place] if place < len(self._history) else ""
            self.cursor = len(self.text)
