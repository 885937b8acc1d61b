"""A certificate authority for tests: real PEM files, made in milliseconds, trusted by nobody else.

It does not use `lineman.tls` on purpose: the checks there are tested with certificates that other
code has made.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KeyKind = Literal["ecdsa", "rsa"]
Purpose = Literal["server", "client"]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class IssuedPair:
    """A certificate and its key on disk: `cert` is the chain a server sends, leaf first."""

    cert: Path
    key: Path


class TestCA:
    """A test authority: `ca_path` is what clients trust, `issue` writes what servers load.

    The authority's own key stays in memory, so nothing can be signed with it afterwards.

    Args:
        directory: where all files go; made if missing.
        name: the authority's common name.
        filename: the stem of `ca_path`.
    """

    __test__ = False  # pytest: the name starts with Test, the class is a helper

    def __init__(
        self, directory: Path, *, name: str = "Lineman test CA", filename: str = "ca"
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _common_name(name)
        builder = _ca_builder(subject, key, path_length=None)
        cert = builder.issuer_name(subject).sign(key, hashes.SHA256())
        self._setup(directory, filename, key, cert, chain=b"")

    def _setup(
        self, directory: Path, filename: str, key: PrivateKey, cert: x509.Certificate, chain: bytes
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.ca_path = directory / f"{filename}.pem"
        self._key = key
        self._cert = cert
        self._chain = chain  # what stands after a leaf of this authority in its file
        self.ca_path.write_bytes(_pem(cert))

    def intermediate(self, *, name: str = "Lineman test intermediate") -> TestCA:
        """Return an authority below this one; its leaves carry it in their chain.

        Clients go on trusting the `ca_path` of the authority above; the intermediate's own
        `ca_path` (`intermediate.pem`) is what an incomplete chain lacks.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _ca_builder(_common_name(name), key, path_length=0)
        cert = self._sign(builder.issuer_name(self._cert.subject))
        below = TestCA.__new__(TestCA)
        below._setup(self.directory, "intermediate", key, cert, chain=_pem(cert) + self._chain)
        return below

    def issue(
        self,
        names: str | Sequence[str],
        *,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        key: KeyKind = "ecdsa",
        filename: str = "server",
        passphrase: bytes | None = None,
        purpose: Purpose = "server",
    ) -> IssuedPair:
        """Write `<filename>.pem` (chain) and `<filename>.key` (mode 0600) and return their paths.

        Args:
            names: DNS names and IP addresses, told apart by their form; one may be a plain string.
            not_before: default: a day ago.
            not_after: default: in 30 days.
            key: the kind of key; ECDSA is P-256 and fast, RSA is 2048 bit.
            filename: the stem of both files.
            passphrase: encrypts the key file; None leaves it in the clear.
            purpose: which extended key usage the certificate has.
        """
        now = datetime.now(UTC)
        wanted = [names] if isinstance(names, str) else list(names)
        private = _new_key(key)
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        if purpose == "client":
            usage = ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            x509.CertificateBuilder()
            .subject_name(_common_name(wanted[0][:64]))
            .issuer_name(self._cert.subject)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before or now - timedelta(days=1))
            .not_valid_after(not_after or now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(_general_names(wanted)), critical=False)
            .add_extension(_subject_key_id(private), critical=False)
        )
        return self._write(self._sign(builder), private, filename, passphrase)

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
            self._cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        )
        return builder.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())

    def _write(
        self, cert: x509.Certificate, key: PrivateKey, filename: str, passphrase: bytes | None
    ) -> IssuedPair:
        pair = IssuedPair(self.directory / f"{filename}.pem", self.directory / f"{filename}.key")
        pair.cert.write_bytes(_pem(cert) + self._chain)
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase is not None:
            encryption = serialization.BestAvailableEncryption(passphrase)
        data = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
        pair.key.unlink(missing_ok=True)
        descriptor = os.open(pair.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        return pair


def _new_key(kind: KeyKind) -> PrivateKey:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def _ca_builder(
    subject: x509.Name, key: PrivateKey, *, path_length: int | None
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=60))
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(key_cert_sign=True), critical=True)
        .add_extension(_subject_key_id(key), critical=False)
    )


def _key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _subject_key_id(key: PrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _pem(cert: x509.Certificate) -> bytes:
    return cert.public_bytes(serialization.Encoding.PEM)
