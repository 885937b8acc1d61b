"""The callbacks that OpenSSL calls for each session ticket, through `ctypes`.

This is the plain-Python way, which takes a tenth of a resumed handshake; compiled modules find the
same functions in `ticket_answers.h`, by `ticket_answers.pxd`.

Source: SSL_CTX_set_tlsext_ticket_key_evp_cb(3), SSL_CTX_set_session_ticket_cb(3)
"""

from __future__ import annotations

import ctypes
import functools
import struct
import time
from collections.abc import Callable
from typing import Any

# The functions that are called, in the order of the table in ticket_answers.h.
FUNCTIONS = (
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
    "EVP_CIPHER_fetch",
)

_NAME_SIZE = 16
_TLS_1_3 = 0x0304
# Values of SSL_CTX_set_session_ticket_cb(3): a ticket's status, and the answer to it.
_SUCCESS, _SUCCESS_RENEW = 5, 6
_IGNORE_RENEW, _USE, _USE_RENEW = 2, 3, 4

_WORD = ctypes.c_void_p
_INT = ctypes.c_int
_TICKET_CALLBACK = ctypes.CFUNCTYPE(_INT, _WORD, _WORD, _WORD, _WORD, _WORD, _INT)
_SESSION_CALLBACK = ctypes.CFUNCTYPE(_INT, _WORD, _WORD, _WORD, ctypes.c_size_t, _INT, _WORD)

# OpenSSL may call them while any connection lives, so they are never freed.
_NEVER_FREED: list[Any] = []


class TicketAnswers:
    """The data for those callbacks: the keys, and until when they are valid. In C a struct."""

    def __init__(self, refresh: Callable[[], None]) -> None:
        self.refresh = refresh
        self.good_until = 0.0
        self.keys: dict[bytes, _Native] = {}
        self.newest = b""
        self.calls: _Calls | None = None
        self.callbacks = (_TICKET_CALLBACK(self._on_ticket), _SESSION_CALLBACK(self._on_session))
        _NEVER_FREED.append(self)

    def _on_ticket(
        self, connection: int, name: int, iv: int, cipher: int, mac: int, makes: int
    ) -> int:
        """The callback that OpenSSL calls to make or open a ticket.

        Returns:
            1: continue; 2: continue, and send the client a new ticket; 0: no ticket; -1: fail.
        """
        calls = self.calls
        assert calls is not None
        if time.monotonic() >= self.good_until:
            self.refresh()
        if makes:
            key = self.keys[self.newest]
            ctypes.memmove(name, self.newest, _NAME_SIZE)
            if not calls.random(iv, 16):
                return -1
            start = calls.encrypt
        else:
            named = ctypes.string_at(name, _NAME_SIZE)
            found = self.keys.get(named)
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
        is_spent = named != self.newest or calls.version(connection) >= _TLS_1_3
        return 2 if is_spent else 1

    def _on_session(
        self,
        connection: int,
        session: int | None,
        name: int,
        size: int,
        status: int,
        unused: int | None,
    ) -> int:
        """The callback that OpenSSL calls after it has checked a ticket.

        Args:
            session: the session of the ticket, if it could be decrypted.
            status: the result of the decryption.

        Returns:
            Whether the ticket is used. A session whose certificate has expired since is not
            resumed: in the full handshake its owner is accepted with a new certificate, or gets the
            reason for the refusal.
        """
        calls = self.calls
        assert calls is not None
        if status < _SUCCESS:
            return _IGNORE_RENEW
        peer = calls.peer_of(session)
        if peer and calls.compare_time(calls.not_after(peer), None) <= 0:
            return _IGNORE_RENEW
        return _USE_RENEW if status == _SUCCESS_RENEW else _USE


def begin(refresh: Callable[[], None]) -> TicketAnswers:
    """Makes answers without keys; they are never freed.

    Args:
        refresh: sets the valid keys; called before a ticket, once the old keys are out of date.
    """
    return TicketAnswers(refresh)


def refresh_at(answers: TicketAnswers, seconds: float) -> None:
    """Sets until when the keys are valid, by the system's monotonic clock."""
    answers.good_until = seconds


def forget_keys(answers: TicketAnswers) -> None:
    """Removes all keys."""
    answers.keys = {}
    answers.newest = b""


def add_key(answers: TicketAnswers, name: bytes, cipher: bytes, mac: bytes) -> None:
    """Adds a valid key; the first is used for new tickets. See `ticket_callback.TicketKey`."""
    answers.keys[name] = _Native(cipher, mac)
    answers.newest = answers.newest or name


def install(answers: TicketAnswers, context: int, table: bytes) -> bool:
    """Makes a context (`SSL_CTX *`) call them; returns whether that is possible.

    Args:
        answers: the answers to use.
        context: its address.
        table: addresses of `FUNCTIONS`.
    """
    calls = answers.calls = _calls(table)
    on_ticket, on_session = answers.callbacks
    return bool(
        calls.set_ticket_callback(context, on_ticket)
        and calls.set_session_callback(context, None, on_session, None)
    )


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
    """A key in OpenSSL's form."""

    __slots__ = ("_kept", "cipher", "params")

    def __init__(self, cipher: bytes, key: bytes) -> None:
        mac = ctypes.create_string_buffer(key, len(key))
        digest = ctypes.create_string_buffer(b"SHA256")
        self._kept = (mac, digest)
        self.cipher = ctypes.create_string_buffer(cipher, len(cipher))
        self.params = (_Parameter * 3)(
            _Parameter(b"key", 5, ctypes.addressof(mac), len(key), 0),  # an octet string
            _Parameter(b"digest", 4, ctypes.addressof(digest), 6, 0),  # text
            _Parameter(None, 0, None, 0, 0),
        )


class _Calls:
    """Functions of OpenSSL; called without releasing the interpreter lock, for they are short."""

    def __init__(self, table: bytes) -> None:
        addresses = dict(zip(FUNCTIONS, struct.unpack(f"{len(FUNCTIONS)}P", table), strict=True))

        def function(name: str, *arguments: Any, returns: Any = ctypes.c_int) -> Any:
            return ctypes.PYFUNCTYPE(returns, *arguments)(addresses[name])

        start = (_WORD, _WORD, _WORD, _WORD, _WORD)
        names = (_WORD, ctypes.c_char_p, ctypes.c_char_p)
        self.set_ticket_callback = function(
            "SSL_CTX_set_tlsext_ticket_key_evp_cb", _WORD, _TICKET_CALLBACK
        )
        self.set_session_callback = function(
            "SSL_CTX_set_session_ticket_cb", _WORD, _WORD, _SESSION_CALLBACK, _WORD
        )
        self.peer_of = function("SSL_SESSION_get0_peer", _WORD, returns=_WORD)
        self.not_after = function("X509_get0_notAfter", _WORD, returns=_WORD)
        self.compare_time = function("X509_cmp_time", _WORD, _WORD)
        self.version = function("SSL_version", _WORD)
        self.random = function("RAND_bytes", _WORD, ctypes.c_int)
        self.set_mac = function("EVP_MAC_CTX_set_params", _WORD, _WORD)
        self.encrypt = function("EVP_EncryptInit_ex", *start)
        self.decrypt = function("EVP_DecryptInit_ex", *start)
        # Fetched once: through `EVP_aes_256_cbc()` each use would look it up again.
        fetch = function("EVP_CIPHER_fetch", *names, returns=_WORD)
        self.aes: int = fetch(None, b"AES-256-CBC", None)


_calls = functools.cache(_Calls)
