"""An application's refusal goes on the line as it is."""

from __future__ import annotations

from lineman.gateway.holder.encoded_refusal import EncodedRefusal


def test_it_is_the_bytes_that_the_application_has_made() -> None:
    refusal = EncodedRefusal(401, b"HTTP/1.1 401 Unauthorized\r\n\r\n")
    assert refusal.status == 401
    assert refusal.encode(keep_alive=False) == b"HTTP/1.1 401 Unauthorized\r\n\r\n"
