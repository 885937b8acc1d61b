"""Session tickets that every process of a service takes, under keys that move on with time.

A client that comes back is spared half of the handshake if the process that it meets can read the
ticket that another has given it (RFC 8446, section 2.2; RFC 5077). So all processes share one
secret, in memory that they inherit. Each period has a secret that is the digest of the last one,
and the last one is forgotten: who learns today's cannot read yesterday's tickets.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import hmac
import os
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from lineman import openssl

# Seconds for which one key makes tickets. OpenSSL's tickets live for two hours.
PERIOD = 3600.0
# Earlier keys that still open tickets.
KEPT = 2

_STATE = struct.Struct("<Q32s")  # the oldest period that counts, and its secret


@dataclass(frozen=True, slots=True)
class TicketKey:
    """What one period's tickets are made with: the name that they carry, and two keys."""

    name: bytes
    cipher: bytes
    mac: bytes


class TicketSecret:
    """The secret of a whole service, in memory that its processes share.

    Args:
        descriptor: of that memory; a child inherits it.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def create(cls, moment: float | None = None) -> Self:
        """A new secret; the descriptor is not inherited unless somebody says so.

        Args:
            moment: seconds of the system's monotonic clock, which all processes share; None: now.
        """
        made = cls(os.memfd_create("tickets"))
        start = _period(time.monotonic() if moment is None else moment)
        os.pwrite(made.descriptor, _STATE.pack(start - KEPT, os.urandom(32)), 0)
        return made

    def keys(self, moment: float, identity: bytes) -> tuple[TicketKey, ...]:
        """The keys that count now, the one for new tickets first.

        Args:
            moment: as for `create`.
            identity: of whom the tickets are: those of another are not taken.
        """
        with self._locked():
            oldest, secret = _STATE.unpack(os.pread(self.descriptor, _STATE.size, 0))
            wanted = _period(moment) - KEPT
            if wanted > oldest + KEPT:  # nobody was here for hours: no old ticket counts
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
        """Lets go of the memory."""
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
    """The number of a period; even the first after a boot has some before it."""
    return int(moment // PERIOD) + KEPT


def _digest(secret: bytes, word: bytes) -> bytes:
    return hmac.digest(secret, word, "sha256")


def _key(secret: bytes, identity: bytes) -> TicketKey:
    seed = _digest(secret, b"tickets of " + hashlib.sha256(identity).digest())
    return TicketKey(_digest(seed, b"name")[:16], _digest(seed, b"cipher"), _digest(seed, b"mac"))


class Tickets:
    """Has contexts make and take a service's tickets.

    Args:
        secret: of the service.
        clock: the system's monotonic clock; for tests.

    Attributes:
        identity: see `TicketSecret.keys`; may be set anew, and then old tickets no longer count.
        are_shared: whether that is possible here: False until `install` has worked. Python has no
            way to it; where its OpenSSL cannot be reached, tickets are good in one process only.
    """

    def __init__(self, secret: TicketSecret, clock: Callable[[], float] = time.monotonic) -> None:
        self.identity = b""
        self.are_shared = False
        self._secret = secret
        self._clock = clock
        self._read_until = 0.0
        self._read_for = b""
        self._keys: dict[bytes, _Native] = {}
        self._newest = b""
        # OpenSSL may call it for as long as any connection lives, so it is never let go of.
        self._callback = _CALLBACK(self._on_ticket)
        _NEVER_FREED.append(self._callback)

    def install(self, context: ssl.SSLContext) -> bool:
        """Has a context use them; whether that is possible here."""
        pointer = openssl.context_pointer(context)
        calls = _native_calls()
        if pointer is None or calls is None:
            return False
        self.are_shared = bool(calls.set_callback(pointer, self._callback))
        return self.are_shared

    def _refresh(self) -> None:
        now = self._clock()
        if now < self._read_until and self._read_for == self.identity:
            return
        keys = self._secret.keys(now, self.identity)
        self._keys = {key.name: _Native(key) for key in keys}
        self._newest = keys[0].name
        self._read_until = (now // PERIOD + 1) * PERIOD
        self._read_for = self.identity

    def _on_ticket(
        self, connection: int, name: int, iv: int, cipher: int, mac: int, makes: int
    ) -> int:
        """What OpenSSL calls for each ticket.

        Source: SSL_CTX_set_tlsext_ticket_key_evp_cb(3)

        Returns:
            1: go on; 2: go on, and give the client a new ticket; 0: no ticket; -1: give up.
        """
        calls = _native_calls()
        assert calls is not None
        self._refresh()
        if makes:
            key = self._keys[self._newest]
            ctypes.memmove(name, self._newest, 16)
            if not calls.random(iv, 16):
                return -1
            start = calls.encrypt
        else:
            named = ctypes.string_at(name, 16)
            found = self._keys.get(named)
            if found is None:
                return 0
            key = found
            start = calls.decrypt
        if not calls.set_mac(mac, key.params):
            return 0
        if not start(cipher, calls.aes, None, key.cipher, iv):
            return 0
        if makes:
            return 1
        # A client of TLS 1.3 uses each ticket once (RFC 8446, appendix C.4), so it needs another.
        is_spent = named != self._newest or calls.version(connection) >= _TLS_1_3
        return 2 if is_spent else 1


class _Parameter(ctypes.Structure):
    """OpenSSL's `OSSL_PARAM`."""

    _fields_ = (
        ("key", ctypes.c_char_p),
        ("data_type", ctypes.c_uint),
        ("data", ctypes.c_void_p),
        ("data_size", ctypes.c_size_t),
        ("return_size", ctypes.c_size_t),
    )


