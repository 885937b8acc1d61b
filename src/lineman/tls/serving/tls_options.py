"""A worker's options about TLS, in Python's spelling; `phpcontext` reads Workerman's."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from lineman.base import option_kinds
from lineman.base.option_kinds import (
    DIRECTORY_PATH,
    PEM_FILE,
    CheckedBy,
    Choice,
    Number,
    Typed,
    described,
    frozen,
    option,
)
from lineman.errors import ConfigError

VerifyClient = Literal["none", "optional", "required"]
TlsPolicy = Literal["intermediate", "modern"]
Pair: TypeAlias = tuple[str | Path, str | Path | None]
Certificates: TypeAlias = Sequence[Pair] | Mapping[str, Pair]

_LONGEST_PASSPHRASE = 1024  # bytes; OpenSSL's PEM_BUFSIZE, `ssl` refuses a longer one
_SHA_256 = re.compile(r"[0-9a-f]{64}")
_LISTS = "give a list of (cert, key), or a dictionary of name: (cert, key)"


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """One certificate of a service: where its files are, and which names it serves.

    Args:
        cert: PEM file with the certificate and, after it, its chain.
        key: PEM file with the private key; None: it is in `cert`.
        names: what clients ask for; empty: the names that the certificate itself has.
    """

    cert: str | Path
    key: str | Path | None
    names: tuple[str, ...] = ()


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").strip().lower()


def _pair(value: object) -> Pair:
    """A certificate and its key from an entry of `certificates`."""
    if isinstance(value, str | Path):
        value = (value, None)
    if not isinstance(value, Sequence) or len(value) != 2:
        raise ConfigError(f"certificates holds {value!r}", _LISTS)
    cert, key = value
    if cert is None:
        raise ConfigError("certificates holds a pair without a certificate", _LISTS)
    for name, path in (("cert", cert), ("key", key)):
        if path is not None:
            PEM_FILE.check(f"{name} in certificates", path)
    return cert, key


def _check_certificates(listed: object) -> None:
    if isinstance(listed, str) or not isinstance(listed, Sequence | Mapping) or not listed:
        seen = "empty" if listed in ((), [], {}) else described(listed)
        raise ConfigError(f"certificates is {seen}", _LISTS)
    for _ in _several(listed):
        pass


def _several(listed: Sequence[object] | Mapping[Any, object]) -> Iterator[CertificateFiles]:
    """The entries of `certificates`; raises if it has a wrong shape."""
    if isinstance(listed, Mapping):
        for name, pair in listed.items():
            if not isinstance(name, str):
                raise ConfigError(f"certificates has the name {name!r}", _LISTS)
            yield CertificateFiles(*_pair(pair), (name,))
    else:
        for pair in listed:
            yield CertificateFiles(*_pair(pair))


def _check_fingerprints(listed: object) -> None:
    fix = "openssl x509 -noout -fingerprint -sha256 -in client.pem"
    if isinstance(listed, str) or not isinstance(listed, Sequence) or not listed:
        raise ConfigError(f"client_fingerprints is {listed!r}", f"give a list; one is: {fix}")
    for each in listed:
        if not isinstance(each, str) or _SHA_256.fullmatch(_plain(each)) is None:
            raise ConfigError(
                f"client_fingerprints holds {each!r}, which is no SHA-256 in hexadecimal", fix
            )


def _check_ciphers(value: object) -> None:
    Typed((str,), "an OpenSSL cipher list as text").check("ciphers", value)
    if not str(value).strip():
        raise ConfigError("ciphers is empty", "leave ciphers out for Mozilla's list")


def _up_to(most: int) -> Number:
    return Number(zero="none", most=most, remedy=f"give a number from 0 to {most}")


@dataclass(kw_only=True, eq=False, repr=False, init=False)
class TlsFields:
    """How TLS is spoken."""

    cert: str | Path | None = option(None, PEM_FILE)
    """PEM file with the certificate and, after it, its chain; it may hold the key too."""
    key: str | Path | None = option(None, PEM_FILE)
    """PEM file with the private key; None: it is in `cert`."""
    passphrase: str | bytes | None = option(
        None, Typed((str, bytes), "text or bytes", is_secret=True), is_shown=False
    )
    """Opens an encrypted key; None: the key is in the clear."""
    certificates: Certificates | None = option(None, CheckedBy(_check_certificates))
    """Several, chosen by the name that a client asks for: pairs of cert and key, each for the names
    in it, or a dictionary from a name (`*.example.com` too) to a pair. A client that asks for
    another name, or none, gets `cert`, or the first certificate if there is no `cert`."""
    ssl_context: ssl.SSLContext | None = option(
        None, Typed((ssl.SSLContext,), "an ssl.SSLContext for servers")
    )
    """A finished server-side context, used as it is; then every other option stays at None."""
    ca_file: str | Path | None = option(None, PEM_FILE)
    """PEM file with the authorities that client certificates must come from. OpenSSL also completes
    the server's own chain from it."""
    ca_path: str | Path | None = option(None, DIRECTORY_PATH)
    """Directory with one such authority in each file, named as `openssl rehash` does."""
    crl_file: str | Path | None = option(None, PEM_FILE)
    """PEM file with the authorities' lists of revoked client certificates."""
    verify_client: VerifyClient | None = option(None, Choice(get_args(VerifyClient)))
    """Whether a client shows a certificate. None means nobody said: no client is asked, and a
    `ca_file` is refused, since it looks as if clients were meant to be."""
    verify_depth: int | None = option(None, _up_to(100))
    """Intermediate authorities that may stand above a client's certificate, 0 to 100."""
    client_fingerprints: Sequence[str] | None = option(None, CheckedBy(_check_fingerprints))
    """SHA-256 of the client certificates that may connect, in hexadecimal."""
    ciphers: str | None = option(None, CheckedBy(_check_ciphers))
    """OpenSSL cipher list for TLS 1.2; None: Mozilla's intermediate list. The suites of TLS 1.3 are
    OpenSSL's own."""
    tls_policy: TlsPolicy | None = option(None, Choice(get_args(TlsPolicy)))
    """Mozilla's `intermediate` (TLS 1.2 and 1.3; None is this one) or `modern` (1.3)."""
    security_level: int | None = option(None, _up_to(5))
    """OpenSSL's, 0 to 5; None: as OpenSSL was built (2 on Debian)."""


