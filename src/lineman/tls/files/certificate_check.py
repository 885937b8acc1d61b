"""Checks that a certificate and its key can serve, before a port opens.

The error for a pair that cannot work names the file and the fault. OpenSSL would say `PEM lib`, or
would say nothing until the first client connects. Nothing here ever asks for a passphrase.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lineman.errors import ConfigError
from lineman.tls.files.certificate_info import CertificateInfo, called, names_of
from lineman.tls.files.pem import Contents, NoSuchFileError, PemBlock, PemFile, Role, read_pem

if TYPE_CHECKING:  # imported where it runs: it costs a process 11 MiB and 40 ms
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

_IN_ORDER = "put the server's certificate first, then the one that issued it, and so on"

_SMALLEST_RSA = 2048  # bits; what Mozilla's guideline asks and OpenSSL's level 2 enforces

# The curves that TLS names for signatures and clients have (RFC 8446, section 4.2.3).
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}

# PEM blocks that operators confuse with a certificate or a key, by label: their kind and the fix.
_OTHER_BLOCKS = {
    "CERTIFICATE REQUEST": (
        "a certificate signing request",
        "send it to the authority, and give the certificate that comes back",
    ),
    "NEW CERTIFICATE REQUEST": (
        "a certificate signing request",
        "send it to the authority, and give the certificate that comes back",
    ),
    "TRUSTED CERTIFICATE": (
        "a certificate in OpenSSL's own form",
        "openssl x509 -in {path} -out server.pem",
    ),
    "PKCS7": ("a PKCS #7 bundle", "openssl pkcs7 -print_certs -in {path} -out server.pem"),
    "PUBLIC KEY": ("a public key", "give the private key that belongs to it"),
    "OPENSSH PRIVATE KEY": ("a key of OpenSSH", "give the key that the certificate was made with"),
}


def check_pair(
    cert: str | Path, key: str | Path | None, passphrase: str | bytes | None, *, now: datetime
) -> CertificateInfo:
    """Return the certificate's data; if it returns, the pair can be loaded and served.

    Args:
        cert: PEM file, leaf first.
        key: PEM file; None: the key is in `cert`.
        passphrase: opens an encrypted key; ignored where the key is in the clear.
        now: the time the certificate has to be valid at; aware.

    Raises:
        ConfigError: the pair cannot work; the message names the file, what was seen and the fix.
    """
    return check_files(*read_pair(cert, key), passphrase, now=now)


def check_files(
    cert_file: PemFile, key_file: PemFile, passphrase: str | bytes | None, *, now: datetime
) -> CertificateInfo:
    """The same as `check_pair`, for files that were already read."""
    chain = parsed(cert_file, cert_file.certificates, "certificate")
    key_type = key_type_of(chain[0], cert_file)
    private = _private_key(key_file, passphrase)
    _refuse_foreign_key(chain, private, cert_file, key_file)
    _refuse_broken_key(chain[0], private, key_file)
    leaf = chain[0]
    info = CertificateInfo(
        subject=leaf.subject.rfc4514_string(),
        names=names_in(leaf),
        issuer=leaf.issuer.rfc4514_string(),
        serial=f"{leaf.serial_number:x}",
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        key_type=key_type,
        chain_length=len(chain),
        cert_path=cert_file.path,
        key_path=key_file.path,
    )
    info.refuse_dates(cert_file, now)
    return info


def read_pair(
    cert: str | Path, key: str | Path | None, contents: Contents | None = None
) -> tuple[PemFile, PemFile]:
    """Return both files, each with a block of its kind; the cheap half of `check_pair`.

    Args:
        cert, key: as for `check_pair`.
        contents: as for `read_pem`.

    Raises:
        ConfigError: a file cannot be read, or holds something else; swapped files are reported as
            such.
    """
    try:
        cert_file = read_pem(cert, "certificate", contents)
        key_file = cert_file if key is None else read_pem(key, "private key", contents)
    except NoSuchFileError as error:
        fix = f'{error.fix}; for development: tls="dev" in place of cert and key'
        raise ConfigError(error.seen, fix) from None
    if not cert_file.certificates:
        if cert_file.keys and key_file.certificates:
            raise ConfigError(
                f"the certificate and the key are swapped: {cert_file.shown} holds a private key, "
                f"{key_file.shown} a certificate",
                f"write cert={str(key_file.path)!r}, key={str(cert_file.path)!r}",
            )
        raise wrong_blocks(cert_file, "certificate")
    if not key_file.keys:
        if key is None:
            raise ConfigError(
                f"{cert_file.shown} holds a certificate but no private key, and no key is given",
                'write key="server.key" as well (local_pk in a context dictionary)',
            )
        raise wrong_blocks(key_file, "private key")
    _refuse_disorder(cert_file)
    return cert_file, key_file


def _refuse_disorder(file: PemFile) -> None:
    """Raise if a certificate's issuer is in the file, but not behind it (RFC 5246, 7.4.2).

    Only the key shows whether the first certificate is the right one, so two are in order here.
    """
    if len(file.certificates) < 3:
        return
    try:
        said = [names_of(block, file) for block in file.certificates]
    except ssl.SSLError:
        return  # the next reader of the file reports what is wrong
    subjects = [subject for subject, _ in said]
    for number, (subject, issuer) in enumerate(said, 1):
        if issuer != subject and issuer in subjects[number + 1 :] and issuer != subjects[number]:
            raise ConfigError(
                f"the certificates in {file.shown} are in the wrong order: number "
                f"{subjects.index(issuer) + 1} of {len(said)} ({issuer}) has issued number "
                f"{number} ({subject}), and must follow it",
                _IN_ORDER,
            )


def wrong_blocks(file: PemFile, role: Role) -> ConfigError:
    """Return the error for a file without a block of its role; it names what the file holds."""
    wanted = {"CA file": "certificate", "CRL file": "list of revoked certificates"}.get(role, role)
    seen = f"the {role} {file.shown} holds no {wanted} but "
    for block in file.blocks:
        if block.label in _OTHER_BLOCKS:
            what, fix = _OTHER_BLOCKS[block.label]
            return ConfigError(seen + what, fix.format(path=file.quoted))
    if file.keys:
        fix = "give the certificate that the authority sent for this key, and this file as key"
        if role != "certificate":
            fix = "give the authority's certificate, and keep its key away from here"
        return ConfigError(seen + "a private key", fix)
    if role == "CRL file":
        return ConfigError(f"{seen}{file.blocks[0].label}", "give the authority's CRL, as PEM")
    if file.certificates:
        return ConfigError(
            seen + "a certificate",
            "give the key that was made with the request for this certificate",
        )
    return ConfigError(f"{seen}{file.blocks[0].label}", f"give the {role} as PEM")


def parsed(file: PemFile, blocks: Sequence[PemBlock], role: Role) -> list[x509.Certificate]:
    """Return the blocks as certificates; `ConfigError` says which of them is damaged."""
    from cryptography import x509

    certs = []
    for number, block in enumerate(blocks, 1):
        try:
            certs.append(x509.load_der_x509_certificate(block.der))
        except ValueError:
            raise ConfigError(
                f"certificate {number} of {len(blocks)} (line {block.line}) in the {role} "
                f"{file.shown} is truncated or garbled",
                "copy the file again, as plain text and whole",
            ) from None
    return certs


def key_type_of(leaf: x509.Certificate, file: PemFile) -> str:
    """Return the name of the key's type; raise where no client could use it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    seen = f"the certificate {file.shown} has "
    fix = "ask for a new certificate with a key of: openssl ecparam -genkey -name prime256v1 -noout"
    try:
        key = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{seen}a key that cannot be used: {error}", fix) from None
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _SMALLEST_RSA:
            raise ConfigError(
                f"{seen}an RSA key of {key.key_size} bits; clients refuse less than "
                f"{_SMALLEST_RSA}",
                fix,
            )
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise ConfigError(f"{seen}a key on the curve {key.curve.name}, unknown to TLS", fix)
        return f"ECDSA {_CURVES[key.curve.name]}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448"
    raise ConfigError(f"{seen}a {type(key).__name__}, which cannot sign in TLS", fix)


