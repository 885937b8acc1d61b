"""A secret that the nodes of a service share: what comes without it is nobody's word. Pure."""

from __future__ import annotations

import hashlib
import hmac

from lineman.errors import ConfigError

SIZE = 16
MIN_SECRET = 16
MAX_SECRET = 64  # what BLAKE2b takes as a key


def check_secret(secret: object) -> None:
    """Sees that a secret can be one.

    Raises:
        ConfigError: it is too short or too long, or no text.
    """
    seen = "is no text"
    if isinstance(secret, str):
        size = len(secret.encode())
        if MIN_SECRET <= size <= MAX_SECRET:
            return
        seen = f"has {size} bytes, it must have {MIN_SECRET} to {MAX_SECRET}"
    raise ConfigError(
        f"the secret {seen}", 'make one: python -c "import secrets; print(secrets.token_hex(16))"'
    )


class Signer:
    """Signs messages on a broker, and checks those that come.

    The signature is keyed BLAKE2b (RFC 7693) over topic and message. It says who sent a message,
    and neither hides it (that is TLS's part) nor tells whether it was sent twice.

    Args:
        secret: 16 to 64 bytes of UTF-8; None signs nothing and takes everything.

    Raises:
        ConfigError: it is too short or too long.
    """

    def __init__(self, secret: str | None) -> None:
        if secret is not None:
            check_secret(secret)
        self._key = b"" if secret is None else secret.encode()

    def sign(self, topic: str, message: bytes) -> bytes:
        """A message as it is published."""
        return self._signature(topic, message) + message if self._key else message

    def verify(self, topic: str, signed: bytes) -> bytes | None:
        """The message again; None where somebody else has signed it, or nobody."""
        if not self._key:
            return signed
        message = signed[SIZE:]
        is_good = hmac.compare_digest(signed[:SIZE], self._signature(topic, message))
        return message if is_good else None

    def _signature(self, topic: str, message: bytes) -> bytes:
        # The topic's length keeps its end apart from the message's beginning.
        name = topic.encode()
        state = hashlib.blake2b(len(name).to_bytes(4, "big"), key=self._key, digest_size=SIZE)
        state.update(name)
        state.update(message)
        return state.digest()
