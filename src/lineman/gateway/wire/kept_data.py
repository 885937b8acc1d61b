"""A message among the names of a question, which are texts. Pure."""

from __future__ import annotations

import base64
import binascii

from lineman.errors import UsageError

TEXT, BINARY = "t", "b"


def encode_kept(data: str | bytes) -> str:
    """A message as a text."""
    return TEXT + data if isinstance(data, str) else BINARY + base64.b64encode(data).decode()


def decode_kept(text: str) -> str | bytes:
    """The message in a text.

    Raises:
        UsageError: there is none.
    """
    try:
        if text.startswith(TEXT):
            return text.removeprefix(TEXT)
        if text.startswith(BINARY):
            return base64.b64decode(text.removeprefix(BINARY), validate=True)
    except (binascii.Error, ValueError):
        pass
    raise UsageError(f"this is no message to be kept: {text!r:.40}")
