"""Makes the `ssl.SSLContext` that a worker serves with, from options that were checked first."""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

from lineman.errors import ConfigError
from lineman.tls.certificates import (
    CertificateInfo,
    check_ca_file,
    check_pair,
    missing_passphrase,
    read_ca_file,
    read_pair,
)
from lineman.tls.inherited import where
from lineman.tls.options import TlsOptions
from lineman.tls.pem import PemFile

# Source: Mozilla's guideline 6.0, "intermediate", https://ssl-config.mozilla.org/guidelines/
# For TLS 1.2; OpenSSL's own three suites of TLS 1.3 are the ones the guideline lists.
INTERMEDIATE_CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)

# Session tickets sent after a TLS 1.3 handshake. Measured: each costs 20 us of CPU and 255 bytes
# on the wire, none costs memory that stays. A websocket client opens one connection and needs one
# ticket to come back; OpenSSL's default of two is for browsers that open several at once.
_TICKETS = 1

_VERIFY_MODES = {
    None: ssl.CERT_NONE,
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}

# What OpenSSL says of a pair that was parsed all the same, in words.
_LOAD_FAILURES = {
    "EE_KEY_TOO_SMALL": "its key is too short for OpenSSL's security level",
    "CA_KEY_TOO_SMALL": "an authority in its chain has a key too short for the security level",
    "CA_MD_TOO_WEAK": "its chain is signed with a digest that is broken (SHA-1 or MD5)",
    "KEY_VALUES_MISMATCH": "the private key does not belong to it",
    "NO_CERTIFICATE_ASSIGNED": "the private key is of another kind than its own",
    "BAD_DECRYPT": "the passphrase does not open the private key",
}

# What a server without a usable certificate says of a client that offers everything there is; the
# last where it is for TLS 1.3 only, which OpenSSL does not count as spoken without a certificate.
_NO_CERTIFICATE = frozenset(
    {"NO_SHARED_CIPHER", "NO_SUITABLE_SIGNATURE_ALGORITHM", "UNSUPPORTED_PROTOCOL"}
)


@dataclass(frozen=True, slots=True)
class ServerTls:
    """A context ready to serve, and what its certificate says.

    `certificate` is None where the context was given, or its files were not checked.
    """

    context: ssl.SSLContext
    certificate: CertificateInfo | None


def server_context(
    options: TlsOptions, *, now: datetime | None = None, check: bool = True
) -> ServerTls:
    """Return a context for TLS 1.2 and 1.3 that was seen to fit its certificate and key.

    A peer that ends TCP without TLS's own goodbye is told apart, so that a message cut off by an
    attacker never looks complete: reading raises `ssl.SSLEOFError`, in older
    releases (seen: 3.11.2) `ssl.SSLError` with the reason `UNEXPECTED_EOF_WHILE_READING`.

    Args:
        options: what the operator asked for; an `ssl_context` in it is used as it is.
        now: the time the certificate must be valid at, aware; None: now.
        check: False leaves out what needs `cryptography` (11 MiB, 40 ms): for a process whose
            parent has checked the same files. Files that cannot be loaded are refused either way,
            less eloquently; dates are not looked at.

    Raises:
        ConfigError: there is no certificate, or the files, the ciphers or the context cannot work.
    """
    if options.ssl_context is not None:
        _refuse_unfit(options.ssl_context)
        return ServerTls(options.ssl_context, None)
    if options.cert is None:
        raise ConfigError(
            "TLS (wss://) needs a certificate, and none is given",
            'write cert="server.pem", key="server.key"; or serve ws:// behind a web server',
        )
    certificate = None
    if check:
        moment = now or datetime.now(UTC)
        certificate = check_pair(options.cert, options.key, options.passphrase, now=moment)
    context = _policy(options.ciphers)
    _load_pair(context, options)
    _load_authorities(context, options, check)
    return ServerTls(context, certificate)


