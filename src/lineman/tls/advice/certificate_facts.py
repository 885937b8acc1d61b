"""Collects the facts about a certificate file that `verdict` judges."""

from __future__ import annotations

import contextlib
import ssl
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lineman.errors import ConfigError
from lineman.tls.files.certificate_check import key_type_of, names_in, parsed
from lineman.tls.files.certificate_info import called
from lineman.tls.files.pem import PemFile, read_pem

if TYPE_CHECKING:  # imported where it runs: it costs a process 11 MiB and 40 ms
    from cryptography import x509


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """How the certificates of a file form a chain.

    Args:
        sent: the certificates that a client would get: each one's subject, in the file's order.
        path: the leaf, its issuer, and so on, as far as the file goes.
        is_in_order: whether the file has them in that order.
        unneeded: subjects that are no part of the path.
        sends_root: whether the path in the file ends in a root.
        root: the authority at the end of the path, if this machine trusts it; else empty.
        is_own_root: whether it is the operator's own authority, so that other machines do not
            trust it.
        missing: the subject of an issuer that is neither in the file nor trusted; empty for none.
        is_self_signed: whether the leaf is signed with its own key.
        fault: what a strict check (RFC 5280) of a complete path found; empty: nothing.
    """

    sent: tuple[str, ...]
    path: tuple[str, ...]
    is_in_order: bool
    unneeded: tuple[str, ...]
    sends_root: bool
    root: str
    missing: str
    is_self_signed: bool
    fault: str
    is_own_root: bool = False


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """The facts of a certificate that are checked before it is served.

    Args:
        subject, issuer, serial, names: as in `CertificateInfo`.
        not_before, not_after: aware, in UTC; both ends included.
        key: such as `ECDSA P-256`.
        key_fault: why no client could use the key; empty if clients can.
        digest: of its signature, such as `sha256`; empty if the scheme has no separate digest
            (Ed25519).
        is_authority: whether it is an authority's certificate.
        serves: whether a server may use it.
        chain: see `ChainFacts`.
        knows_roots: whether authorities were available to check the chain.
    """

    subject: str
    issuer: str
    serial: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    key: str
    key_fault: str
    digest: str
    is_authority: bool
    serves: bool
    chain: ChainFacts
    knows_roots: bool

    @property
    def life(self) -> timedelta:
        """The lifetime, from the first to the last moment."""
        return self.not_after - self.not_before


# Directories for an operator's own authorities: Debian, Red Hat, Arch, SUSE.
_OWN_AUTHORITIES = (
    "/usr/local/share/ca-certificates",
    "/etc/pki/ca-trust/source/anchors",
    "/etc/ca-certificates/trust-source/anchors",
    "/etc/pki/trust/anchors",
)
DEVELOPMENT = "O=Lineman development"


@dataclass(frozen=True, slots=True)
class Roots:
    """The authorities by which a chain is judged.

    Args:
        trusted: all of them; empty where none are known.
        own: those of them that are an operator's own and no public ones.
    """

    trusted: tuple[x509.Certificate, ...] = ()
    own: frozenset[x509.Certificate] = frozenset()


def roots_of(given: Path | None, own_in: Sequence[str] = _OWN_AUTHORITIES) -> Roots:
    """The authorities in a file, or the system's.

    An authority that is in the file and not among this system's public ones is an operator's own.

    Args:
        given: the file; None for the system's own.
        own_in: the directories for an operator's own authorities.

    Raises:
        ConfigError: a file cannot be read.
    """
    system = system_roots()
    public = () if system is None else tuple(read_roots(system))
    trusted = public if given is None else tuple(read_roots(given))
    added = {root for directory in own_in for root in _added(Path(directory))}
    own = {root for root in trusted if root in added or _is_development(root)}
    if given is not None:
        own |= set(trusted) - set(public)
    return Roots(trusted, frozenset(own))


def _added(directory: Path) -> Iterator[x509.Certificate]:
    for path in sorted(directory.glob("**/*")):
        if path.is_file():
            with contextlib.suppress(ConfigError):  # whatever else lies there
                yield from read_roots(path)


def _is_development(root: x509.Certificate) -> bool:
    return DEVELOPMENT in root.subject.rfc4514_string().split(",")


def system_roots() -> Path | None:
    """The file of authorities that this system trusts; None if it has none."""
    found = ssl.get_default_verify_paths().cafile
    return None if found is None else Path(found)


