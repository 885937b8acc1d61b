"""What is wrong with a message of an application, in the words of the standard; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineman.errors import UsageError


def type_of(message: Any) -> str:
    """The type of a message.

    Raises:
        UsageError: it is none.
    """
    kind = message.get("type") if isinstance(message, Mapping) else None
    if not isinstance(kind, str):
        raise UsageError(
            f"the application sent {shown(message)}; an ASGI message is a dictionary with a "
            "'type', such as {'type': 'http.response.start', 'status': 200}"
        )
    return kind


def shown(message: Any) -> str:
    """A message for an error: its keys, and of bodies nothing."""
    if not isinstance(message, Mapping):
        return type(message).__name__
    return "{" + ", ".join(f"{key!r}: …" for key in list(message)[:8]) + "}"


def out_of_order(kind: str, where: str, wanted: str) -> UsageError:
    """The error for a message that may not come now.

    Args:
        kind: its type.
        where: what has happened before.
        wanted: what may be sent.
    """
    return UsageError(f"the application sent {kind!r} {where}; ASGI allows there: {wanted}")


def status_of(message: Mapping[str, Any]) -> int:
    """The status of an answer.

    Raises:
        UsageError: it is none.
    """
    status = message.get("status")
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise UsageError(
            f"the status of {message.get('type')!r} is {status!r}; ASGI wants a number, and an "
            "answer has one from 200 to 599"
        )
    return int(status)


def body_of(message: Mapping[str, Any]) -> bytes:
    """The piece of a body; empty where there is none.

    Raises:
        UsageError: it is no bytes.
    """
    body = message.get("body", b"")
    if type(body) is bytes:
        return body
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise UsageError(
        f"the body of {message.get('type')!r} is {type(body).__name__}; ASGI wants bytes"
    )


def payload_of(message: Mapping[str, Any]) -> str | bytes:
    """The text or the bytes of a `websocket.send`.

    Raises:
        UsageError: it has neither, or both.
    """
    text, data = message.get("text"), message.get("bytes")
    if text is not None and data is None:
        if isinstance(text, str):
            return text
    elif data is not None and text is None and isinstance(data, (bytes, bytearray, memoryview)):
        return data if type(data) is bytes else bytes(data)
    raise UsageError(
        f"a 'websocket.send' has text of type {type(text).__name__} and bytes of type "
        f"{type(data).__name__}; ASGI wants exactly one: 'text' (str) or 'bytes' (bytes)"
    )


def accept_headers(message: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The headers of a `websocket.accept`, as texts.

    Raises:
        UsageError: one is no pair of bytes.
    """
    pairs = []
    for pair in message.get("headers") or ():
        try:
            name, value = pair
            pairs.append((bytes(name).decode("latin-1"), bytes(value).decode("latin-1")))
        except (TypeError, ValueError):
            raise UsageError(
                f"the headers of 'websocket.accept' hold {pair!r}; ASGI wants pairs of bytes"
            ) from None
    return pairs
