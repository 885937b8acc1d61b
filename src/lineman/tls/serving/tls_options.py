"""What a worker is told about TLS, in Python's spelling; `phpcontext` reads Workerman's."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args

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


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How a worker speaks TLS. An object that exists is consistent; no file was looked at yet.

    Args:
        cert: PEM file with the certificate and, after it, its chain; it may hold the key too.
        key: PEM file with the private key; None: it is in `cert`.
        passphrase: opens an encrypted key; None: the key is in the clear. Never shown by `repr`.
        certificates: several, chosen by the name that a client asks for: pairs of cert and key,
            each for the names in it, or a dictionary from a name (`*.example.com` too) to a pair.
            Who asks for another name, or none, gets `cert`, or the first where there is no `cert`.
        ssl_context: a finished server-side context, used as it is; then every other option
            stays at None.
        ca_file: PEM file with the authorities that client certificates must come from. OpenSSL
            also completes the server's own chain from it.
        ca_path: directory with one such authority in each file, named as `openssl rehash` does.
        crl_file: PEM file with the authorities' lists of revoked client certificates.
        verify_client: whether a client shows a certificate. None means nobody said: no client is
            asked, and a `ca_file` is refused, since it looks as if clients were meant to be.
        verify_depth: intermediate authorities that may stand above a client's certificate.
        client_fingerprints: SHA-256 of the client certificates that may connect, in hexadecimal.
        ciphers: OpenSSL cipher list for TLS 1.2; None: Mozilla's intermediate list. The suites
            of TLS 1.3 are OpenSSL's own.
        tls_policy: Mozilla's `intermediate` (TLS 1.2 and 1.3; None is this one) or `modern` (1.3).
        security_level: OpenSSL's, 0 to 5; None: as OpenSSL was built (2 on Debian).

    Raises:
        ConfigError: options of a wrong type, or that contradict each other.
    """

    cert: str | Path | None = None
    key: str | Path | None = None
    passphrase: str | bytes | None = field(default=None, repr=False)
    certificates: Certificates | None = None
    ssl_context: ssl.SSLContext | None = None
    ca_file: str | Path | None = None
    ca_path: str | Path | None = None
    crl_file: str | Path | None = None
    verify_client: VerifyClient | None = None
    verify_depth: int | None = None
    client_fingerprints: Sequence[str] | None = None
    ciphers: str | None = None
    tls_policy: TlsPolicy | None = None
    security_level: int | None = None

    def __post_init__(self) -> None:
        for name in ("cert", "key", "ca_file", "crl_file"):
            refuse_other_types(name, getattr(self, name), (str, Path), "the path of a PEM file")
        refuse_other_types("ca_path", self.ca_path, (str, Path), "the path of a directory")
        refuse_other_types("passphrase", self.passphrase, (str, bytes), "text or bytes")
        refuse_other_types("ciphers", self.ciphers, (str,), "an OpenSSL cipher list as text")
        refuse_other_types(
            "ssl_context", self.ssl_context, (ssl.SSLContext,), "an ssl.SSLContext for servers"
        )
        self._refuse_bad_values()
        self._refuse_contradictions()
        for _ in self.files():
            pass  # raises where `certificates` is of a wrong shape

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
        if isinstance(self.certificates, Mapping):
            for name, pair in self.certificates.items():
                if not isinstance(name, str):
                    raise ConfigError(f"certificates has the name {name!r}", _LISTS)
                yield CertificateFiles(*_pair(pair), (name,))
        elif self.certificates is not None:
            for pair in self.certificates:
                yield CertificateFiles(*_pair(pair))

    def _refuse_bad_values(self) -> None:
        _refuse_unknown("verify_client", self.verify_client, get_args(VerifyClient))
        _refuse_unknown("tls_policy", self.tls_policy, get_args(TlsPolicy))
        if self.passphrase is not None and len(self.passphrase_bytes) > _LONGEST_PASSPHRASE:
            raise ConfigError(
                f"the passphrase has {len(self.passphrase_bytes)} bytes, "
                f"OpenSSL takes at most {_LONGEST_PASSPHRASE}",
                "give the passphrase itself, not a file's content",
            )
        if self.ciphers is not None and not self.ciphers.strip():
            raise ConfigError("ciphers is empty", "leave ciphers out for Mozilla's list")
        _refuse_out_of_range("verify_depth", self.verify_depth, 100)
        _refuse_out_of_range("security_level", self.security_level, 5)
        listed = self.certificates
        if listed is not None and (
            isinstance(listed, str) or not isinstance(listed, Sequence | Mapping) or not listed
        ):
            seen = "empty" if listed in ((), [], {}) else described(listed)
            raise ConfigError(f"certificates is {seen}", _LISTS)
        self._refuse_bad_fingerprints()

    def _refuse_bad_fingerprints(self) -> None:
        listed = self.client_fingerprints
        fix = "openssl x509 -noout -fingerprint -sha256 -in client.pem"
        if listed is None:
            return
        if isinstance(listed, str) or not isinstance(listed, Sequence) or not listed:
            raise ConfigError(f"client_fingerprints is {listed!r}", f"give a list; one is: {fix}")
        for each in listed:
            if not isinstance(each, str) or _SHA_256.fullmatch(_plain(each)) is None:
                raise ConfigError(
                    f"client_fingerprints holds {each!r}, which is no SHA-256 in hexadecimal", fix
                )

    def _refuse_contradictions(self) -> None:
        if self.ssl_context is not None:
            given = [
                name
                for name in type(self).__slots__
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


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").strip().lower()


def _pair(value: object) -> Pair:
    """A certificate and its key out of what stands in `certificates`."""
    if isinstance(value, str | Path):
        value = (value, None)
    if not isinstance(value, Sequence) or len(value) != 2:
        raise ConfigError(f"certificates holds {value!r}", _LISTS)
    cert, key = value
    if cert is None:
        raise ConfigError("certificates holds a pair without a certificate", _LISTS)
    for name, path in (("cert", cert), ("key", key)):
        refuse_other_types(f"{name} in certificates", path, (str, Path), "the path of a PEM file")
    return cert, key


def _refuse_unknown(name: str, value: object, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        words = [f'"{word}"' for word in known]
        raise ConfigError(
            f"{name} is {value!r}", f"write {name}={', '.join(words[:-1])} or {words[-1]}"
        )


def _refuse_out_of_range(name: str, value: object, most: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ConfigError(f"{name} is {value!r}", f"give a number from 0 to {most}")


def refuse_other_types(name: str, value: object, accepted: tuple[type, ...], wanted: str) -> None:
    """Raise unless `value` is None or of a type in `accepted`; empty paths and NULs count too."""
    if value is not None and not isinstance(value, accepted):
        seen = described(value) if name != "passphrase" else f"of type {type(value).__name__}"
        raise ConfigError(f"{name} is {seen}", f"give {name} {wanted}")
    if value is not None and Path in accepted and (value == "" or "\0" in str(value)):
        raise ConfigError(f"{name} is {str(value)!r}, which names no file", f"give {name} {wanted}")


def described(value: object) -> str:
    """`the int 8282`: a number or truth value with its type, of anything else only the type."""
    kind = type(value).__name__
    return f"the {kind} {value!r}" if isinstance(value, bool | int | float) else f"of type {kind}"
