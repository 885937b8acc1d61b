"""What a server answers to a `Sec-WebSocket-Key`.

This is the plain-Python way; compiled modules find the same function in `acceptkey.h`, by
`acceptkey.pxd`.

Source: RFC 6455, section 4.2.2, item 5.4.
"""

from __future__ import annotations

import binascii
from hashlib import sha1

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_to(key: bytes) -> bytes:
    """The `Sec-WebSocket-Accept` to a key of any length: 28 characters."""
    digest = sha1(key + _GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False)
