"""The pointers below Python's `ssl`, and the behaviour without them."""

from __future__ import annotations

import ctypes
import errno
import ssl
from collections.abc import Iterator

import pytest

from lineman.tls.openssl import access as openssl


@pytest.fixture(autouse=True)
def _looked_for_anew() -> Iterator[None]:
    openssl.library.cache_clear()
    yield
    openssl.library.cache_clear()


def server_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def is_out_of_reach() -> bool:
    context = server_context()
    return (
        openssl.library() is None
        and openssl.context_pointer(context) is None
        and openssl.function_address("SSL_read") is None
    )


def test_a_setting_made_through_the_pointer_is_seen_by_python() -> None:
    library = openssl.library()
    assert library is not None, "a Python whose OpenSSL is out of reach: say so in the design"
    context = server_context()
    library.SSL_CTX_set_options.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
    library.SSL_CTX_set_options.restype = ctypes.c_uint64
    before = context.options
    assert not before & ssl.OP_NO_TICKET
    library.SSL_CTX_set_options(openssl.context_pointer(context), int(ssl.OP_NO_TICKET))
    assert context.options == before | ssl.OP_NO_TICKET


def test_a_function_is_found_by_its_name() -> None:
    address = openssl.function_address("OpenSSL_version")
    assert address is not None
    version = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_int)(address)
    assert version(0) == ssl.OPENSSL_VERSION.encode()


def test_the_environment_can_forbid_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEMAN_OPENSSL", "no")
    assert is_out_of_reach()


def test_an_openssl_built_into_python_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("_ssl.__file__")
    assert is_out_of_reach()


def test_an_openssl_with_hidden_names_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("_ssl.__file__", "libc.so.6")
    assert is_out_of_reach()


def test_another_release_than_the_one_in_use_is_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ssl.OPENSSL_VERSION", "OpenSSL 9.9.9 1 Jan 2099")
    assert is_out_of_reach()


@pytest.mark.parametrize("number", [-1, 1, 2, 3, 4])
def test_objects_of_another_layout_are_out_of_reach(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real = openssl._word
    monkeypatch.setattr(openssl, "_word", lambda thing, at: real(thing, at + number))
    assert is_out_of_reach()


def test_a_word_that_is_no_pointer_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    for word in (None, 0, 8, 0x4141414141414148, 12345):
        monkeypatch.setattr(openssl, "_word", lambda thing, at, word=word: word)
        openssl.library.cache_clear()
        assert is_out_of_reach()


# Errors as `ssl` raises them.


def fail(library: ctypes.CDLL, reason: int) -> None:
    """Puts a reason into the library's list, as a function of libssl that fails does."""
    library.ERR_new()
    library.ERR_set_error.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p]
    library.ERR_set_error.restype = None
    library.ERR_set_error(20, reason, None)  # ERR_LIB_SSL


@pytest.mark.parametrize(
    ("number", "kind", "reason"),
    [
        (294, ssl.SSLEOFError, "UNEXPECTED_EOF_WHILE_READING"),
        (1048, ssl.SSLError, "TLSV1_ALERT_UNKNOWN_CA"),
        (281, ssl.SSLError, "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
    ],
)
def test_a_failure_has_the_class_and_the_reason_that_ssl_gives_it(
    number: int, kind: type[ssl.SSLError], reason: str
) -> None:
    library = openssl.library()
    assert library is not None
    fail(library, number)
    error = openssl.last_failure(errno.ECONNRESET)
    assert type(error) is kind
    assert isinstance(error, ssl.SSLError)
    assert (error.library, error.reason) == ("SSL", reason)
    assert str(error).startswith(f"[SSL: {reason}] ")
    assert type(openssl.last_failure(0)) is ssl.SSLEOFError, "the list is empty now"


def test_a_failure_without_a_reason_is_the_systems() -> None:
    assert isinstance(openssl.last_failure(errno.ECONNRESET), ConnectionResetError)
    assert isinstance(openssl.last_failure(errno.EPIPE), BrokenPipeError)


def test_a_failure_without_any_error_is_the_end_of_tcp() -> None:
    assert isinstance(openssl.last_failure(0), ssl.SSLEOFError)
