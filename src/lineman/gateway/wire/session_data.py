"""A client's session: a dictionary that its gateway process keeps."""

from __future__ import annotations

from typing import Any

import msgspec

from lineman.errors import UsageError
from lineman.links.plain_values import check_value

MAX_SESSION = 64 * 1024

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, Any])


def encode_session(session: dict[str, Any]) -> bytes:
    """Encodes a session, as it is kept and sent.

    Args:
        session: text keys; values of text, bytes, numbers, booleans, None, lists and dictionaries.

    Raises:
        UsageError: it is not a dictionary, holds other values, or has more than 64 KiB.
    """
    if not isinstance(session, dict):
        raise UsageError(f"a session is a dictionary, got {type(session).__name__}")
    try:
        check_value(session)
        encoded = _encoder.encode(session)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UsageError(
            f"the session cannot be kept: {error}; it takes text, bytes, numbers, booleans, None, "
            "lists and dictionaries"
        ) from None
    if len(encoded) > MAX_SESSION:
        raise UsageError(
            f"the session has {len(encoded)} bytes, {MAX_SESSION} are allowed; "
            "keep what is large elsewhere, and its key here"
        )
    return encoded


def merge(old: Any, new: Any) -> Any:
    """A session with the values of another one set in it, in nested dictionaries too."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return {**old, **{key: merge(old.get(key), value) for key, value in new.items()}}


def decode_session(encoded: bytes) -> dict[str, Any]:
    """Decodes a session; tuples come back as lists.

    Raises:
        UsageError: the bytes are not a session, or too many.
    """
    if len(encoded) > MAX_SESSION:
        raise UsageError(f"a session of {len(encoded)} bytes, {MAX_SESSION} are allowed")
    try:
        return _decoder.decode(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"not a session: {error}") from None
