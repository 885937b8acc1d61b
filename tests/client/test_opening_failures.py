"""Each way in which a connection fails to open has its own words and a remedy."""

from __future__ import annotations

import errno
import ssl
from typing import Any

import pytest

from lineman import ClientOptions, ConnectError, UsageError
from lineman.client.client_options import plan
from lineman.client.opening_failures import failure


def told(error: Exception, url: str = "wss://example.com/") -> Any:
    return failure(error, plan(url, ClientOptions(timeout=3)))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "did not open a websocket within 3 s; fix: see whether"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "is not reached: no route to host"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "nothing listens on example.com, port"),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "connection timed out"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] x"), "TLS with example.com, port 443 failed"),
        (ssl.SSLEOFError(8, "EOF"), "ended the connection during the TLS handshake"),
    ],
)
def test_a_failure_is_told_with_its_place_and_remedy(error: Exception, words: str) -> None:
    found = told(error)
    assert isinstance(found, ConnectError)
    assert words in str(found)
    assert found.fix
    assert found.status == 0


def test_an_error_of_the_program_stays_what_it_is() -> None:
    error = UsageError("x")
    assert told(error) is error
    other = ZeroDivisionError()
    assert told(other) is other
