"""The arguments of a named timer: values that messages between processes can carry."""

from __future__ import annotations

from typing import Any

import msgspec

from lineman.errors import UsageError
from lineman.links.plain_values import check_value

# Bytes of the arguments of one timer, in MessagePack.
MAX_ARGS = 8 * 1024

_decoder = msgspec.msgpack.Decoder(list[Any])
_encoder = msgspec.msgpack.Encoder()


def encode_args(call: str, args: tuple[Any, ...]) -> bytes:
    """Encodes the arguments of a timer's function.

    Args:
        call: the call as the program writes it, for the error.
        args: text, bytes, numbers, booleans, None, lists and dictionaries.

    Raises:
        UsageError: there is another value, or more than 8 KiB.
    """
    try:
        check_value(list(args))
        encoded = _encoder.encode(args)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UsageError(
            f"{call}: the arguments cannot be kept: {error}; give text, bytes, numbers, booleans, "
            "None, lists and dictionaries, such as the id of a client or the name of a room"
        ) from None
    if len(encoded) > MAX_ARGS:
        raise UsageError(
            f"{call}: the arguments have {len(encoded)} bytes, {MAX_ARGS} are allowed; keep what "
            "is large elsewhere, and give its key"
        )
    return encoded


def decode_args(encoded: bytes) -> list[Any]:
    """Decodes arguments; tuples come back as lists.

    Raises:
        UsageError: the bytes are no arguments.
    """
    try:
        return _decoder.decode(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"not the arguments of a timer: {error}") from None
