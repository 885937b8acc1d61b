"""Failures of a client, in words with a remedy."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from lineman.cli.websocket_client.failures import (
    close_words,
    closed_by_server,
    ended_early,
    of_error,
    timed_out,
)
from lineman.protocols.http.http_messages import Headers
from lineman.protocols.websocket.client.client_handshake import HandshakeRefusedError
from lineman.protocols.websocket.client.server_answer import Answer, NotHttpError
from lineman.protocols.websocket.client.url import parse

PLAIN = parse("ws://example.com:8282/chat")
SECURE = parse("wss://example.com/chat")


def refused(status: int, text: str = "", **headers: str) -> HandshakeRefusedError:
    return HandshakeRefusedError(Answer(status, Headers(list(headers.items())), text))


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "kind", "fix"),
    [
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "x"),
            "connection refused",
            "start the service",
        ),
        (
            ConnectionResetError(errno.ECONNRESET, "x"),
            "closed the connection during the handshake",
            "use wss://",
        ),
        (OSError(errno.ENETUNREACH, "x"), "host not reachable", "network"),
        (OSError(errno.EMFILE, "x"), "out of file descriptors", "ulimit -n"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "out of local ports", "ip_local_port_range"),
        (OSError(errno.EACCES, "x"), "permission denied", "log"),
        (TimeoutError(errno.ETIMEDOUT, "x"), "timeout while opening", "--timeout"),
        (socket.gaierror(-2, "Name or service not known"), "unknown host", "getent hosts"),
        (refused(401), "HTTP 401", "Authorization"),
        (refused(403), "HTTP 403", "--origin"),
        (refused(404), "HTTP 404", "ws://host/path"),
        (refused(426), "HTTP 426", "Upgrade header"),
        (refused(502), "HTTP 502", "proxy"),
        (refused(500), "HTTP 500", "service's log"),
        (refused(418), "HTTP 418", "check the address"),
        (refused(301, Location="https://example.com/"), "HTTP 301", "https://example.com/"),
        (
            refused(400, "use wss:// instead"),
            "the server demands TLS",
            "wss://example.com:8282/chat",
        ),
        (NotHttpError(b"\x15\x03\x03"), "the server demands TLS", "wss://example.com:8282/chat"),
        (NotHttpError(b"SSH-2.0"), "the answer is not HTTP", "check the port"),
        (NotHttpError(b"HTTP/1.1 101 x"), "HTTP that cannot be read", "what answers there"),
        (
            HandshakeRefusedError(Answer(101, Headers([])), "its 101 is odd"),
            "no valid websocket handshake",
            "RFC 6455",
        ),
    ],
)
def test_each_failure_has_a_kind_and_a_remedy(error: Exception, kind: str, fix: str) -> None:
    failure = of_error(error, PLAIN)
    assert failure.kind == kind
    assert fix in failure.fix


def test_what_a_service_says_in_its_refusal_is_quoted_on_one_line() -> None:
    failure = of_error(refused(403, "members\nonly\x1b[31m"), PLAIN)
    assert failure.seen.endswith("HTTP 403 (members only [31m)")


def test_a_long_refusal_is_cut_and_a_page_left_out() -> None:
    assert len(of_error(refused(403, "x" * 1000), PLAIN).seen) < 300
    assert of_error(refused(403, "<html>no</html>"), PLAIN).seen.endswith("HTTP 403")


def test_a_certificate_that_is_not_trusted_names_both_ways_out() -> None:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_message = "self-signed certificate"
    failure = of_error(error, SECURE)
    assert failure.seen == (
        "the certificate of example.com is not trusted: self-signed certificate"
    )
    assert "--ca" in failure.fix
    assert "--insecure" in failure.fix


@pytest.mark.parametrize("reason", ["WRONG_VERSION_NUMBER", "HTTP_REQUEST"])
def test_a_server_without_tls_is_named(reason: str) -> None:
    failure = of_error(tls_error(reason), SECURE)
    assert failure.kind == "the server speaks no TLS"
    assert failure.fix == "use ws://example.com:443/chat"


def test_other_faults_of_tls_keep_openssls_words() -> None:
    failure = of_error(tls_error("NO_SHARED_CIPHER"), SECURE)
    assert failure.kind == "TLS: no shared cipher"
    assert "openssl s_client" in failure.fix


def test_a_server_that_hangs_up_during_tls_may_want_the_other_scheme() -> None:
    failure = of_error(tls_error("UNEXPECTED_EOF_WHILE_READING"), SECURE)
    assert failure == ended_early(SECURE)
    assert "ws://example.com:443/chat" in failure.fix


def test_a_deadline_of_our_own_is_named_in_seconds() -> None:
    assert "within 2.5 s" in timed_out(PLAIN, 2.5).seen


def test_close_codes_are_shown_with_their_meaning_once() -> None:
    assert close_words(1011) == "1011 internal error"
    assert close_words(4001) == "4001"
    assert closed_by_server(1011, "oops").seen == "closed by the server: 1011 internal error (oops)"
    assert closed_by_server(4001, "").seen == "closed by the server: 4001"
