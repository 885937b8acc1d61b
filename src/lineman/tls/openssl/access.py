"""The OpenSSL below Python's `ssl`, if it can be reached.

`ssl` has no way to set read-ahead or the keys of session tickets, and each read and write through
it makes objects and releases the interpreter lock twice. Its objects contain a pointer:
the first word of an `SSLContext` is its `SSL_CTX *`, the second of a `_SSLSocket` its `SSL *`
(`Modules/_ssl.c`, the same in Python 3.7 to 3.14). Python does not promise that, so it is checked
with a temporary context first; if the check fails, everything here is None.

`LINEMAN_OPENSSL=no` in the environment makes everything here None.
"""

from __future__ import annotations

import _ssl
import ctypes
import functools
import os
import ssl
import struct
from collections.abc import Sequence

_WORD = ctypes.sizeof(ctypes.c_void_p)
_GET_NEGOTIATED_GROUP = 134  # openssl/ssl.h: SSL_CTRL_GET_NEGOTIATED_GROUP
_CLEAR_MODE = 78  # SSL_CTRL_CLEAR_MODE
_AUTO_RETRY = 4  # SSL_MODE_AUTO_RETRY

# Flags for the check, which OpenSSL stores and does not use before there is a connection.
_MARKS = (ssl.OP_NO_TICKET, ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION)


@functools.cache
def library() -> ctypes.CDLL | None:
    """The functions of the libssl and libcrypto in use; None where they cannot be reached.

    They are looked up through the module `_ssl`, so that they are never those of another OpenSSL
    that a package contains. Give each its `argtypes` and `restype` before calling it.
    """
    if os.environ.get("LINEMAN_OPENSSL") == "no":
        return None
    path = getattr(_ssl, "__file__", None)
    if path is None:  # built into the interpreter
        return None
    try:
        found = ctypes.CDLL(path)
        _declare(found)
        fits = found.OpenSSL_version(0) == ssl.OPENSSL_VERSION.encode() and _has_layout(found)
    except (OSError, AttributeError):  # linked into `_ssl`, its names hidden
        return None
    return found if fits else None


def context_pointer(context: ssl.SSLContext) -> int | None:
    """The `SSL_CTX *` of a context, valid while the context lives; None if out of reach."""
    return None if library() is None else _word(context, 0)


def connection_pointer(connection: object) -> int | None:
    """The `SSL *` of a `_ssl._SSLSocket`, valid while it lives; None if out of reach."""
    return None if library() is None else _word(connection, 1)


def group_name(connection: object) -> str | None:
    """The group of a connection's key exchange, such as `X25519MLKEM768` or `x25519`.

    Args:
        connection: a `_ssl._SSLSocket` after its handshake.

    Returns:
        None if it is unknown: OpenSSL is out of reach or older than 3.0, or the key exchange has
        no group.
    """
    if hasattr(connection, "group"):  # Python 3.15
        name: str | None = connection.group()
        return name
    found = library()
    pointer = connection_pointer(connection)
    if found is None or not pointer or not hasattr(found, "SSL_group_to_name"):
        return None
    group = found.SSL_ctrl(pointer, _GET_NEGOTIATED_GROUP, 0, None)
    told: bytes | None = found.SSL_group_to_name(pointer, group) if group > 0 else None
    return None if told is None else told.decode("ascii", "replace")


def end_reads_between_records(connection: object) -> None:
    """Makes a read return after a record without payload, if OpenSSL is in reach.

    Otherwise a read continues while a peer sends such records (`SSL_MODE_AUTO_RETRY`, which `ssl`
    sets).

    Args:
        connection: a `_ssl._SSLSocket`.
    """
    found = library()
    if found is not None:
        found.SSL_ctrl(connection_pointer(connection), _CLEAR_MODE, _AUTO_RETRY, None)


def end_writes(connection: object) -> bool:
    """Sends close_notify and reads nothing, so that the peer may go on; False if out of reach.

    `ssl`'s own way also waits for the peer's, and fails at the next record of a peer that goes on.

    Args:
        connection: a `_ssl._SSLSocket`.
    """
    found = library()
    if found is None:
        return False
    if found.SSL_shutdown(connection_pointer(connection)) < 0:
        found.ERR_clear_error()
    return True


