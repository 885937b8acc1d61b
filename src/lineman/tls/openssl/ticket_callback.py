"""Makes and accepts session tickets with keys that change."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lineman.tls.openssl import access as openssl
from lineman.tls.openssl import ticket_answers

# The number of keys at a time.
KEYS = 3


@dataclass(frozen=True, slots=True)
class TicketKey:
    """The keys of one period's tickets.

    Attributes:
        name: 16 bytes at the start of each ticket.
        cipher: the key of AES-256-CBC.
        mac: the key of HMAC-SHA-256, 32 bytes.
    """

    name: bytes
    cipher: bytes
    mac: bytes


class TicketCall:
    """Makes and accepts the tickets of the contexts that it is installed in.

    Args:
        refresh: sets the valid keys; called before a ticket, once the old keys are out of date, and
            before the first ticket.
    """

    __slots__ = ("_answers",)

    def __init__(self, refresh: Callable[[], None]) -> None:
        self._answers = ticket_answers.begin(refresh)

    def install(self, context: int) -> bool:
        """Makes a context (`SSL_CTX *`) call this; returns whether that is possible here."""
        table = _function_table()
        return table is not None and ticket_answers.install(self._answers, context, table)

    def set_keys(self, keys: Sequence[TicketKey]) -> None:
        """Sets the valid keys, the one for new tickets first; at most `KEYS`."""
        ticket_answers.forget_keys(self._answers)
        for key in keys:
            ticket_answers.add_key(self._answers, key.name, key.cipher, key.mac)

    def refresh_at(self, seconds: float) -> None:
        """Sets until when they are valid, by the monotonic clock; 0: refresh before each ticket."""
        ticket_answers.refresh_at(self._answers, seconds)


def _function_table() -> bytes | None:
    """None where OpenSSL is out of reach, or older than 3.0."""
    if openssl.library() is None or ssl.OPENSSL_VERSION_INFO < (3,):
        return None
    try:
        return openssl.function_table(ticket_answers.FUNCTIONS)
    except AttributeError:
        return None