def read_roots(path: Path) -> list[x509.Certificate]:
    """The authorities in a file; a certificate that cannot be read is left out.

    Raises:
        ConfigError: the file is no PEM file.
    """
    from cryptography import x509

    roots = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some old ones have a serial number of 0
        for block in read_pem(path, "CA file").certificates:
            with contextlib.suppress(ValueError):
                roots.append(x509.load_der_x509_certificate(block.der))
    return roots


def look_at(
    file: PemFile,
    roots: Sequence[x509.Certificate],
    own: Collection[x509.Certificate] = frozenset(),
) -> CertificateFacts:
    """The facts of a file whose first certificate is to be served.

    Args:
        file: with at least one certificate.
        roots: authorities that clients trust; empty where none are known.
        own: those of them that are an operator's own.

    Raises:
        ConfigError: a certificate in it is damaged.
    """
    certs = parsed(file, file.certificates, "certificate")
    leaf = certs[0]
    key_fault = ""
    try:
        key = key_type_of(leaf, file)
    except ConfigError as error:
        key, key_fault = "unusable", error.seen.rpartition(" has ")[2]
    digest = leaf.signature_hash_algorithm
    return CertificateFacts(
        subject=leaf.subject.rfc4514_string(),
        issuer=leaf.issuer.rfc4514_string(),
        serial=f"{leaf.serial_number:x}",
        names=names_in(leaf),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        key=key,
        key_fault=key_fault,
        digest=digest.name if digest else "",
        is_authority=_is_authority(leaf),
        serves=_serves(leaf),
        chain=_chain(certs, roots, own),
        knows_roots=bool(roots),
    )


def _is_authority(cert: x509.Certificate) -> bool:
    from cryptography import x509

    try:
        return cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _serves(cert: x509.Certificate) -> bool:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

    try:
        allowed = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return True  # without the extension everything is allowed (RFC 5280, 4.2.1.12)
    return Usage.SERVER_AUTH in allowed or Usage.ANY_EXTENDED_KEY_USAGE in allowed


def _chain(
    certs: list[x509.Certificate],
    roots: Sequence[x509.Certificate],
    own: Collection[x509.Certificate],
) -> ChainFacts:
    path = [certs[0]]
    while not _is_root(path[-1]):
        issuer = _issuer_of(path[-1], [cert for cert in certs if cert not in path])
        if issuer is None:
            break
        path.append(issuer)
    last = path[-1]
    root = last if last in roots else _issuer_of(last, roots)
    is_broken = root is None and not _is_root(last)
    return ChainFacts(
        sent=tuple(_shown(cert) for cert in certs),
        path=tuple(_shown(cert) for cert in path),
        is_in_order=path == certs[: len(path)],
        unneeded=tuple(_shown(cert) for cert in certs if cert not in path),
        sends_root=len(path) > 1 and _is_root(last),
        root="" if root is None else _shown(root),
        missing=last.issuer.rfc4514_string() if is_broken else "",
        is_self_signed=_is_root(certs[0]),
        fault="" if root is None else _fault(path, root),
        is_own_root=root is not None and root in own,
    )


def _shown(cert: x509.Certificate) -> str:
    return cert.subject.rfc4514_string() or called(names_in(cert), "", f"{cert.serial_number:x}")


def _is_root(cert: x509.Certificate) -> bool:
    return cert.subject == cert.issuer and _issuer_of(cert, [cert]) is not None


def _issuer_of(
    cert: x509.Certificate, others: Sequence[x509.Certificate]
) -> x509.Certificate | None:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    for other in others:
        if other.subject != cert.issuer:
            continue
        try:
            cert.verify_directly_issued_by(other)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        return other
    return None


def _fault(path: list[x509.Certificate], root: x509.Certificate) -> str:
    """The fault that a strict client finds in a complete path, apart from dates and names."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

    names = names_in(path[0])
    if not names:
        return ""
    wanted: x509.DNSName | x509.IPAddress
    try:
        wanted = x509.IPAddress(ip_address(names[0]))
    except ValueError:
        wanted = x509.DNSName(names[0].replace("*.", "any.", 1))
    moment = max(cert.not_valid_before_utc for cert in (*path, root)) + timedelta(minutes=1)
    try:
        builder = PolicyBuilder().store(Store([root])).time(moment.replace(tzinfo=None))
        builder.build_server_verifier(wanted).verify(path[0], path[1:])
    except (VerificationError, ValueError) as error:
        text = str(error)
        if "self-signed" in text or "basicConstraints.cA" in text:
            return ""  # another finding explains it better
        return text.partition("(encountered")[0].removeprefix("validation failed: ").strip()
    return ""
