"""Loads a certificate and its key into a context: the same bytes that were read and checked."""

from __future__ import annotations

import contextlib
import ssl

from lineman.errors import ConfigError
from lineman.tls.files.certificate_check import missing_passphrase
from lineman.tls.files.certificate_info import CertificateInfo, describe
from lineman.tls.files.pem import PemFile, as_path

# OpenSSL's reasons against a pair that it could parse, in words.
_LOAD_FAILURES = {
    "EE_KEY_TOO_SMALL": "its key is too short for OpenSSL's security level",
    "CA_KEY_TOO_SMALL": "an authority in its chain has a key too short for the security level",
    "CA_MD_TOO_WEAK": "its chain is signed with a digest that is broken (SHA-1 or MD5)",
    "KEY_VALUES_MISMATCH": "the private key does not belong to it",
    "NO_CERTIFICATE_ASSIGNED": "the private key is of another kind than its own",
    "BAD_DECRYPT": "the passphrase does not open the private key",
}
# md5WithRSAEncryption, sha1WithRSAEncryption, ecdsa-with-SHA1, as DER (RFC 3279, section 2.2).
_BROKEN_SIGNATURES = tuple(
    bytes.fromhex(oid)
    for oid in ("06092a864886f70d010104", "06092a864886f70d010105", "06072a8648ce3d0401")
)


def load_pair(
    context: ssl.SSLContext, cert: PemFile, key: PemFile, passphrase: bytes
) -> CertificateInfo:
    """Load this pair into a context; return the certificate's content.

    Args:
        context: a new one; after a pair that does not match, it can no longer be used.
        cert, key: as `read_pair` returns them.
        passphrase: empty for none.

    Raises:
        ConfigError: OpenSSL does not accept them.
    """

    def given() -> bytes:
        # This function is always passed: without it OpenSSL would ask on the terminal and wait.
        if not passphrase:
            raise missing_passphrase(key)
        return passphrase

    try:
        with (
            as_path(*cert.certificates, fallback=cert.path) as cert_path,
            as_path(key.keys[0], fallback=key.path) as key_path,
        ):
            context.load_cert_chain(cert_path, key_path, given)
            said = describe(cert_path, cert, key)
    except ssl.SSLError as error:
        raise _load_failure(error.reason, cert, key) from None
    if context.security_level and said.issuer != said.subject and _is_signed_badly(cert):
        raise _load_failure("CA_MD_TOO_WEAK", cert, key)  # as OpenSSL 3.0 says, and 3.5 does not
    return said


def _is_signed_badly(cert: PemFile) -> bool:
    """Whether a certificate names a broken digest in both places: inside and outside its body."""
    leaf = cert.certificates[0].der
    return any(leaf.count(oid) > 1 for oid in _BROKEN_SIGNATURES)


def says(cert: PemFile, key: PemFile) -> CertificateInfo:
    """The content of a certificate, of which only the files were read.

    Raises:
        ConfigError: OpenSSL cannot read it.
    """
    try:
        with as_path(cert.certificates[0], fallback=cert.path) as path:
            return describe(path, cert, key)
    except ssl.SSLError as error:
        raise _load_failure(error.reason, cert, key) from None


def _load_failure(reason: str | None, cert: PemFile, key: PemFile) -> ConfigError:
    # OpenSSL 3 gives no reason for a wrong passphrase, nor for any file that it cannot parse.
    known = reason or ("BAD_DECRYPT" if key.keys[0].is_encrypted else "")
    said = _LOAD_FAILURES.get(known, opensslese(reason))
    files = cert.shown if key is cert else f"{cert.shown} with the private key {key.shown}"
    return ConfigError(
        f"cannot load the certificate {files}: {said}",
        "renew the certificate, or write both files anew as OpenSSL writes them: "
        f"openssl x509 -in {cert.quoted}; openssl pkey -in {key.quoted}",
    )


def opensslese(reason: str | None) -> str:
    """OpenSSL's reason in words; `PEM lib` means that it cannot parse the file."""
    return f"OpenSSL says {reason}" if reason else "OpenSSL cannot parse it"


def prove(context: ssl.SSLContext) -> None:
    """Make a handshake in memory with a context that has its certificate.

    Raises:
        ssl.SSLError: it cannot serve any client: the key's signatures do not verify.
    """
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for end in (client, server):
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    client.do_handshake()  # it has the server's whole answer, and is done
