"""What a server answers to a key."""

from __future__ import annotations

import base64
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from lineman.protocols.websocket import acceptkey, handshake

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def test_the_accept_key_is_that_of_the_rfc() -> None:
    assert handshake.accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@given(st.binary(min_size=16, max_size=16).map(base64.b64encode) | st.binary(max_size=40))
def test_every_accept_key_is_sha1_in_base64(key: bytes) -> None:
    guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    expected = base64.b64encode(hashlib.sha1(key + guid).digest()).decode()
    assert handshake.accept_key(key.decode("latin-1")) == expected


def test_the_plain_way_gives_the_same_as_bytes() -> None:
    assert acceptkey.accept_to(KEY.encode()) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
