"""Values that are the same on both sides of a link: text, numbers, lists, dictionaries. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from lineman.errors import UsageError

# What such a value may be, in words.
KINDS = "text, bytes, numbers, booleans, None, lists and dictionaries with text as keys"

_KEPT = (str, bytes, bytearray, int, float)  # and None, lists, tuples (as lists), dictionaries


def _plain(value: object) -> object:
    """A text or a number of a class of its own, such as Django's `SafeString`, as a plain one."""
    if isinstance(value, str):
        return str.encode(value).decode()
    if isinstance(value, int):
        return int.__add__(value, 0)
    if isinstance(value, float):
        return float.__add__(value, 0.0)
    raise TypeError(f"{value!r:.80} is a {type(value).__name__}")


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_sorting_encoder = msgspec.msgpack.Encoder(enc_hook=_plain, order="deterministic")


def check_value(value: object) -> None:
    """Refuses a value that would be decoded as another type, such as a date.

    Raises:
        TypeError: it is such a value, or holds one.
        RecursionError: it is nested too deeply, or holds itself.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{key!r:.80} is a key and no text")
            check_value(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            check_value(item)
    elif value is not None and not isinstance(value, _KEPT):
        raise TypeError(f"{value!r:.80} is a {type(value).__name__}")


def encode_plain(what: str, value: object, limit: int, *, is_sorted: bool = False) -> bytes:
    """Encodes a value as MessagePack.

    Args:
        what: the name of the value, for the error.
        limit: the size that it may have, in bytes.
        is_sorted: whether the keys of dictionaries are sorted, so that equal values are equal
            bytes.

    Raises:
        UsageError: it holds something else than `KINDS`, or is too large.
    """
    try:
        check_value(value)
        encoded = (_sorting_encoder if is_sorted else _encoder).encode(value)
    except RecursionError:
        raise UsageError(
            f"{what} cannot be sent: it is nested too deeply, or holds itself"
        ) from None
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{what} cannot be sent: {error}; it takes {KINDS}") from None
    if len(encoded) > limit:
        raise UsageError(f"{what} has {len(encoded):,} bytes, {limit:,} are allowed")
    return encoded


def decode_plain(encoded: bytes) -> Any:
    """The value; tuples have become lists, and a `bytearray` has become `bytes`.

    Raises:
        ValueError: the bytes are no value.
    """
    try:
        return msgspec.msgpack.decode(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a value: {error}") from None
