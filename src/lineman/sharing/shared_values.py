"""The keys and values that the processes of a program have in common, as bytes. Pure.

A whole number is its decimal digits, so that a server such as Redis can count with it; anything
else is `m` and MessagePack, with the keys of dictionaries in order: equal values are equal bytes.
"""

from __future__ import annotations

import re
from typing import Any

from lineman.errors import RefusedError, UsageError
from lineman.links.plain_values import decode_plain, encode_plain

MAX_KEY = 256
MAX_VALUE = 1_000_000
# Seconds; ten years.
MAX_EXPIRY = 315_360_000.0
MIN_NUMBER, MAX_NUMBER = -(2**63), 2**63 - 1

_NUMBER = re.compile(rb"-?[0-9]{1,19}")


def check_key(key: object) -> str:
    """The key, if it is a text of 1 to 256 bytes.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(key, str):
        raise UsageError(f"a key is a text, got {type(key).__name__}")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise UsageError(f"a key is no Unicode text: {key!r:.80}") from None
    if not 0 < size <= MAX_KEY:
        raise UsageError(f"a key has {size} bytes; give 1 to {MAX_KEY}")
    return key


def check_number(name: str, value: object) -> int:
    """A whole number of 64 bits.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{name} is a whole number, got {type(value).__name__}")
    if not MIN_NUMBER <= value <= MAX_NUMBER:
        raise UsageError(f"{name} is {value:.3e}; a number has 64 bits at most")
    return value


def check_expiry(seconds: object) -> float | None:
    """The seconds after which a key is deleted; None for never.

    Raises:
        UsageError: they are no number from 0.001 to ten years.
    """
    if seconds is None:
        return None
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        raise UsageError(f"expire is a number of seconds, got {type(seconds).__name__}")
    if not 0.001 <= seconds <= MAX_EXPIRY:
        raise UsageError(f"expire is {seconds:g} s; give 0.001 to {MAX_EXPIRY:,.0f}, or None")
    return float(seconds)


def encode_shared(value: object) -> bytes:
    """A value as it is kept.

    Raises:
        UsageError: it cannot be kept, or is too large.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return b"%d" % check_number("the value", value)
    return b"m" + encode_plain("the value", value, MAX_VALUE, is_sorted=True)


def decode_shared(kept: bytes) -> Any:
    """The value that is kept.

    Raises:
        RefusedError: another program wrote something else there.
    """
    try:
        return decode_plain(kept[1:]) if kept[:1] == b"m" else to_number(kept)
    except ValueError:
        raise RefusedError(
            f"the key holds what no Shared has written: {kept!r:.60}",
            "give this program a Worker.service_name of its own",
        ) from None


def to_number(kept: bytes) -> int:
    """The whole number that is kept.

    Raises:
        ValueError: it is something else.
    """
    if _NUMBER.fullmatch(kept) is None:
        raise ValueError("it is no whole number")
    return int(kept)
