"""Which clients a TLS context accepts by their certificates."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from lineman.testing.certificates import IssuedPair, TestCA
from lineman.tls.serving.server_context import server_context
from lineman.tls.serving.tls_options import TlsOptions
from tls.support import Handshake, refusal


@pytest.fixture
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue(["localhost", "127.0.0.1"])


# Client certificates.


def client_with(ca: TestCA, pair: IssuedPair | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca.ca_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # where a client learns of it in time
    if pair is not None:
        context.load_cert_chain(pair.cert, pair.key)
    return context


@pytest.mark.parametrize(
    ("verify", "without", "foreign"),
    [("none", True, True), ("optional", True, False), ("required", False, False)],
)
def test_clients_are_verified_as_asked(
    ca: TestCA, pair: IssuedPair, handshake: Handshake, verify: Any, without: bool, foreign: bool
) -> None:
    known = ca.issue("tom", filename="tom", purpose="client")
    stranger = TestCA(ca.directory / "b").issue("tom", filename="jerry", purpose="client")
    options = TlsOptions(cert=pair.cert, key=pair.key, ca_file=ca.ca_path, verify_client=verify)
    served = server_context(options).context
    handshake(served, client_with(ca, known))
    for is_let_in, shown in ((without, None), (foreign, stranger)):
        if is_let_in:
            handshake(served, client_with(ca, shown))
        else:
            with pytest.raises(ssl.SSLError):
                handshake(served, client_with(ca, shown))


def test_a_client_certificate_can_be_read_afterwards(
    ca: TestCA, pair: IssuedPair, handshake: Handshake
) -> None:
    known = ca.issue("tom", filename="tom", purpose="client")
    options = TlsOptions(cert=pair.cert, key=pair.key, ca_file=ca.ca_path, verify_client="required")
    server, _ = handshake(server_context(options).context, client_with(ca, known))
    found = server.getpeercert()
    assert found is not None
    assert found["subject"] == ((("commonName", "tom"),),)


def test_a_server_certificate_does_not_pass_as_a_clients(
    ca: TestCA, pair: IssuedPair, handshake: Handshake
) -> None:
    options = TlsOptions(cert=pair.cert, key=pair.key, ca_file=ca.ca_path, verify_client="required")
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        handshake(server_context(options).context, client_with(ca, pair))


def test_a_ca_file_completes_a_chain_that_lacks_its_intermediate(
    ca: TestCA, client_context: ssl.SSLContext, handshake: Handshake
) -> None:
    between = ca.intermediate()
    pair = between.issue("localhost")
    pair.cert.write_bytes(pair.cert.read_bytes().removesuffix(between.ca_path.read_bytes()))
    bare = server_context(TlsOptions(cert=pair.cert, key=pair.key)).context
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(bare, client_context)
    options = TlsOptions(
        cert=pair.cert, key=pair.key, ca_file=between.ca_path, verify_client="none"
    )
    handshake(server_context(options).context, client_context)


@pytest.mark.parametrize("check", [True, False])
def test_a_bad_ca_file_is_refused_by_its_name(ca: TestCA, pair: IssuedPair, check: bool) -> None:
    gone = ca.directory / "gone.pem"
    options = {"cert": pair.cert, "key": pair.key, "verify_client": "required"}
    assert f"there is no CA file {gone}" in refusal(check, ca_file=gone, **options)
    lines = ca.ca_path.read_text().splitlines()
    ca.ca_path.write_text("\n".join(lines[:3] + lines[4:]))
    assert f"CA file {ca.ca_path}" in refusal(check, ca_file=ca.ca_path, **options)
