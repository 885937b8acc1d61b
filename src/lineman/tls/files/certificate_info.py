"""The content of a certificate, and its name in messages."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from lineman.errors import ConfigError
from lineman.tls.files import x500
from lineman.tls.files.pem import PemBlock, PemFile, as_path


@dataclass(frozen=True, slots=True)
class CertificateInfo:
    """The content of a checked certificate.

    Args:
        subject, issuer: distinguished names in the form of RFC 4514.
        names: the DNS names and IP addresses it is for; browsers look at nothing else.
        serial: hexadecimal, lower case.
        not_before, not_after: when it is valid, both ends included; aware, in UTC.
        key_type: such as `ECDSA P-256` or `RSA 2048`; empty if it was not looked at.
        chain_length: certificates in the file; 1 is the leaf alone.
        cert_path, key_path: absolute; equal where one file holds both.
    """

    subject: str
    names: tuple[str, ...]
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    key_type: str
    chain_length: int
    cert_path: Path
    key_path: Path

    def refuse_dates(self, file: PemFile, now: datetime) -> None:
        """Raise unless `now` is within the validity, both ends included (RFC 5280, 4.1.2.5)."""
        seen = f"the certificate {file.shown} ({called(self.names, self.subject, self.serial)})"
        if now > self.not_after:
            raise ConfigError(
                f"{seen} expired on {date(self.not_after)}, {span(now - self.not_after)} ago",
                "renew it (certbot renew), then start again",
            )
        if now < self.not_before:
            raise ConfigError(
                f"{seen} is valid only from {date(self.not_before)}, in "
                f"{span(self.not_before - now)}; this machine's clock says {date(now)}",
                "look at the clock (timedatectl), or wait",
            )


def describe(path: str, cert: PemFile, key: PemFile) -> CertificateInfo:
    """Return the content of the first certificate at `path`, without the costly `cryptography`.

    Args:
        path: the file that OpenSSL reads.
        cert, key: the files as they were given.

    Raises:
        ssl.SSLError: OpenSSL cannot read it.
    """
    found: dict[str, Any] = ssl._ssl._test_decode_cert(path)  # type: ignore[attr-defined]
    names = (_name(kind, value) for kind, value in found.get("subjectAltName", ()))
    return CertificateInfo(
        subject=x500.as_text(found["subject"]),
        names=tuple(name for name in names if name),
        issuer=x500.as_text(found["issuer"]),
        serial=found["serialNumber"].lower().lstrip("0") or "0",
        not_before=_moment(found["notBefore"]),
        not_after=_moment(found["notAfter"]),
        key_type="",
        chain_length=len(cert.certificates),
        cert_path=cert.path,
        key_path=key.path,
    )


def names_of(block: PemBlock, file: PemFile) -> tuple[str, str]:
    """Return a certificate's subject and issuer, without `cryptography`.

    Raises:
        ssl.SSLError: OpenSSL cannot read it.
    """
    with as_path(block, fallback=file.path) as path:
        found: dict[str, Any] = ssl._ssl._test_decode_cert(path)  # type: ignore[attr-defined]
    return x500.as_text(found["subject"]), x500.as_text(found["issuer"])


def _name(kind: str, value: str) -> str:
    if kind == "DNS":
        return value
    try:
        return str(ip_address(value.strip())) if kind == "IP Address" else ""
    except ValueError:
        return ""


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def called(names: Sequence[str], subject: str, serial: str) -> str:
    """Return a certificate's name for messages."""
    if len(names) > 3:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return ", ".join(names) or subject or f"serial {serial}"


def date(moment: datetime) -> str:
    """`2026-11-25 13:20 UTC`."""
    return f"{moment:%Y-%m-%d %H:%M %Z}"


def span(length: timedelta) -> str:
    """A length of time in its largest unit: days, hours or minutes."""
    if length >= timedelta(days=2):
        return f"{length.days} days"
    minutes = int(length.total_seconds() // 60)
    return f"{minutes // 60} hours" if minutes >= 120 else f"{minutes} minutes"
