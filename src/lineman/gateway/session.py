"""A client's session: a dictionary that its gateway process keeps."""

from __future__ import annotations

from typing import Any

import msgspec

from lineman.errors import UsageError

MAX_SESSION = 64 * 1024

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, Any])


def encode_session(session: dict[str, Any]) -> bytes:
    """A session as it is kept and sent.

    Args:
        session: text keys; values of text, bytes, numbers, booleans, None, lists and dictionaries.

    Raises:
        UsageError: it is no dictionary, holds something else, or has more than 64 KiB.
    """
    if not isinstance(session, dict):
        raise UsageError(f"a session is a dictionary, got {type(session).__name__}")
    try:
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


def decode_session(encoded: bytes) -> dict[str, Any]:
    """The dictionary again; lists come back as lists.

    Raises:
        UsageError: these bytes are none, or too many.
    """
    if len(encoded) > MAX_SESSION:
        raise UsageError(f"a session of {len(encoded)} bytes, {MAX_SESSION} are allowed")
    try:
        return _decoder.decode(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"not a session: {error}") from None
