"""How an attempt ended, and the ways to a service."""

from __future__ import annotations

import ssl

import pytest

from lineman.doctor.facts import Outcome
from lineman.doctor.looks.probe import Way, outcome_of
from lineman.protocols.websocket.client.url import parse


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (tls_error("WRONG_VERSION_NUMBER"), Outcome.NOT_TLS),
        (tls_error("UNEXPECTED_EOF_WHILE_READING"), Outcome.CLOSED),
        (tls_error("TLSV1_UNRECOGNIZED_NAME"), Outcome.ALERT),
        (TimeoutError(), Outcome.TIMEOUT),
        (ConnectionRefusedError(), Outcome.REFUSED),
        (ConnectionResetError(), Outcome.CLOSED),
        (OSError(113, "No route to host"), Outcome.UNREACHABLE),
    ],
)
def test_an_error_is_an_outcome(error: OSError, outcome: Outcome) -> None:
    assert outcome_of(error)[0] is outcome


def test_another_way_differs_in_one_thing() -> None:
    way = Way(parse("wss://a.test/chat"), "192.0.2.1", 5.0)
    assert str(way.with_resource("/b").target) == "wss://a.test/b"
    plain = way.with_scheme("ws")
    assert (plain.target.scheme, plain.target.host, plain.target.port) == ("ws", "a.test", 443)
    assert (plain.ip, plain.timeout) == (way.ip, way.timeout)