def _private_key(file: PemFile, passphrase: str | bytes | None) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    block = file.keys[0]
    password = passphrase.encode() if isinstance(passphrase, str) else passphrase
    if block.is_encrypted and not password:
        raise missing_passphrase(file)
    try:
        # Its own check of an RSA key takes 35 ms at 2048 bits and 250 at 4096;
        # _refuse_broken_key finds what matters here by signing once.
        return load_pem_private_key(
            block.text,
            password if block.is_encrypted else None,
            unsafe_skip_rsa_key_validation=True,
        )
    except UnsupportedAlgorithm as error:
        raise ConfigError(
            f"the private key {file.shown} is of a kind that cannot be read: {error}",
            f"openssl pkey -in {file.quoted} -out server.key",
        ) from None
    except (ValueError, TypeError):
        if block.is_encrypted:
            raise ConfigError(
                f"the passphrase does not open the private key {file.shown}",
                f"try it by hand: openssl pkey -in {file.quoted} -noout",
            ) from None
        raise ConfigError(
            f"the private key {file.shown} (line {block.line}) is truncated or garbled",
            "copy the file again, as plain text and whole",
        ) from None


def missing_passphrase(file: PemFile) -> ConfigError:
    """Return the error for an encrypted key without a passphrase."""
    return ConfigError(
        f"the private key {file.shown} is encrypted, and no passphrase is given",
        f"write passphrase=..., or take it off: openssl pkey -in {file.quoted} -out server.key",
    )


