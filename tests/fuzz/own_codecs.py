"""Protocols as programs write them: one that is strict, and one that answers anything."""

from __future__ import annotations

from typing import Any

# What a program's methods raise here.
FAULTS = (ValueError, IndexError)
# So many bytes that come one by one are asked about more often than they pay for.
SLOW = 2000


class Netstrings:
    """`5:hello,`; strict in all of it."""

    def input(self, buffer: bytes) -> int:
        """See `lineman.Protocol`."""
        number, colon, _ = buffer.partition(b":")
        if (not number.isdigit() and number) or len(number) > 9 or (colon and not number):
            return -1
        return len(number) + 2 + int(number) if colon else 0

    def decode(self, package: bytes) -> bytes:
        """See `lineman.Protocol`."""
        if not package.endswith(b","):
            raise ValueError(f"a netstring ends with {package[-1:]!r}")
        return package.partition(b":")[2][:-1]

    def encode(self, message: Any) -> bytes:
        """See `lineman.Protocol`."""
        body = message.encode() if isinstance(message, str) else bytes(memoryview(message))
        return b"%d:%b," % (len(body), body)


class Nonsense:
    """Its first byte says what it does: raise, answer what is no size, ask for ever, or work."""

    def input(self, buffer: bytes) -> Any:
        """See `lineman.Protocol`."""
        if not buffer:
            return 0
        kind = buffer[0]
        strange: dict[int, Any] = {
            1: -(2**70), 2: 2**70, 3: "3", 4: None, 5: True, 6: 2.0, 7: b"7", 8: 2**31, 9: 0,
        }  # fmt: skip
        if kind == 10:
            raise ValueError("it raises")
        if kind == 11:
            return [][1]
        return strange.get(kind, kind)

    def decode(self, package: bytes) -> Any:
        """See `lineman.Protocol`."""
        if package[0] == 13:
            raise IndexError("it raises")
        return None if package[0] == 14 else package[1:]

    def encode(self, message: Any) -> bytes:
        """See `lineman.Protocol`."""
        body = message.encode() if isinstance(message, str) else bytes(memoryview(message))
        body = body[:200]
        return bytes([max(len(body), 21) + 1]) + body.ljust(21, b"x")
