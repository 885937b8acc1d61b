"""Session tickets that every process of a service accepts, under keys that change with time.

A client that connects again needs only half of the handshake if the new process can read the ticket
of the old one (RFC 8446, section 2.2; RFC 5077). So all processes share one secret, in memory that
they inherit. Each period has a secret that is the digest of the last one, and the last one is
deleted: today's secret does not decrypt yesterday's tickets.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from lineman.tls.openssl import access as openssl
from lineman.tls.openssl.ticket_callback import KEYS, TicketCall, TicketKey

# Seconds for which one key makes tickets. OpenSSL's tickets live for two hours.
PERIOD = 3600.0
# Earlier keys that still open tickets.
KEPT = KEYS - 1

_STATE = struct.Struct("<Q32s")  # the oldest period that counts, and its secret


class TicketSecret:
    """The secret of a whole service, in memory that its processes share.

    Args:
        descriptor: of that memory; a child inherits it.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def create(cls, moment: float | None = None) -> Self:
        """A new secret; a child inherits the descriptor only if the caller passes it on.

        Args:
            moment: seconds of the system's monotonic clock, which all processes share; None: now.
        """
        made = cls(os.memfd_create("tickets"))
        start = _period(time.monotonic() if moment is None else moment)
        os.pwrite(made.descriptor, _STATE.pack(start - KEPT, os.urandom(32)), 0)
        return made

    def keys(self, moment: float, identity: bytes) -> tuple[TicketKey, ...]:
        """The keys that are valid now, the one for new tickets first.

        Args:
            moment: as for `create`.
            identity: the owner of the tickets: tickets of another owner are refused.
        """
        with self._locked():
            oldest, secret = _STATE.unpack(os.pread(self.descriptor, _STATE.size, 0))
            wanted = _period(moment) - KEPT
            if wanted > oldest + KEPT:  # not called for hours: no old ticket counts
                oldest, secret = wanted, _digest(secret, b"jump")
                os.pwrite(self.descriptor, _STATE.pack(oldest, secret), 0)
            elif wanted > oldest:
                for _ in range(wanted - oldest):
                    secret = _digest(secret, b"next")
                oldest = wanted
                os.pwrite(self.descriptor, _STATE.pack(oldest, secret), 0)
        found = []
        for _ in range(KEPT + 1):
            found.append(_key(secret, identity))
            secret = _digest(secret, b"next")
        return tuple(reversed(found))

    def close(self) -> None:
        """Frees the memory."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.lockf(self.descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self.descriptor, fcntl.LOCK_UN)


def _period(moment: float) -> int:
    """The number of a period; even the first after a boot has predecessors."""
    return int(moment // PERIOD) + KEPT


def _digest(secret: bytes, word: bytes) -> bytes:
    return hmac.digest(secret, word, "sha256")


def _key(secret: bytes, identity: bytes) -> TicketKey:
    seed = _digest(secret, b"tickets of " + hashlib.sha256(identity).digest())
    return TicketKey(_digest(seed, b"name")[:16], _digest(seed, b"cipher"), _digest(seed, b"mac"))


class Tickets:
    """Makes contexts issue and accept a service's tickets.

    Args:
        secret: of the service.
        clock: the system's monotonic clock; for tests.

    Attributes:
        are_shared: whether all processes accept the tickets: False until `install` has worked.
            If Python's OpenSSL is out of reach, a ticket is valid in one process only.
    """

    def __init__(self, secret: TicketSecret, clock: Callable[[], float] = time.monotonic) -> None:
        self.are_shared = False
        self._identity = b""
        self._secret = secret
        self._clock = clock
        self._call = TicketCall(self._refresh)

    @property
    def identity(self) -> bytes:
        """See `TicketSecret.keys`; after it is changed, old tickets no longer count."""
        return self._identity

    @identity.setter
    def identity(self, identity: bytes) -> None:
        self._identity = identity
        self._call.refresh_at(0.0)

    def install(self, context: ssl.SSLContext) -> bool:
        """Makes a context use them; returns whether that is possible here."""
        pointer = openssl.context_pointer(context)
        self.are_shared = pointer is not None and self._call.install(pointer)
        return self.are_shared

    def _refresh(self) -> None:
        now = self._clock()
        self._call.set_keys(self._secret.keys(now, self._identity))
        if self._clock is time.monotonic:  # another clock is asked each time
            self._call.refresh_at((now // PERIOD + 1) * PERIOD)
