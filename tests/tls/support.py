"""Files and handshakes for the tests of TLS."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lineman.errors import ConfigError
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.tls.serving.live_certificates import LiveTls
from lineman.tls.serving.server_context import server_context
from lineman.tls.serving.tls_options import TlsOptions


def revoke(ca: TestCA, *certificates: Path, next_update: timedelta = timedelta(days=1)) -> Path:
    """Write the authority's list of revoked certificates."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca._cert.subject)
        .last_update(now - timedelta(days=2))
        .next_update(now + next_update)
    )
    for path in certificates:
        serial = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
        builder = builder.add_revoked_certificate(revoked.build())
    crl = ca.directory / "crl.pem"
    signed = builder.sign(ca._key, hashes.SHA256())
    crl.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return crl


def damage_rsa_key(path: Path) -> None:
    """Make an RSA key whose signatures do not verify, although its public half matches."""
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    good = key.private_numbers()
    damaged = rsa.RSAPrivateNumbers(
        p=good.p,
        q=good.q,
        d=good.d ^ 6,
        dmp1=good.dmp1 ^ 2,
        dmq1=good.dmq1 ^ 2,
        iqmp=good.iqmp,
        public_numbers=good.public_numbers,
    )
    path.write_bytes(
        damaged.private_key(unsafe_skip_rsa_key_validation=True).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def refusal(check: bool = True, **options: Any) -> str:
    """The error with which these options are refused."""
    with pytest.raises(ConfigError) as caught:
        server_context(TlsOptions(**options), check=check)
    return str(caught.value)


def live(pair: IssuedPair, **options: Any) -> LiveTls:
    """A `LiveTls`, which follows its files."""
    return LiveTls(TlsOptions(cert=pair.cert, key=pair.key, **options))


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The errors in the log."""
    return [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]


class Handshake(Protocol):
    def __call__(
        self, server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost"
    ) -> tuple[ssl.SSLObject, ssl.SSLObject]: ...


def visit(
    tls: LiveTls, client: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[bool, ssl.SSLSession]:
    """Connect; return whether both sides resumed the session, and the session for next time."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = tls.context.wrap_bio(to_server, to_client, server_side=True)
    ours = client.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
    for end in (ours, server, ours, server, ours):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    server.write(b"x")
    assert ours.read(1) == b"x"  # the ticket of TLS 1.3 comes before the first byte
    assert server.session_reused == ours.session_reused
    assert ours.session is not None
    return bool(ours.session_reused), ours.session
