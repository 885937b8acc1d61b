"""The secret that the nodes of a service share: messages not signed with it are refused. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import TypeAlias

from lineman.errors import ConfigError

# One, or several of which the first signs; None for none.
Secret: TypeAlias = str | Sequence[str] | None

SIZE = 16
MIN_SECRET = 16
MAX_SECRET = 64  # what BLAKE2b takes as a key


def check_secret(secret: object) -> None:
    """Checks a secret, or a list of them.

    Raises:
        ConfigError: one is too short, too long, or not text; or the list is empty.
    """
    if isinstance(secret, (list, tuple)):
        if not secret:
            raise ConfigError("the list of secrets is empty", 'give secret=["new", "old"], or none')
        for each in secret:
            check_secret(each)
        return
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

    The signature is keyed BLAKE2b (RFC 7693) over service, topic and message. It proves that the
    sender has the secret. It does not hide the message (TLS does). That a message is repeated shows
    in its number and stamp (`NodeChannel`), which are signed with it.

    Args:
        secret: 16 to 64 bytes of UTF-8; a list of them, of which the first signs and each is
            accepted; None signs nothing and takes everything.
        service: its name: a message to one service means nothing to another with the same secret.

    Raises:
        ConfigError: a secret is too short or too long.
    """

    def __init__(self, secret: Secret, service: str = "") -> None:
        if secret is not None:
            check_secret(secret)
        secrets = [secret] if isinstance(secret, str) else secret or ()
        self._keys = [each.encode() for each in secrets]
        name = service.encode()
        self._service = hashlib.blake2b(name, digest_size=hashlib.blake2b.PERSON_SIZE).digest()

    @property
    def has_secret(self) -> bool:
        """Whether it signs anything."""
        return bool(self._keys)

    def sign(self, topic: str, message: bytes) -> bytes:
        """The message with its signature, as it is published."""
        if not self._keys:
            return message
        return self._signature(self._keys[0], topic, message) + message

    def verify(self, topic: str, signed: bytes) -> bytes | None:
        """The message without its signature; None if that is missing or wrong."""
        if not self._keys:
            return signed
        message = signed[SIZE:]
        for key in self._keys:
            if hmac.compare_digest(signed[:SIZE], self._signature(key, topic, message)):
                return message
        return None

    def _signature(self, key: bytes, topic: str, message: bytes) -> bytes:
        # The length of the topic separates it from the message.
        name = topic.encode()
        size = len(name).to_bytes(4, "big")
        state = hashlib.blake2b(size, key=key, digest_size=SIZE, person=self._service)
        state.update(name)
        state.update(message)
        return state.digest()