def _refuse_foreign_key(
    chain: Sequence[x509.Certificate], private: PrivateKeyTypes, cert: PemFile, key: PemFile
) -> None:
    """Raise unless the first certificate holds the public half of the private key."""
    public = _public_bytes(private.public_key())
    if _public_bytes(chain[0].public_key()) == public:
        return
    for number, other in enumerate(chain[1:], 2):
        if _has_key(other, public):
            raise ConfigError(
                f"the certificates in {cert.shown} are in the wrong order: the one for the key "
                f"{key.shown} is number {number} of {len(chain)} "
                f"({_called(other)}), and it must be the first",
                _IN_ORDER,
            )
    raise ConfigError(
        f"the private key {key.shown} does not belong to the certificate {cert.shown} "
        f"({_called(chain[0])})",
        "give the key that this certificate was requested with; both of these print the same "
        f"where they match: openssl x509 -noout -pubkey -in {cert.quoted}; "
        f"openssl pkey -pubout -in {key.quoted}",
    )


def _refuse_broken_key(leaf: x509.Certificate, private: PrivateKeyTypes, key: PemFile) -> None:
    """Raise if an RSA key cannot sign although its public half is right (a damaged file)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    public = leaf.public_key()
    if not isinstance(private, rsa.RSAPrivateKey) or not isinstance(public, rsa.RSAPublicKey):
        return  # the others are derived from one number, and were compared with it
    try:
        signature = private.sign(b"lineman", padding.PKCS1v15(), hashes.SHA256())
        public.verify(signature, b"lineman", padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        raise ConfigError(
            f"the private key {key.shown} is damaged: what it signs does not verify",
            f"copy the file again; openssl pkey -check -noout -in {key.quoted}",
        ) from None


def _has_key(cert: x509.Certificate, public: bytes) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return _public_bytes(cert.public_key()) == public
    except (ValueError, UnsupportedAlgorithm):  # an authority may have a key of another kind
        return False


def _public_bytes(key: PublicKeyTypes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def names_in(cert: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names and IP addresses the certificate is for; empty where it has none."""
    from cryptography import x509

    try:
        found = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):  # OpenSSL serves a malformed extension, too
        return ()
    kinds = (x509.DNSName, x509.IPAddress)
    return tuple(str(name.value) for name in found if isinstance(name, kinds))


def _called(cert: x509.Certificate) -> str:
    """Return a certificate's name for messages."""
    return called(names_in(cert), cert.subject.rfc4514_string(), f"{cert.serial_number:x}")
