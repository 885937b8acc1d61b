"""What OpenSSL calls for each session ticket: in C where that is compiled, else through `ctypes`.

Through `ctypes` the call takes a tenth of a resumed handshake.

Source: SSL_CTX_set_tlsext_ticket_key_evp_cb(3), SSL_CTX_set_session_ticket_cb(3)
"""

from __future__ import annotations

import ctypes
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lineman.tls.openssl import access as openssl

try:
    import cython
except ImportError:
    from lineman.base import nocython as cython

# So many keys are known at a time.
KEYS = 3
NAME_SIZE, KEY_SIZE = 16, 32

_TLS_1_3 = 0x0304
# Of SSL_CTX_set_session_ticket_cb(3): a ticket's status, and what becomes of it.
_SUCCESS, _SUCCESS_RENEW = 5, 6
_IGNORE_RENEW, _USE, _USE_RENEW = 2, 3, 4

# OpenSSL may call them for as long as any connection lives, so they are never let go of.
_NEVER_FREED: list[Any] = []


@dataclass(frozen=True, slots=True)
class TicketKey:
    """What one period's tickets are made with.

    Attributes:
        name: 16 bytes that the tickets carry.
        cipher: the key of AES-256-CBC.
        mac: the key of HMAC-SHA-256, 32 bytes.
    """

    name: bytes
    cipher: bytes
    mac: bytes


class TicketCall:
    """Makes and takes the tickets of the contexts that it is installed in.

    Args:
        refresh: gives it the keys that count; called before a ticket, once `good_until` has come.

    Attributes:
        good_until: seconds of the system's monotonic clock; 0 for asking each time.
    """

    __slots__ = ("_callbacks", "_keys", "_newest", "_refresh", "good_until")

    def __init__(self, refresh: Callable[[], None]) -> None:
        self.good_until = 0.0
        self._refresh = refresh
        self._keys: dict[bytes, _Native] = {}
        self._newest = b""
        if cython.compiled:
            lineman_tickets_begin(
                cython.address(self._native), refresh, cython.address(self.good_until)
            )
        else:
            self._callbacks = (_TICKET_CALLBACK(self._on_ticket), _SESSION_CALLBACK(_on_session))
        _NEVER_FREED.append(self)

    def install(self, context: int) -> bool:
        """Has a context (`SSL_CTX *`) call this; whether that is possible here."""
        calls = _native_calls()
        if calls is None:
            return False
        if cython.compiled:
            _set_functions(calls)
            pointer = cython.cast(p_void, cython.cast(size_t, context))
            return bool(lineman_tickets_install(pointer, cython.address(self._native)))
        on_ticket, on_session = self._callbacks
        return bool(
            calls.set_ticket_callback(context, on_ticket)
            and calls.set_session_callback(context, None, on_session, None)
        )

    def set_keys(self, keys: Sequence[TicketKey]) -> None:
        """Says which keys count now, the one for new tickets first; at most `KEYS`."""
        if not cython.compiled:
            self._keys = {key.name: _Native(key) for key in keys}
            self._newest = keys[0].name
            return
        for number, key in enumerate(keys):
            assert number < KEYS
            assert (len(key.name), len(key.cipher), len(key.mac)) == (NAME_SIZE, KEY_SIZE, KEY_SIZE)
            lineman_tickets_set(
                cython.address(self._native),
                number,
                cython.cast(p_char, PyBytes_AS_STRING(key.name)),
                cython.cast(p_char, PyBytes_AS_STRING(key.cipher)),
                cython.cast(p_char, PyBytes_AS_STRING(key.mac)),
            )

    def _on_ticket(
        self, connection: int, name: int, iv: int, cipher: int, mac: int, makes: int
    ) -> int:
        """What OpenSSL calls; uncompiled only.

        Returns:
            1: go on; 2: go on, and give the client a new ticket; 0: no ticket; -1: give up.
        """
        calls = _native_calls()
        assert calls is not None
        if time.monotonic() >= self.good_until:
            self._refresh()
        if makes:
            key = self._keys[self._newest]
            ctypes.memmove(name, self._newest, NAME_SIZE)
            if not calls.random(iv, 16):
                return -1
            start = calls.encrypt
        else:
            named = ctypes.string_at(name, NAME_SIZE)
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


def _on_session(
    connection: int, session: int | None, name: int, size: int, status: int, unused: int | None
) -> int:
    """What OpenSSL calls when it has looked at a ticket; uncompiled only.

    Args:
        session: what the ticket stands for, where it could be opened.
        status: how that went.

    Returns:
        What becomes of it. A session whose certificate has expired since is not resumed: in the
        whole handshake its owner gets in with a new one, or is told why not.
    """
    calls = _native_calls()
    assert calls is not None
    if status < _SUCCESS:
        return _IGNORE_RENEW
    peer = calls.peer_of(session)
    if peer and calls.compare_time(calls.not_after(peer), None) <= 0:
        return _IGNORE_RENEW
    return _USE_RENEW if status == _SUCCESS_RENEW else _USE


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


_WORD = ctypes.c_void_p
_INT = ctypes.c_int
_TICKET_CALLBACK = ctypes.CFUNCTYPE(_INT, _WORD, _WORD, _WORD, _WORD, _WORD, _INT)
_SESSION_CALLBACK = ctypes.CFUNCTYPE(_INT, _WORD, _WORD, _WORD, ctypes.c_size_t, _INT, _WORD)


@dataclass(frozen=True, slots=True)
class _Calls:
    """Functions of OpenSSL; called without letting go of the interpreter, for they are short."""

    set_ticket_callback: Any
    set_session_callback: Any
    peer_of: Any
    not_after: Any
    compare_time: Any
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
            function("SSL_CTX_set_tlsext_ticket_key_evp_cb", _WORD, _TICKET_CALLBACK),
            function("SSL_CTX_set_session_ticket_cb", _WORD, _WORD, _SESSION_CALLBACK, _WORD),
            function("SSL_SESSION_get0_peer", _WORD, returns=_WORD),
            function("X509_get0_notAfter", _WORD, returns=_WORD),
            function("X509_cmp_time", _WORD, _WORD),
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


# What is called in C, in the order of the table in ticketcall.pxd.
_FUNCTIONS = (
    "SSL_CTX_set_tlsext_ticket_key_evp_cb",
    "SSL_version",
    "RAND_bytes",
    "EVP_MAC_CTX_set_params",
    "EVP_EncryptInit_ex",
    "EVP_DecryptInit_ex",
    "SSL_get_SSL_CTX",
    "SSL_CTX_set_ex_data",
    "SSL_CTX_get_ex_data",
    "CRYPTO_get_ex_new_index",
    "SSL_CTX_set_session_ticket_cb",
    "SSL_SESSION_get0_peer",
    "X509_get0_notAfter",
    "X509_cmp_time",
)


def _set_functions(calls: _Calls) -> None:
    """Compiled only: hands the functions to C, once for the process."""
    assert cython.compiled
    if not lineman_tickets_are_ready():
        aes = cython.cast(p_void, cython.cast(size_t, calls.aes))
        lineman_tickets_functions(PyBytes_AS_STRING(openssl.function_table(_FUNCTIONS)), aes)
