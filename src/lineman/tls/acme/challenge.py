"""The proofs that an authority is shown. Pure except for random numbers.

Source: RFC 8555, section 8; RFC 8737; RFC 8738 for addresses
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lineman.tls.acme.acme_options import as_address

if TYPE_CHECKING:  # imported where it runs: it costs a process 11 MiB and 40 ms
    from cryptography import x509

_ACME_IDENTIFIER = "1.3.6.1.5.5.7.1.31"  # id-pe-acmeIdentifier
_OCTET_STRING = b"\x04"  # its tag in DER


def key_authorization(token: str, thumbprint: str) -> str:
    """The key authorization: it binds a challenge to the account's key (RFC 8555, section 8.1)."""
    return f"{token}.{thumbprint}"


def general_name(domain: str) -> x509.GeneralName:
    """A name or an address in the form of certificates and certificate requests."""
    from cryptography import x509

    address = as_address(domain)
    return x509.DNSName(domain) if address is None else x509.IPAddress(address)


def asked_as(domain: str) -> str:
    """The server name with which an authority asks for the proof of a name or an address.

    Source: RFC 8738, section 6
    """
    address = as_address(domain)
    return domain if address is None else address.reverse_pointer


def alpn_certificate(name: str, digest: bytes) -> bytes:
    """The certificate, and its key, that answer tls-alpn-01 for a name; PEM.

    Args:
        name: the only name in the certificate; it may be an address.
        digest: SHA-256 of the key authorization.

    Source: RFC 8737, section 3
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    from lineman.tls.development.issuing import new_key

    key = new_key()
    nobody = x509.Name([])
    now = datetime.now(UTC)
    identifier = x509.UnrecognizedExtension(
        x509.ObjectIdentifier(_ACME_IDENTIFIER), _OCTET_STRING + bytes([len(digest)]) + digest
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(nobody)
        .issuer_name(nobody)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        # Critical, since its subject is empty (RFC 5280, section 4.2.1.6).
        .add_extension(x509.SubjectAlternativeName([general_name(name)]), critical=True)
        .add_extension(identifier, critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