class _Native:
    """A key as OpenSSL takes it."""

    __slots__ = ("_kept", "cipher", "params")

    def __init__(self, key: TicketKey) -> None:
        mac = ctypes.create_string_buffer(key.mac, len(key.mac))
        digest = ctypes.create_string_buffer(b"SHA256")
        self._kept = (mac, digest)
        self.cipher = ctypes.create_string_buffer(key.cipher, len(key.cipher))
        self.params = (_Parameter * 3)(
            _Parameter(b"key", 5, ctypes.addressof(mac), len(key.mac), 0),  # an octet string
            _Parameter(b"digest", 4, ctypes.addressof(digest), 6, 0),  # text
            _Parameter(None, 0, None, 0, 0),
        )


_TLS_1_3 = 0x0304

_WORD = ctypes.c_void_p
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, _WORD, _WORD, _WORD, _WORD, _WORD, ctypes.c_int)
_NEVER_FREED: list[Any] = []


@dataclass(frozen=True, slots=True)
class _Calls:
    """Functions of OpenSSL; called without letting go of the interpreter, for they are short."""

    set_callback: Any
    version: Any
    random: Any
    set_mac: Any
    encrypt: Any
    decrypt: Any
    aes: int


_calls: list[_Calls | None] = []


def _native_calls() -> _Calls | None:
    """Looked up once; None where OpenSSL is out of reach, or older than 3.0."""
    if not _calls:
        _calls.append(_look_up())
    return _calls[0]


def _look_up() -> _Calls | None:
    if openssl.library() is None or ssl.OPENSSL_VERSION_INFO < (3,):
        return None

    def function(name: str, *arguments: Any, returns: Any = ctypes.c_int) -> Any:
        address = openssl.function_address(name) or 0
        return ctypes.PYFUNCTYPE(returns, *arguments)(address)

    try:
        start = (_WORD, _WORD, _WORD, _WORD, _WORD)
        names = (_WORD, ctypes.c_char_p, ctypes.c_char_p)
        return _Calls(
            function("SSL_CTX_set_tlsext_ticket_key_evp_cb", _WORD, _CALLBACK),
            function("SSL_version", _WORD),
            function("RAND_bytes", _WORD, ctypes.c_int),
            function("EVP_MAC_CTX_set_params", _WORD, _WORD),
            function("EVP_EncryptInit_ex", *start),
            function("EVP_DecryptInit_ex", *start),
            # Fetched once: through `EVP_aes_256_cbc()` each use would look it up again.
            function("EVP_CIPHER_fetch", *names, returns=_WORD)(None, b"AES-256-CBC", None),
        )
    except AttributeError:
        return None
