"""What type checkers see: a class with three methods is a protocol without deriving from one."""

from __future__ import annotations

from typing import Any

from lineman import LengthPrefixed, Lines, Protocol


class Words:
    def input(self, buffer: bytes) -> int:
        return buffer.find(b" ") + 1

    def decode(self, package: bytes) -> str:
        return package[:-1].decode()

    def encode(self, message: Any) -> bytes:
        return f"{message} ".encode()


def test_classes_and_the_ready_made_ones_are_protocols_for_checkers() -> None:
    texts: Protocol[str] = Words()
    octets: list[Protocol[bytes]] = [Lines(), LengthPrefixed()]
    assert texts.decode(b"a ") == "a"
    assert [each.encode(b"a") for each in octets] == [b"a\n", b"\0\0\0\1a"]
