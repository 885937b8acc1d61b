"""Clients with certificates: what the program learns, and how the log reports refused clients."""

from __future__ import annotations

import hashlib
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from kit.recorder import Recorder
from kit.site import Serve, Site, echo
from kit.waiting import DEADLINE
from lineman.net.stream import tlsstream
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.client import RawClient


def der_of(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


def fingerprint_of(pair: IssuedPair) -> str:
    return hashlib.sha256(der_of(pair.cert)).hexdigest()


@pytest.fixture(scope="session")
def phone(authority: TestCA) -> IssuedPair:
    return authority.issue(["phone.test"], filename="phone", purpose="client")


@pytest.fixture(scope="session")
def tablet(authority: TestCA) -> IssuedPair:
    return authority.issue(["tablet.test"], filename="tablet", purpose="client")


def context(authority: TestCA, client: IssuedPair | None = None, **settings: Any) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=authority.ca_path)
    if client is not None:
        made.load_cert_chain(client.cert, client.key)
    for name, value in settings.items():
        setattr(made, name, value)
    return made


TLS_1_2 = {"maximum_version": ssl.TLSVersion.TLSv1_2}


def refused(site: Site, tls: ssl.SSLContext) -> None:
    """Expects a client not to get in; in TLS 1.3 it learns of it only after its own handshake."""
    with (
        pytest.raises((OSError, EOFError, AssertionError)),
        RawClient(site.worker.port, tls=tls) as client,
    ):
        client.handshake("/")


@pytest.mark.parametrize("settings", [{}, TLS_1_2], ids=["1.3", "1.2"])
def test_the_program_learns_who_the_client_is(
    serve: Serve, authority: TestCA, phone: IssuedPair, settings: dict[str, Any]
) -> None:
    seen = Recorder()
    site = serve(
        True, ca_file=authority.ca_path, verify_client="required", on_connect=lambda c: seen(c.tls)
    )
    tls = context(authority, phone, **settings)
    tls.set_alpn_protocols(["http/1.1"])
    with RawClient(site.worker.port, tls=tls) as client:
        client.open()
        (info,) = seen.wait()
        assert info.version == ("TLSv1.2" if settings else "TLSv1.3")
        assert client.tls is not None
        assert info.cipher == client.tls.tls.cipher()[0]  # type: ignore[index]
    assert info.group in ("x25519", "X25519MLKEM768")
    assert (info.server_name, info.alpn, info.is_resumed) == ("localhost", "http/1.1", False)
    assert info.peer_subject == "CN=phone.test"
    assert info.peer_names == ("phone.test",)
    assert info.peer_certificate == der_of(phone.cert)
    assert info.peer_fingerprint == fingerprint_of(phone)
    assert info.peer_chain == (der_of(phone.cert), der_of(authority.ca_path))


def test_without_a_certificate_there_is_none_and_without_tls_nothing(
    serve: Serve, authority: TestCA
) -> None:
    seen = Recorder()
    options = {"ca_file": authority.ca_path, "verify_client": "optional"}
    site = serve(True, **options, on_connect=lambda c: seen(c.tls))
    with RawClient(site.worker.port, tls=context(authority)) as client:
        client.open()
    plain = serve(False, on_connect=lambda c: seen(c.tls))
    with RawClient(plain.worker.port) as client:
        client.open()
    info, nothing = seen.wait(2)
    assert (info.peer_certificate, info.peer_subject, info.peer_fingerprint) == (None, None, None)
    assert (info.peer_names, info.peer_chain, info.alpn) == ((), (), None)
    assert nothing is None


def test_it_is_still_known_in_on_close(serve: Serve, authority: TestCA, phone: IssuedPair) -> None:
    seen = Recorder()
    site = serve(
        True,
        ca_file=authority.ca_path,
        verify_client="required",
        on_connect=lambda c: c.tls,
        on_close=lambda c: seen(c.tls.peer_subject),
    )
    with RawClient(site.worker.port, tls=context(authority, phone)) as client:
        client.open()
    assert seen.wait() == ["CN=phone.test"]


@pytest.mark.parametrize("settings", [{}, TLS_1_2], ids=["1.3", "1.2"])
def test_only_those_on_the_list_get_in_and_the_log_names_the_other(
    serve: Serve,
    authority: TestCA,
    phone: IssuedPair,
    tablet: IssuedPair,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, Any],
) -> None:
    heard = Recorder()
    site = serve(
        True,
        ca_file=authority.ca_path,
        verify_client="required",
        client_fingerprints=[fingerprint_of(phone)],
        on_message=echo,
        on_websocket_connect=heard,
    )
    with RawClient(site.worker.port, tls=context(authority, phone, **settings)) as client:
        client.open().send("in")
        assert client.receive() == "in"
    refused(site, context(authority, tablet, **settings))
    site.wait_until_empty()
    assert len(heard.calls) == 1
    who = fingerprint_of(tablet)
    assert f"TLS: the client has the certificate {who}, which is not on the list" in caplog.text


def test_optional_and_a_list_let_nobody_in_without_a_certificate(
    serve: Serve, authority: TestCA, phone: IssuedPair, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(
        True,
        ca_file=authority.ca_path,
        verify_client="optional",
        client_fingerprints=[fingerprint_of(phone)],
    )
    refused(site, context(authority))
    site.wait_until_empty()
    assert "the client has no certificate, which is not on the list" in caplog.text


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("none", "the client shows no certificate, and verify_client requires one"),
        ("stranger", "the client's certificate is refused: unable to get local issuer certificate; "
         "to let it in, put its authority into ca_file"),
        ("expired", "the client's certificate is refused: certificate has expired; the client "
         "needs a new one"),
        ("server's", "it is not made for clients (extended key usage clientAuth)"),
    ],
)  # fmt: skip
def test_a_client_that_is_refused_is_told_of_in_words(
    serve: Serve,
    authority: TestCA,
    certificate: IssuedPair,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    said: str,
) -> None:
    client = None
    if kind == "stranger":
        client = TestCA(tmp_path).intermediate().issue("x", purpose="client")
        client.cert.write_text(
            client.cert.read_text().split("-----END")[0] + "-----END CERTIFICATE-----\n"
        )
    if kind == "expired":
        late = datetime.now(UTC) - timedelta(hours=1)
        client = authority.issue("x", filename="late", purpose="client", not_after=late)
    if kind == "server's":
        client = certificate
    site = serve(True, ca_file=authority.ca_path, verify_client="required")
    refused(site, context(authority, client))
    site.wait_until_empty()
    assert said in caplog.text


def test_who_resumes_a_session_without_a_ticket_is_let_in_until_its_certificate_expires(
    serve: Serve,
    authority: TestCA,
    phone: IssuedPair,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = serve(True, ca_file=authority.ca_path, verify_client="required")
    tls = context(authority, phone, **TLS_1_2)
    tls.options |= ssl.OP_NO_TICKET  # OpenSSL's cache of sessions asks nobody

    def visit(session: ssl.SSLSession | None) -> ssl.SSLSession | None:
        plain = socket.create_connection(("127.0.0.1", site.worker.port), DEADLINE)
        with tls.wrap_socket(plain, server_hostname="localhost", session=session) as client:
            assert client.session_reused == (session is not None)
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(1) == b"H"
            return client.session

    session = visit(visit(None))
    later = SimpleNamespace(time=lambda: time.time() + 31 * 24 * 3600)
    monkeypatch.setattr(tlsstream, "time", later)
    with pytest.raises((OSError, AssertionError)):
        visit(session)
    site.wait_until_empty()
    assert "TLS: the client resumes a session, and its certificate has expired on" in caplog.text
