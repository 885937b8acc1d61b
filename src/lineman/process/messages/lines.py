"""The messages between processes of one program: one line of JSON each. Pure.

Master to child: `{"ask": name, "id": n, ...arguments}` wants an answer, `{"do": name,
...arguments}` does not. Child to master: `{"event": name, ...}`, and an answer, whose head stands
first so that the master can pass the rest on unread: `{"id":n,"answer":...}`.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

from lineman.errors import LinemanError

# Bytes of the longest message: the table of a child with a hundred thousand connections is shorter.
MAX_LINE = 64 * 1024 * 1024
# Bytes of a command's request, and of a master's order.
MAX_REQUEST = 64 * 1024
# Bytes of an event that a child sends, and of the description of a program.
MAX_EVENT = 64 * 1024
MAX_DESCRIPTION = 4 * 1024 * 1024
# Limits of a number in a child's answer, so that nothing but a number is shown.
MAX_DIGITS = 19

_ANSWER = re.compile(rb'\{"id":(\d+),"answer":')
# Bytes that encode one of the following characters in JSON, or may begin one.
_SUSPECT = re.compile(rb"[\\\x7f\xc2\xe2]")
# Control characters except tab and newline, and characters that change the direction of writing.
_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class WireError(LinemanError):
    """The other process sent an invalid message; its channel must be closed."""


class LineSplitter:
    """Joins the bytes from a socket into lines.

    Args:
        limit: the largest size of a line in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete, without their ends.

        Raises:
            WireError: a line is longer than the limit.
        """
        *ended, rest = data.split(b"\n")
        lines = []
        for part in ended:
            self._keep(part)
            lines.append(b"".join(self._parts))
            self._parts.clear()
            self._size = 0
        if rest:
            self._keep(rest)
        return lines

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise WireError(f"a message of more than {self._limit} bytes")
        self._parts.append(part)


def encode(message: dict[str, Any]) -> bytes:
    """A message as a line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """A line as a message.

    Raises:
        WireError: it is no JSON object.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WireError(f"a message that is no JSON ({error}): {line[:80]!r}") from None
    if not isinstance(message, dict):
        raise WireError(f"a message that is no JSON object: {line[:80]!r}")
    return message


def encode_answer(number: int, answer: Any) -> bytes:
    """An answer as a line that `split_answer` understands.

    Args:
        number: the number of the question.
        answer: values that fit JSON, or bytes that are JSON already.
    """
    text = answer if isinstance(answer, bytes) else encode(answer)[:-1]
    return b'{"id":%d,"answer":%b}\n' % (number, text)


def split_answer(line: bytes) -> tuple[int, bytes] | None:
    """The number and the JSON of an answer; None for any other message."""
    head = _ANSWER.match(line)
    if head is None:
        return None
    return int(head.group(1)), line[head.end() : -1]


def join_reply(reply: bytes, limit: int = MAX_LINE) -> dict[str, Any]:
    """A master's reply: its own line, and a line of each child.

    Each line is read separately: if one cannot be read, that child counts as one without an answer.

    Args:
        reply: all of it.
        limit: bytes of a child's answer; a longer one counts as none.

    Raises:
        WireError: the master's own line is no message.
    """
    own, *lines = reply.split(b"\n")
    message = decode(own)
    for child, line in zip(message.get("children", ()), lines, strict=False):
        child["answer"] = _readable(line) if len(line) <= limit else None
    return message


def _readable(line: bytes) -> Any:
    try:
        return json.loads(line, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        return None


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError("larger than any counter")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not abs(value) < 10.0**MAX_DIGITS:
        raise ValueError("not a measured number")
    return value


def clean(text: str, limit: int) -> str:
    """A text of another process in one line, without characters that move a terminal's cursor.

    Args:
        text: the text.
        limit: the largest number of characters; the rest is left out.
    """
    short = text if len(text) <= limit else f"{text[:limit]}…"
    return "".join(each if each.isprintable() else " " for each in short)


def harmless(reply: bytes, read: dict[str, Any]) -> dict[str, Any]:
    """A reply without characters that a terminal would read as commands.

    The reply may come from another user, or from a process of the program under an attacker's
    control.

    Args:
        reply: all of it, as it came.
        read: the same reply, as `join_reply` returns it.

    Raises:
        WireError: it is nested too deeply.
    """
    if not _SUSPECT.search(reply):
        return read
    try:
        found: dict[str, Any] = _harmless(read)
    except RecursionError:
        raise WireError("a reply that is nested too deeply") from None
    return found


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        return _COMMANDS.sub("?", value)
    if isinstance(value, dict):
        return {_COMMANDS.sub("?", key): _harmless(each) for key, each in value.items()}
    return [_harmless(each) for each in value] if isinstance(value, list) else value


def spelled_here(path: str) -> str:
    """A path that another process has sent in JSON, in this process' spelling of its bytes.

    If the locale is ASCII, Python spells other characters as surrogates, and refuses the characters
    themselves.
    """
    return os.fsdecode(path.encode("utf-8", "surrogateescape"))