@frozen
@dataclass(kw_only=True)
class TlsOptions(TlsFields):
    """How a worker speaks TLS. An object that exists is consistent; no file was looked at yet.

    Raises:
        ConfigError: options of a wrong type, or that contradict each other.
    """

    def __post_init__(self) -> None:
        option_kinds.check(TlsFields, self)
        if len(self.passphrase_bytes) > _LONGEST_PASSPHRASE:
            raise ConfigError(
                f"the passphrase has {len(self.passphrase_bytes)} bytes, "
                f"OpenSSL takes at most {_LONGEST_PASSPHRASE}",
                "give the passphrase itself, not a file's content",
            )
        self._refuse_contradictions()

    @property
    def has_certificate(self) -> bool:
        """Whether there is something to serve with."""
        given = (self.cert, self.certificates, self.ssl_context)
        return any(each is not None for each in given)

    @property
    def passphrase_bytes(self) -> bytes:
        """The passphrase as OpenSSL wants it (text as UTF-8); empty if there is none."""
        if isinstance(self.passphrase, str):
            return self.passphrase.encode()
        return self.passphrase or b""

    @property
    def fingerprints(self) -> frozenset[str]:
        """The fingerprints that may connect, in lower case without colons; empty: any may."""
        return frozenset(_plain(each) for each in self.client_fingerprints or ())

    def files(self) -> Iterator[CertificateFiles]:
        """Every certificate, the default first.

        Raises:
            ConfigError: `certificates` is of a wrong shape.
        """
        if self.cert is not None:
            yield CertificateFiles(self.cert, self.key)
        if self.certificates is not None:
            yield from _several(self.certificates)

    def _refuse_contradictions(self) -> None:
        if self.ssl_context is not None:
            given = [
                name
                for name in option_kinds.names_of(TlsFields)
                if name != "ssl_context" and getattr(self, name) is not None
            ]
            if given:
                raise ConfigError(
                    f"ssl_context is used as it is, and {', '.join(given)} would have no effect",
                    f"set it on the context, or leave ssl_context out and keep {given[0]}",
                )
        if self.key is not None and self.cert is None:
            raise ConfigError(
                f"a key ({self.key}) is given but no certificate",
                'write cert="server.pem" as well (local_cert in a context dictionary)',
            )
        if self.tls_policy == "modern" and self.ciphers is not None:
            raise ConfigError(
                'ciphers is for TLS 1.2, and tls_policy="modern" speaks 1.3 only',
                "leave one of the two out",
            )
        self._refuse_contradictions_on_clients()

    def _refuse_contradictions_on_clients(self) -> None:
        asks = self.verify_client in ("optional", "required")
        authority = self.ca_file if self.ca_file is not None else self.ca_path
        if asks and authority is None:
            raise ConfigError(
                f'verify_client is "{self.verify_client}", but no authority is given that '
                "client certificates must come from",
                'write ca_file="clients-ca.pem" as well (cafile in a context dictionary)',
            )
        if authority is not None and self.verify_client is None:
            name = "ca_path" if self.ca_file is None else "ca_file"
            raise ConfigError(
                f"{name} is {authority}, but nothing says that clients must show a certificate",
                'write verify_client="required"; or "none" if it only completes the chain',
            )
        for name in ("crl_file", "verify_depth", "client_fingerprints"):
            if getattr(self, name) is not None and not asks:
                raise ConfigError(
                    f"{name} is about clients' certificates, and no client is asked for one",
                    'write verify_client="required" and ca_file="clients-ca.pem" as well',
                )
