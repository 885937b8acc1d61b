"""Ready-made protocols for `protocol=`: `Lines` and `LengthPrefixed`, each also with JSON.

They keep nothing of a connection, so one object serves all of them. It is its own factory, and a
message to many is encoded once.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any, Self

from lineman.errors import ConfigError, ProtocolError, UsageError
from lineman.protocols.codecs.byte_stream import payload_bytes
from lineman.protocols.codecs.own_protocol import Protocol
from lineman.protocols.websocket.close import INVALID_DATA

_ORDERS = ("<", ">", "!")
_NUMBERS = ("B", "H", "I", "L", "Q")


class _Shared:
    """One object for all connections: as a factory it makes itself."""

    def __call__(self) -> Self:
        return self


class _Framing(_Shared):
    """A way to frame `bytes`."""

    def json(self: Protocol[bytes]) -> Callable[[], Protocol[Any]]:
        """The same framing, and each message is JSON: what `json.loads` makes of it."""
        return _Json(self)


class Lines(_Framing):
    r"""Messages are `bytes` that end with a delimiter, which is not part of them.

    A `str` is sent as UTF-8. `max_message_size` limits a line with its delimiter. For lines as
    `str` there is `text://`.

    Args:
        delimiter: what stands behind each message: one byte or more.

    Raises:
        ConfigError: the delimiter is empty, or no `bytes`.
    """

    def __init__(self, delimiter: bytes = b"\n") -> None:
        if not isinstance(delimiter, bytes) or not delimiter:
            raise ConfigError(
                f"the delimiter of Lines is {delimiter!r}", r'give bytes: Lines(b"\n")'
            )
        self.delimiter = delimiter

    def __repr__(self) -> str:
        return f"Lines({self.delimiter!r})"

    def input(self, buffer: bytes) -> int:
        """See `Protocol`."""
        found = buffer.find(self.delimiter)
        return 0 if found < 0 else found + len(self.delimiter)

    def decode(self, package: bytes) -> bytes:
        """See `Protocol`."""
        return package[: -len(self.delimiter)]

    def encode(self, message: Any) -> bytes:
        """See `Protocol`."""
        body = payload_bytes(message)
        line = body + self.delimiter
        if line.find(self.delimiter) != len(body):
            raise UsageError(
                f"a message of {self!r} is one line, and this one has the delimiter in it; send "
                "its lines one by one, or use LengthPrefixed(...)"
            )
        return line


class LengthPrefixed(_Framing):
    """Messages are `bytes` behind a number that tells their length.

    A `str` is sent as UTF-8. `max_message_size` limits a package with its number.

    Args:
        format: the number as `struct` writes it: its byte order (`>`, `!` or `<`), and B, H, I, L
            or Q for 1, 2, 4, 4 or 8 bytes without a sign.
        counts_itself: whether the number counts its own bytes too.

    Raises:
        ConfigError: there is no such number.
    """

    def __init__(self, format: str = ">I", *, counts_itself: bool = False) -> None:
        is_known = isinstance(format, str) and format[-1:] in _NUMBERS
        if not is_known or (format != "B" and format[:-1] not in _ORDERS):
            raise ConfigError(
                f"the format of LengthPrefixed is {format!r}",
                'give the byte order and one of B, H, I, L and Q: LengthPrefixed(">I")',
            )
        self.format = format
        self.counts_itself = counts_itself
        self._number = struct.Struct(format)
        self._size = self._number.size
        self._extra = 0 if counts_itself else self._size
        self._most = 256**self._size - 1

    def __repr__(self) -> str:
        more = ", counts_itself=True" if self.counts_itself else ""
        return f"LengthPrefixed({self.format!r}{more})"

    def input(self, buffer: bytes) -> int:
        """See `Protocol`."""
        if len(buffer) < self._size:
            return 0
        size: int = self._number.unpack_from(buffer)[0] + self._extra
        return size if size >= self._size else -1  # smaller than the number itself

    def decode(self, package: bytes) -> bytes:
        """See `Protocol`."""
        return package[self._size :]

    def encode(self, message: Any) -> bytes:
        """See `Protocol`."""
        body = payload_bytes(message)
        number = len(body) + self._size - self._extra
        if number > self._most:
            raise UsageError(
                f"a message of {len(body)} bytes is too long for the length of {self!r}; use a "
                'longer one, such as ">Q"'
            )
        return self._number.pack(number) + body


class _Json(_Shared):
    """Messages are what JSON can say, each in a package of another protocol; made by `json()`.

    Args:
        framing: the other protocol.
    """

    def __init__(self, framing: Protocol[bytes]) -> None:
        self._framing = framing
        self.input = framing.input

    def __repr__(self) -> str:
        return f"{self._framing!r}.json()"

    def decode(self, package: bytes) -> Any:
        """See `Protocol`; JSON's `null` is None, and so no message."""
        try:
            return json.loads(self._framing.decode(package).decode(), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise ProtocolError(INVALID_DATA, f"a message is not JSON: {error}") from None

    def encode(self, message: Any) -> bytes:
        """See `Protocol`."""
        try:
            text = json.dumps(
                message, ensure_ascii=False, allow_nan=False, separators=(",", ":")
            ).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise UsageError(f"JSON cannot say this message: {error}") from None
        return self._framing.encode(text)


def _refuse(word: str) -> None:
    """Python reads `NaN` and `Infinity`, which JSON does not have."""
    raise ValueError(f"{word} is no JSON")
