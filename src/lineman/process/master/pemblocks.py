"""Finds the certificates and private keys in a file: only these are passed to another user. Pure.

The user that names the file may not read it, so root passes on nothing else of it: neither text
between the blocks nor a block whose content does not match its label. Each block is written again
from its decoded bytes.
"""

from __future__ import annotations

import base64
import binascii
import re
import textwrap
from collections.abc import Iterator
from enum import Enum

# RFC 7468, sections 5, 10 and 11; RFC 5915, section 4 and what OpenSSL wrote before version 3.
# A TLS server cannot use a key in OpenSSH's own format.
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE")
_KEYS = ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")

_BLOCK = re.compile(
    rb"^-----BEGIN (?P<label>[A-Z0-9 ]{1,40})-----[ \t]*\r?\n"
    rb"(?P<body>[^-]*(?:-(?!----)[^-]*)*)"
    rb"^-----END (?P=label)-----[ \t]*\r?$",
    re.MULTILINE,
)
# Headers of older encrypted keys (RFC 1421, section 4.6).
_HEADERS = re.compile(
    rb"\s*Proc-Type: 4,ENCRYPTED\r?\nDEK-Info: (?P<cipher>[A-Z0-9-]{1,30},[0-9A-Fa-f]{1,64})"
    rb"\r?\n\s*\n"
)
_INTEGER, _BITS, _OCTETS, _SEQUENCE = 0x02, 0x03, 0x04, 0x30
# The tags of the first parts of each content (RFC 5280, 5958, 8017 and 5915).
_PARTS = {
    "CERTIFICATE": (_SEQUENCE, _SEQUENCE, _BITS),
    "X509 CERTIFICATE": (_SEQUENCE, _SEQUENCE, _BITS),
    "PRIVATE KEY": (_INTEGER, _SEQUENCE, _OCTETS),
    "ENCRYPTED PRIVATE KEY": (_SEQUENCE, _OCTETS),
    "RSA PRIVATE KEY": (_INTEGER,) * 9,
    "EC PRIVATE KEY": (_INTEGER, _OCTETS),
}


class BlockKind(Enum):
    """The kind of content for which a file is named."""

    CERTIFICATE = "certificate"
    KEY = "private key"


def blocks(content: bytes, kinds: frozenset[BlockKind]) -> bytes:
    """The blocks of a file that have these kinds, in their order; empty if there are none."""
    wanted = (_CERTIFICATES if BlockKind.CERTIFICATE in kinds else ()) + (
        _KEYS if BlockKind.KEY in kinds else ()
    )
    found = []
    for match in _BLOCK.finditer(content.removeprefix(b"\xef\xbb\xbf")):
        label = match["label"].decode()
        if label in wanted:
            found.append(_anew(label, match["body"]))
    return b"".join(found)


def _anew(label: str, body: bytes) -> bytes:
    """The block, written again; empty if its content does not match its label."""
    headers = _HEADERS.match(body) if label in ("RSA PRIVATE KEY", "EC PRIVATE KEY") else None
    encoded = b"".join((body if headers is None else body[headers.end() :]).split())
    try:
        content = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return b""
    if headers is None and not _has_parts(content, _PARTS[label]):
        return b""
    lines = [f"-----BEGIN {label}-----"]
    if headers is not None:
        lines += ["Proc-Type: 4,ENCRYPTED", f"DEK-Info: {headers['cipher'].decode()}", ""]
    lines += textwrap.wrap(base64.b64encode(content).decode(), 64)
    lines.append(f"-----END {label}-----\n")
    return "\n".join(lines).encode()


def _has_parts(content: bytes, tags: tuple[int, ...]) -> bool:
    """Whether these bytes are one DER sequence that begins with parts with these tags."""
    try:
        ((tag, start, end),) = _elements(content, 0, len(content))
        parts = list(_elements(content, start, end)) if tag == _SEQUENCE else []
    except ValueError:
        return False
    return tuple(tag for tag, *_ in parts[: len(tags)]) == tags


def _elements(content: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Tag, begin and end of the content of every element; ValueError for invalid DER."""
    while start < end:
        if start + 2 > end:
            raise ValueError("cut off")
        tag, size = content[start], content[start + 1]
        start += 2
        if size & 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4 or start + count > end:
                raise ValueError("no length of DER")
            size = int.from_bytes(content[start : start + count])
            start += count
        if start + size > end:
            raise ValueError("cut off")
        yield tag, start, start + size
        start += size
