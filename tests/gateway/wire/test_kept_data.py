from __future__ import annotations

import pytest

from lineman.errors import UsageError
from lineman.gateway.wire.kept_data import decode_kept, encode_kept


@pytest.mark.parametrize("message", ["", "hello", "chào 你好", b"", b"\x00\xff"])
def test_a_message_is_the_same_behind_the_way(message: str | bytes) -> None:
    assert decode_kept(encode_kept(message)) == message


@pytest.mark.parametrize("text", ["", "x", "b?", "bA"])
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no message to be kept"):
        decode_kept(text)
