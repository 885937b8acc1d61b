"""Puts a certificate and its key into a context: the very bytes that were read and checked."""

from __future__ import annotations

import contextlib
import ssl

from lineman.errors import ConfigError
from lineman.tls.files.certificate_check import missing_passphrase
from lineman.tls.files.certificate_info import CertificateInfo, describe
from lineman.tls.files.pem import PemFile, as_path

# What OpenSSL says of a pair that was parsed all the same, in words.
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
    """Have a context serve with this pair; what the certificate says.

    Args:
        context: fresh: where a pair does not fit, nothing can be done with it any more.
        cert, key: as `read_pair` has them.
        passphrase: empty for none.

    Raises:
        ConfigError: OpenSSL does not take them.
    """

    def given() -> bytes:
        # Always given, since without it OpenSSL would ask on the terminal and wait.
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
    """Whether a broken digest is named where a certificate names it: inside and beside it."""
    leaf = cert.certificates[0].der
    return any(leaf.count(oid) > 1 for oid in _BROKEN_SIGNATURES)


def says(cert: PemFile, key: PemFile) -> CertificateInfo:
    """What a certificate says, of which only the files were read.

    Raises:
        ConfigError: OpenSSL cannot read it.
    """
    try:
        with as_path(cert.certificates[0], fallback=cert.path) as path:
            return describe(path, cert, key)
    except ssl.SSLError as error:
        raise _load_failure(error.reason, cert, key) from None


def _load_failure(reason: str | None, cert: PemFile, key: PemFile) -> ConfigError:
    # For a wrong passphrase, as for any file that it cannot parse, OpenSSL 3 gives no reason.
    known = reason or ("BAD_DECRYPT" if key.keys[0].is_encrypted else "")
    said = _LOAD_FAILURES.get(known, opensslese(reason))
    files = cert.shown if key is cert else f"{cert.shown} with the private key {key.shown}"
    return ConfigError(
        f"cannot load the certificate {files}: {said}",
        "renew the certificate, or write both files anew as OpenSSL writes them: "
        f"openssl x509 -in {cert.quoted}; openssl pkey -in {key.quoted}",
    )


def opensslese(reason: str | None) -> str:
    """OpenSSL's reason; `PEM lib`, which it reports for any file that it cannot parse, is none."""
    return f"OpenSSL says {reason}" if reason else "OpenSSL cannot parse it"


def prove(context: ssl.SSLContext) -> None:
    """Have a client in memory talk to a context that has been loaded.

    Raises:
        ssl.SSLError: it cannot serve anybody: its key signs what does not verify.
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
