"""The secret that the nodes of a service share: messages not signed with it are refused. Pure."""

from __future__ import annotations

import hashlib
import hmac

from lineman.errors import ConfigError

SIZE = 16
MIN_SECRET = 16
MAX_SECRET = 64  # what BLAKE2b takes as a key


def check_secret(secret: object) -> None:
    """Checks a secret.

    Raises:
        ConfigError: it is too short, too long, or not text.
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
    """Signs messages for a broker, and verifies those that arrive.

    The signature is keyed BLAKE2b (RFC 7693) over topic and message. It proves that the sender has
    the secret. It does not hide the message (TLS does), and does not detect a repeated one.

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
        """The message with its signature, as it is published."""
        return self._signature(topic, message) + message if self._key else message

    def verify(self, topic: str, signed: bytes) -> bytes | None:
        """The message without its signature; None if that is missing or wrong."""
        if not self._key:
            return signed
        message = signed[SIZE:]
        is_good = hmac.compare_digest(signed[:SIZE], self._signature(topic, message))
        return message if is_good else None

    def _signature(self, topic: str, message: bytes) -> bytes:
        # The length of the topic separates it from the message.
        name = topic.encode()
        state = hashlib.blake2b(len(name).to_bytes(4, "big"), key=self._key, digest_size=SIZE)
        state.update(name)
        state.update(message)
        return state.digest()
