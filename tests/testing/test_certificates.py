"""The certificates of the test authority: real files, which OpenSSL takes or refuses."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from lineman.testing.certificates import IssuedPair, TestCA


def handshake(pair: IssuedPair, ca: Path, name: str = "localhost") -> None:
    """Shakes hands in memory, as a client that trusts the authority."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pair.cert, pair.key)
    ways = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=ca).wrap_bio(*ways, server_hostname=name)
    server = serving.wrap_bio(*ways[::-1], server_side=True)
    for _ in range(3):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    client.do_handshake()


@pytest.mark.parametrize("key", ["ecdsa", "rsa"])
def test_a_client_that_trusts_the_authority_takes_each_name_and_no_other(
    tmp_path: Path, key: Any
) -> None:
    authority = TestCA(tmp_path)
    pair = authority.issue(["localhost", "127.0.0.1"], key=key)
    assert pair.key.stat().st_mode & 0o777 == 0o600
    for name in ("localhost", "127.0.0.1"):
        handshake(pair, authority.ca_path, name)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(pair, authority.ca_path, "other.example")
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        handshake(pair, TestCA(tmp_path / "other", name="Another").ca_path)


def test_a_certificate_out_of_date_is_refused(tmp_path: Path) -> None:
    authority = TestCA(tmp_path)
    pair = authority.issue("localhost", not_after=datetime.now(UTC) - timedelta(seconds=5))
    with pytest.raises(ssl.SSLCertVerificationError, match="has expired"):
        handshake(pair, authority.ca_path)


def test_a_leaf_of_an_authority_below_carries_that_one_in_its_chain(tmp_path: Path) -> None:
    authority = TestCA(tmp_path)
    below = authority.intermediate()
    pair = below.issue("localhost")
    handshake(pair, authority.ca_path)
    whole = pair.cert.read_bytes()
    assert whole.endswith(below.ca_path.read_bytes())
    pair.cert.write_bytes(whole.removesuffix(below.ca_path.read_bytes()))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(pair, authority.ca_path)


def test_a_key_may_be_encrypted_and_a_certificate_be_a_clients(tmp_path: Path) -> None:
    pair = TestCA(tmp_path).issue("anna", passphrase=b"geheim", purpose="client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(pair.cert, pair.key, password=b"geheim")
    with pytest.raises(ssl.SSLError):
        context.load_cert_chain(pair.cert, pair.key, password=b"wrong")
    leaf = x509.load_pem_x509_certificate(pair.cert.read_bytes())
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