def _policy(ciphers: str | None) -> ssl.SSLContext:
    """Return a context with every setting but the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Renegotiation would let one client have the server do a handshake again and again.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # All six ciphers are strong, so the client's order counts: it knows whether it has AES in
    # hardware. An end without close_notify must be seen as what it is (RFC 8446, section 6.1).
    unwanted = ssl.OP_CIPHER_SERVER_PREFERENCE
    unwanted |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # where built against OpenSSL 3
    context.options &= ~unwanted
    try:
        context.set_ciphers(ciphers or INTERMEDIATE_CIPHERS)
    except (ssl.SSLError, ValueError):
        raise ConfigError(
            f"OpenSSL knows no TLS 1.2 cipher in ciphers={ciphers!r}",
            "leave ciphers out for Mozilla's list, or take names from: openssl ciphers -tls1_2",
        ) from None
    # A websocket handshake is HTTP/1.1; a client that also offers h2 must not choose it.
    context.set_alpn_protocols(["http/1.1"])
    context.num_tickets = _TICKETS
    return context


def _load_pair(context: ssl.SSLContext, options: TlsOptions) -> None:
    assert options.cert is not None
    cert_file, key_file = read_pair(options.cert, options.key)

    def passphrase() -> bytes:
        # Always given, since without it OpenSSL would ask on the terminal and wait.
        if not options.passphrase:
            raise missing_passphrase(key_file)
        return options.passphrase_bytes

    try:
        context.load_cert_chain(where(cert_file.path), where(key_file.path), passphrase)
    except ssl.SSLError as error:
        raise _load_failure(error, cert_file, key_file) from None


def _load_failure(error: ssl.SSLError, cert: PemFile, key: PemFile) -> ConfigError:
    # Of a wrong passphrase OpenSSL 3 says what it says of any file that it cannot parse: nothing.
    reason = error.reason or ("BAD_DECRYPT" if key.keys[0].is_encrypted else "")
    said = _LOAD_FAILURES.get(reason, _opensslese(error))
    files = cert.shown if key is cert else f"{cert.shown} with the private key {key.shown}"
    return ConfigError(
        f"cannot load the certificate {files}: {said}",
        "renew the certificate, or write both files anew as OpenSSL writes them: "
        f"openssl x509 -in {cert.quoted}; openssl pkey -in {key.quoted}",
    )


def _opensslese(error: ssl.SSLError) -> str:
    """Return OpenSSL's own words; `PEM lib`, its word for any file it cannot parse, is none."""
    return f"OpenSSL says {error.reason}" if error.reason else "OpenSSL cannot parse it"


def _load_authorities(context: ssl.SSLContext, options: TlsOptions, check: bool) -> None:
    context.verify_mode = _VERIFY_MODES[options.verify_client]
    if options.ca_file is None:
        return
    file = check_ca_file(options.ca_file) if check else read_ca_file(options.ca_file)
    try:
        context.load_verify_locations(where(file.path))
    except ssl.SSLError as error:
        raise ConfigError(
            f"cannot load the CA file {file.shown}: {_opensslese(error)}",
            f"look at it: openssl x509 -noout -text -in {file.quoted}",
        ) from None


def _refuse_unfit(context: ssl.SSLContext) -> None:
    """Raise if a given context cannot answer any client: it is a client's, or has no certificate.

    A context does not tell whether it has a certificate, so a client's first message is put to
    it in memory. One with an `sni_callback` is left alone: that may bring the certificate.
    """
    fix = "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain(cert, key)"
    if context.protocol == ssl.PROTOCOL_TLS_CLIENT:
        raise ConfigError(
            "the ssl_context is for clients (PROTOCOL_TLS_CLIENT), and cannot accept a connection",
            fix,
        )
    if context.sni_callback is not None:
        return
    received = ssl.MemoryBIO()
    received.write(_client_hello())
    try:
        context.wrap_bio(received, ssl.MemoryBIO(), server_side=True).do_handshake()
    except ssl.SSLError as error:  # SSLWantReadError, as a rule: it has answered
        if error.reason in _NO_CERTIFICATE:
            raise ConfigError(
                f"the ssl_context has no certificate that a client can use ({error.reason})", fix
            ) from None


def _client_hello() -> bytes:
    """Return the first message of a client that takes whatever a server may have."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    sent = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        client.wrap_bio(ssl.MemoryBIO(), sent).do_handshake()
    return sent.read()
