"""How the events of a connection are shown, pure."""

from __future__ import annotations

from lineman.cli.websocket_client.failures import close_words
from lineman.protocols.websocket.client.server_answer import Answer

PREVIEW = 64  # bytes of a ping that are shown


def visible(text: str) -> str:
    """The text without characters that a terminal would obey; newlines and tabs stay.

    What a server sends must not move the cursor, rename the window, or type for the user.
    """
    return "".join(
        character
        if character.isprintable() or character in "\n\t"
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def message(content: str | bytes, *, is_terminal: bool) -> str:
    """One message as a line: text as it is, bytes in hexadecimal."""
    if isinstance(content, bytes):
        return content.hex(" ") if is_terminal else content.hex()
    return visible(content) if is_terminal else content


def payload(data: bytes) -> str:
    """The payload of a ping or a pong, shown after its name; empty if there is none."""
    return f" {data[:PREVIEW]!r}" if data else ""


def milliseconds(seconds: float) -> str:
    """`0.4 ms`, `12 ms`."""
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def request_lines(request: bytes) -> list[str]:
    """The handshake as it was sent."""
    return [f"> {visible(line)}" for line in request.decode("latin-1").rstrip().split("\r\n")]


def answer_lines(answer: Answer) -> list[str]:
    """The answer as it was read."""
    head = [f"HTTP/1.1 {answer.status}"]
    head += [f"{name}: {value}" for name, value in answer.headers.items()]
    return [f"< {visible(line)}" for line in head]


def closed(code: int, reason: str, *, by_us: bool) -> str:
    """The end of a connection, in words."""
    who = "closed" if by_us else "closed by the server"
    return f"{who}: {close_words(code)}" + (f" ({visible(reason)})" if reason else "")
