"""Classes of bytes in an HTTP head, and how far a run of one of them goes.

This is the plain-Python way; compiled modules find `end_of_run` in `byteclasses.pxd`.

Source: RFC 9110, section 5.6.2 (tokens), 5.5 (values); RFC 3986, sections 3.3, 3.4 (targets).
"""

from __future__ import annotations

import re

IS_TOKEN = 1
IS_VALUE = 2
IS_TARGET = 4
IS_HOST = 8
IS_BASE64 = 16
IS_DIGIT = 32

_ALNUM = b"0-9A-Za-z"
_CLASSES = {
    IS_TOKEN: b"[!#$%&'*+\\-.^_`|~" + _ALNUM + b"]",
    IS_VALUE: b"[\\t\\x20-\\x7e\\x80-\\xff]",
    IS_TARGET: b"[\\x21\\x24-\\x3b\\x3d\\x3f-\\x5b\\x5d\\x5f\\x61-\\x7a\\x7e]",
    IS_HOST: b"[.\\-" + _ALNUM + b"]",
    IS_BASE64: b"[+/" + _ALNUM + b"]",
    IS_DIGIT: b"[0-9]",
}
_RUNS = {kind: re.compile(one + b"*") for kind, one in _CLASSES.items()}


def _kinds() -> bytes:
    """For each byte value, the classes that it belongs to."""
    kinds = bytearray(256)
    for value in range(256):
        for kind, one in _CLASSES.items():
            if re.fullmatch(one, bytes([value])):
                kinds[value] |= kind
    return bytes(kinds)


KINDS = _kinds()


def end_of_run(data: bytes | memoryview, start: int, size: int, kind: int, kinds: bytes) -> int:
    """The position after the bytes of a class that stand here.

    Args:
        data: where they stand.
        start: where the run begins.
        size: where it ends at the latest.
        kind: the class.
        kinds: the table of all classes, `KINDS`.
    """
    match = _RUNS[kind].match(data, start, size)
    assert match is not None  # of no bytes at least
    return match.end()
