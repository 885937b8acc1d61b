"""The kit for protocols: ours pass it, and each kind of mistake is found and told in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lineman import ConfigError, LengthPrefixed, Lines, ProtocolError
from lineman.testing.protocol_checks import check_protocol

OBJECTS = [{"a": [1, "ü"]}, [], "text", 5, "x" * 3000]
BYTES = [b"", b"a", b"\0\xff" * 700]
OURS: dict[str, tuple[Any, list[Any]]] = {
    "Lines": (Lines(), BYTES),
    "a class": (Lines, BYTES),
    "a long delimiter": (Lines(b"\r\n"), [b"a\r", b"\r", b"\n", b""]),
    "LengthPrefixed": (LengthPrefixed(), BYTES),
    "two bytes": (LengthPrefixed("<H", counts_itself=True), BYTES),
    "JSON lines": (Lines().json(), OBJECTS),
    "JSON behind a length": (LengthPrefixed(">H").json(), OBJECTS),
    "text": ("text", ["", "a", "ü" * 300]),
    "frame": ("frame", BYTES),
    "tcp": ("tcp", [b"a", b"\0\xff" * 700]),
}


@pytest.mark.parametrize("name", OURS)
def test_ours_pass(name: str) -> None:
    protocol, messages = OURS[name]
    check_protocol(protocol, messages)


class Pairs:
    """Two bytes behind a byte that says how many pairs there are."""

    def input(self, buffer: bytes) -> int:
        return 1 + 2 * buffer[0]

    def decode(self, package: bytes) -> Any:
        return package[1:]

    def encode(self, message: bytes) -> bytes:
        return bytes([len(message) // 2]) + message


class CutsWrongly(Pairs):
    def input(self, buffer: bytes) -> int:
        return min(len(buffer), 1 + 2 * buffer[0])  # what has arrived is taken for a package


class DecodesWrongly(Pairs):
    def decode(self, package: bytes) -> Any:
        return package


class Raises(Pairs):
    def decode(self, package: bytes) -> Any:
        if package and package[-1] > 0x7F:
            raise LookupError("what is that")
        return package[1:]


class Remembers(Pairs):
    """Counts how often it was asked, which depends on how the bytes are cut."""

    def __init__(self) -> None:
        self.asked = 0

    def input(self, buffer: bytes) -> int:
        self.asked += 1
        if self.asked > 40:
            raise ProtocolError(1002, "asked too often")
        return 0 if len(buffer) < 1 + 2 * buffer[0] else 1 + 2 * buffer[0]


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (CutsWrongly, "byte by byte: message 1 of 2 must be b'abcd', and it is b''"),
        (DecodesWrongly, r"whole: message 1 of 2 must be b'abcd', and it is b'\x02abcd'"),
        (Raises, "Raises.decode() raised LookupError: what is that"),
        (Raises, "for bytes that are no message, raise ProtocolError(1007"),
        (Remembers, "byte by byte"),
    ],
)
def test_a_mistake_is_found_and_told(protocol: Any, words: str) -> None:
    check_protocol(Pairs, [b"abcd", b""])
    with pytest.raises(AssertionError) as caught:
        check_protocol(protocol, [b"abcd", b""])
    assert words in str(caught.value)


def test_what_is_no_protocol_and_no_messages_are_refused() -> None:
    with pytest.raises(ConfigError):
        check_protocol(5, [b""])
    with pytest.raises(AssertionError, match="at least one"):
        check_protocol(Pairs, [])


def test_the_protocol_that_the_reference_shows_passes() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/protocols.md").read_text(encoding="utf-8")
    code = page.split("## A protocol of your own", 1)[1].split("```python\n", 1)[1]
    names: dict[str, Any] = {}
    exec(code.split("worker = ", 1)[0], names)
    check_protocol(names["Words"], ["one", "", "three"])
