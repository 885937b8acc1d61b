"""TLS with the server: the version and cipher, the certificate, and which versions are on."""

from __future__ import annotations

import hashlib
import ssl
import warnings
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineman.doctor.facts import Outcome, TlsLook
from lineman.doctor.looks.probe import Way, any_certificate, connect, outcome_of
from lineman.errors import ConfigError
from lineman.tls.advice.certificate_facts import CertificateFacts, look_at
from lineman.tls.files.pem import PemBlock, PemFile, read_pem
from lineman.tls.openssl import access as openssl

if TYPE_CHECKING:  # imported where it runs: it costs a process 11 MiB and 40 ms
    from cryptography import x509

_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
_EVERYTHING = "ALL:@SECLEVEL=0"


def look(
    way: Way,
    roots: Sequence[x509.Certificate],
    own: Collection[x509.Certificate] = frozenset(),
) -> TlsLook:
    """Tries TLS as clients speak it; if that fails, with old ciphers and other protocols too.

    Args:
        way: its target is `wss`.
        roots: authorities that clients trust.
        own: those of them that are an operator's own.
    """
    found = _handshake(way, roots, own)
    if found.outcome is Outcome.DONE:
        return replace(found, versions=_versions(way))
    if found.outcome in (Outcome.ALERT, Outcome.CLOSED):
        return replace(found, any_cipher=_any_cipher(way), h2_alpn=chosen_alpn(way, "h2"))
    return found


def _handshake(
    way: Way, roots: Sequence[x509.Certificate], own: Collection[x509.Certificate]
) -> TlsLook:
    try:
        with connect(way) as link:
            assert isinstance(link, ssl.SSLSocket)
            chain = _chain_of(link)
            cipher = link.cipher()
            return TlsLook(
                Outcome.DONE,
                version=link.version() or "",
                cipher=cipher[0] if cipher else "",
                group=openssl.group_name(link._sslobj) or "",  # type: ignore[attr-defined]
                alpn=link.selected_alpn_protocol() or "",
                certificate=_read(chain, way.target.host, roots, own),
                fingerprint=_fingerprint(chain[0]) if chain else "",
            )
    except OSError as error:
        outcome, reason = outcome_of(error)
        return TlsLook(outcome, reason)


def _chain_of(link: ssl.SSLSocket) -> list[bytes]:
    """The server's certificates, each as DER; Python has a public call for it from 3.13 on."""
    holder: Any = link if hasattr(link, "get_unverified_chain") else link._sslobj  # type: ignore[attr-defined]
    found = holder.get_unverified_chain() or ()
    return [each if isinstance(each, bytes) else each.public_bytes(_DER) for each in found]


_DER = 2  # _ssl.ENCODING_DER


def _fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def _read(
    chain: Sequence[bytes],
    host: str,
    roots: Sequence[x509.Certificate],
    own: Collection[x509.Certificate],
) -> CertificateFacts | None:
    if not chain:
        return None
    blocks = tuple(
        PemBlock("CERTIFICATE", ssl.DER_cert_to_PEM_cert(der).encode("ascii"), der, 1)
        for der in chain
    )
    try:
        return look_at(PemFile(Path(host), f"the certificate of {host}", blocks), roots, own)
    except (ConfigError, ValueError):  # whatever a server may send
        return None


def file_fingerprint(path: Path) -> tuple[str, str]:
    """The fingerprint of the first certificate in a file, or why there is none."""
    try:
        file = read_pem(path, "certificate")
    except ConfigError as error:
        return "", error.seen
    if not file.certificates:
        return "", f"there is no certificate in {file.shown}"
    return _fingerprint(file.certificates[0].der), ""


def _versions(way: Way) -> tuple[str, ...]:
    """Which versions the server accepts, with any cipher."""
    with ThreadPoolExecutor(max_workers=len(_VERSIONS)) as pool:
        found = pool.map(lambda name: bool(_try(way, name, name)), _VERSIONS)
        return tuple(name for name, takes in zip(_VERSIONS, found, strict=True) if takes)


def _any_cipher(way: Way) -> str:
    return _try(way, "TLSv1", "TLSv1.3")


def _try(way: Way, lowest: str, highest: str) -> str:
    """The version that is agreed on if every cipher is offered; empty: none."""
    context = any_certificate()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old versions are asked for on purpose
        context.minimum_version = _VERSIONS[lowest]
        context.maximum_version = _VERSIONS[highest]
    context.set_ciphers(_EVERYTHING)
    context.set_alpn_protocols([way.alpn])
    try:
        with connect(way, context) as link:
            return (link.version() or "") if isinstance(link, ssl.SSLSocket) else ""
    except OSError:
        return ""


def late_alert(way: Way) -> str:
    """OpenSSL's reason if the server refuses after the handshake; empty: it does not.

    A TLS 1.3 server checks the client's certificate after the client may send. If it closes with
    unread bytes, its alert is lost: so this function sends nothing.
    """
    try:
        with connect(way) as link:
            link.settimeout(min(1.0, way.timeout))
            link.recv(1)
    except OSError as error:
        outcome, reason = outcome_of(error)
        return reason if outcome is Outcome.ALERT else ""
    return ""


def chosen_alpn(way: Way, protocol: str) -> str:
    """The protocol that the server chooses if only this one is offered; empty: none."""
    try:
        with connect(replace(way, alpn=protocol)) as link:
            chosen = link.selected_alpn_protocol() if isinstance(link, ssl.SSLSocket) else None
            return chosen or ""
    except OSError:
        return ""
