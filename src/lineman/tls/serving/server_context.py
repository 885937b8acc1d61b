"""Makes the `ssl.SSLContext` that a worker serves with, from options that were checked first."""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

from lineman.errors import ConfigError
from lineman.tls.files.certificate_check import check_files, read_pair
from lineman.tls.files.certificate_info import CertificateInfo
from lineman.tls.files.pem import PemFile
from lineman.tls.serving.client_authorities import ClientRules, read_rules
from lineman.tls.serving.loading import load_pair, opensslese, prove
from lineman.tls.serving.tls_options import TlsOptions

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

# Errors of a server without a usable certificate for a client that offers everything; the last one
# if it allows TLS 1.3 only, which OpenSSL does not offer without a certificate.
_NO_CERTIFICATE = frozenset(
    {"NO_SHARED_CIPHER", "NO_SUITABLE_SIGNATURE_ALGORITHM", "UNSUPPORTED_PROTOCOL"}
)


_BELOW_1_2 = (
    (
        "TLS 1.0",
        0x301,
        ssl.OP_NO_TLSv1,
    ),  # the numbers of ssl.TLSVersion, because its names raise warnings
    ("TLS 1.1", 0x302, ssl.OP_NO_TLSv1_1),
)


@dataclass(frozen=True, slots=True)
class ServerTls:
    """A context ready to serve, and its certificate's content; None for a context of the user's."""

    context: ssl.SSLContext
    certificate: CertificateInfo | None


def server_context(
    options: TlsOptions, *, now: datetime | None = None, check: bool = True
) -> ServerTls:
    """Return a context for one certificate that matches its key; `LiveTls` keeps it up to date.

    An end of TCP without TLS's close_notify is reported differently, so that a message that an
    attacker has cut never looks complete: reading raises `ssl.SSLEOFError`, in older releases
    (seen: 3.11.2) `ssl.SSLError` with the reason `UNEXPECTED_EOF_WHILE_READING`.

    Args:
        options: the operator's options; an `ssl_context` in it is used as it is.
        now: the time the certificate must be valid at, aware; None: now.
        check: False leaves out what needs `cryptography` (11 MiB, 40 ms): for a process whose
            parent has checked the same files. Files that cannot be loaded are refused either way,
            with fewer details; dates are not checked.

    Raises:
        ConfigError: there is no certificate, or the files, the ciphers or the context cannot work.
    """
    if options.ssl_context is not None:
        refuse_unfit(options.ssl_context)
        return ServerTls(options.ssl_context, None)
    files = next(options.files(), None)
    if files is None:
        raise ConfigError(
            "TLS (wss://) needs a certificate, and none is given",
            'write cert="server.pem", key="server.key"; or serve ws:// behind a web server',
        )
    rules = read_rules(options, check=check, now=now)
    return first_context(options, rules, read_pair(files.cert, files.key), now=now, check=check)


def first_context(
    options: TlsOptions,
    rules: ClientRules,
    pair: tuple[PemFile, PemFile],
    *,
    now: datetime | None,
    check: bool,
) -> ServerTls:
    """The context at a start: the error for a pair that cannot work has all details."""
    info = None
    if check:
        info = check_files(*pair, options.passphrase, now=now or datetime.now(UTC))
    context = _policy(options)
    said = load_pair(context, *pair, options.passphrase_bytes)
    rules.apply(context)
    return ServerTls(context, info or said)


def fresh_context(
    options: TlsOptions, rules: ClientRules, pair: tuple[PemFile, PemFile], *, now: datetime
) -> ServerTls:
    """The context after a change: proved by a handshake; `cryptography` is loaded only if it fails.

    Raises:
        ConfigError: as `first_context` with its checks.
    """
    context = _policy(options)
    try:
        said = load_pair(context, *pair, options.passphrase_bytes)
        said.refuse_dates(pair[0], now)
        prove(context)
    except (ConfigError, ssl.SSLError) as error:
        check_files(*pair, options.passphrase, now=now)  # says it in better words, as a rule
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"no client can use the certificate {pair[0].shown}: {opensslese(error.reason)}",
            "write both files anew, or ask for a new certificate",
        ) from error
    rules.apply(context)
    return ServerTls(context, said)


def _policy(options: TlsOptions) -> ssl.SSLContext:
    """Return a context with every setting but the certificate and the clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    is_modern = options.tls_policy == "modern"
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if is_modern else ssl.TLSVersion.TLSv1_2
    # Renegotiation would let one client have the server do a handshake again and again.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # All six ciphers are strong, so the client's order counts: it knows whether it has AES in
    # hardware. An end without close_notify must be seen as what it is (RFC 8446, section 6.1).
    unwanted = ssl.OP_CIPHER_SERVER_PREFERENCE
    unwanted |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # where built against OpenSSL 3
    context.options &= ~unwanted
    ciphers = options.ciphers or INTERMEDIATE_CIPHERS
    if options.security_level is not None:
        ciphers = f"{ciphers}:@SECLEVEL={options.security_level}"
    try:
        context.set_ciphers(ciphers)
    except (ssl.SSLError, ValueError):
        raise ConfigError(
            f"OpenSSL knows no TLS 1.2 cipher in ciphers={options.ciphers!r}",
            "leave ciphers out for Mozilla's list, or take names from: openssl ciphers -tls1_2",
        ) from None
    # A websocket handshake is HTTP/1.1; a client that also offers h2 must not choose it.
    context.set_alpn_protocols(["http/1.1"])
    context.num_tickets = _TICKETS
    return context


def old_versions(context: ssl.SSLContext) -> list[str]:
    """The versions below TLS 1.2 that the user's own context allows."""
    lowest = context.minimum_version
    return [
        name
        for name, version, off in _BELOW_1_2
        if not context.options & off and (lowest < 0 or lowest <= version)
    ]


def refuse_unfit(context: ssl.SSLContext) -> None:
    """Raise if a given context cannot answer any client: it is for clients, or has no certificate.

    Python cannot ask a context whether it has a certificate, so it gets a client's first message in
    memory. A context with an `sni_callback` is not checked: the callback may set the certificate.
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
    """Return the first message of a client that accepts every certificate and version."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    sent = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        client.wrap_bio(ssl.MemoryBIO(), sent).do_handshake()
    return sent.read()