def last_failure(number: int) -> OSError:
    """The error that `ssl` would raise for the call of the library that has just failed.

    It comes from the library's own list of errors, which is cleared. If that is empty, it is the
    system's error, or the end of TCP in the middle of TLS.

    Args:
        number: `errno` right after the call.
    """
    found = library()
    assert found is not None  # otherwise no call could have failed
    code = found.ERR_peek_last_error()
    words = (found.ERR_reason_error_string(code) or b"").decode()
    found.ERR_clear_error()
    if not code:
        if number:
            return OSError(number, os.strerror(number))
        return ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "EOF occurred in violation of protocol")
    return failure(words.replace(" ", "_").upper())


def failure(reason: str) -> ssl.SSLError:
    """The error that `ssl` would raise for one of the library's reasons.

    Args:
        reason: in capitals and underscores.
    """
    words = reason.replace("_", " ").lower()
    is_end = reason == "UNEXPECTED_EOF_WHILE_READING"
    kind = ssl.SSLEOFError if is_end else ssl.SSLError
    error = kind(ssl.SSL_ERROR_EOF if is_end else ssl.SSL_ERROR_SSL, f"[SSL: {reason}] {words}")
    error.library = "SSL"
    error.reason = reason
    return error


def function_address(name: str) -> int | None:
    """The address of a function of the library, for C; None if out of reach."""
    found = library()
    return None if found is None else ctypes.cast(getattr(found, name), ctypes.c_void_p).value


def function_table(names: Sequence[str]) -> bytes:
    """The addresses of functions of the library, as an array of C pointers; it must be in reach.

    Raises:
        AttributeError: the library has no function of a name.
    """
    return struct.pack(f"{len(names)}P", *(function_address(name) or 0 for name in names))


def _word(thing: object, number: int) -> int | None:
    """One machine word after an object's head."""
    address = id(thing) + object.__basicsize__ + number * _WORD
    return ctypes.c_void_p.from_address(address).value


def _declare(found: ctypes.CDLL) -> None:
    found.OpenSSL_version.argtypes = [ctypes.c_int]
    found.OpenSSL_version.restype = ctypes.c_char_p
    found.SSL_CTX_get_options.argtypes = [ctypes.c_void_p]
    is_wide = ssl.OPENSSL_VERSION_INFO >= (3,)
    found.SSL_CTX_get_options.restype = ctypes.c_uint64 if is_wide else ctypes.c_ulong
    found.ERR_peek_last_error.argtypes = []
    found.ERR_peek_last_error.restype = ctypes.c_ulong
    found.ERR_reason_error_string.argtypes = [ctypes.c_ulong]
    found.ERR_reason_error_string.restype = ctypes.c_char_p
    found.ERR_clear_error.argtypes = []
    found.ERR_clear_error.restype = None
    found.SSL_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
    found.SSL_ctrl.restype = ctypes.c_long
    found.SSL_shutdown.argtypes = [ctypes.c_void_p]
    found.SSL_shutdown.restype = ctypes.c_int
    if hasattr(found, "SSL_group_to_name"):  # since OpenSSL 3.0
        found.SSL_group_to_name.argtypes = [ctypes.c_void_p, ctypes.c_int]
        found.SSL_group_to_name.restype = ctypes.c_char_p
    found.SSL_get_SSL_CTX.argtypes = [ctypes.c_void_p]
    found.SSL_get_SSL_CTX.restype = ctypes.c_void_p


def _has_layout(found: ctypes.CDLL) -> bool:
    """Whether the objects of this Python hold their pointers at the expected places."""
    for mark in _MARKS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.options |= mark
        pointer = _word(context, 0)
        if not _is_readable(pointer) or found.SSL_CTX_get_options(pointer) != context.options:
            return False
        connection = context._wrap_bio(  # type: ignore[attr-defined]
            ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True
        )
        inner = _word(connection, 1)
        if not _is_readable(inner) or found.SSL_get_SSL_CTX(inner) != pointer:
            return False
    return True


def _is_readable(pointer: int | None) -> bool:
    """Whether a pointer leads to memory; the kernel refuses to write from an invalid address."""
    if not pointer or pointer % _WORD:
        return False
    reader, writer = os.pipe()
    try:
        os.write(writer, (ctypes.c_char * _WORD).from_address(pointer))
    except OSError:
        return False
    finally:
        os.close(reader)
        os.close(writer)
    return True
