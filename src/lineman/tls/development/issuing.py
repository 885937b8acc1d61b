"""Builds the certificates of the development authority: values in, values out.

The authority's name constraints let it certify only local names and private addresses. So a machine
that trusts it risks nothing for other names, even if its key is stolen (RFC 5280, section
4.2.1.10).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from lineman.errors import ConfigError

if TYPE_CHECKING:  # imported where it runs: it costs a process 11 MiB and 40 ms
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

# The names that the authority may certify: each domain and every name below it. Nobody can register
# names below `.test` and `.localhost` (RFC 2606); `.local` is for the local network (RFC 6762).
PERMITTED_DOMAINS = ("localhost", "test", "local")
PERMITTED_NETWORKS = tuple(
    ip_network(network)
    for network in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)

_AUTHORITY_LIFE = timedelta(days=3650)  # long, since each browser must trust a new one
_LEAF_LIFE = timedelta(days=365)  # Apple refuses more than 825 days, even below one's own root
_BACKDATED = timedelta(days=1)  # a phone's clock may be behind

_DNS_NAME = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9-]{1,63}")


@dataclass(frozen=True, slots=True)
class Authority:
    """A root certificate and the key it signs with."""

    cert: x509.Certificate
    key: EllipticCurvePrivateKey


def plain_name(name: str) -> str:
    """Return a name or address as certificates write it: lower case, no dot at the end.

    Raises:
        ConfigError: it is neither.
    """
    plain = name.strip().lower().removesuffix(".")
    address = _address(plain)
    if address is not None:
        return str(address)
    if len(plain) > 253 or _DNS_NAME.fullmatch(plain) is None:
        raise ConfigError(
            f"{name!r} is no host name and no IP address", 'give names such as "app.test"'
        )
    return plain


def is_permitted(name: str) -> bool:
    """Whether the authority's constraints allow a name (as `plain_name` writes it)."""
    address = _address(name)
    if address is not None:
        return any(address in network for network in PERMITTED_NETWORKS)
    return any(f".{name}".endswith(f".{domain}") for domain in PERMITTED_DOMAINS)


def refuse_forbidden(name: str) -> None:
    """Raise `ConfigError` where a browser would refuse the name from this authority."""
    if is_permitted(name):
        return
    first = "app" if _address(name) else name.removeprefix("*.").partition(".")[0]
    raise ConfigError(
        f"the development authority may not certify {name}: it is for names below "
        f"{', '.join(PERMITTED_DOMAINS)} and addresses in "
        f"{', '.join(str(network) for network in PERMITTED_NETWORKS)}",
        f"use {first}.test (with a line in /etc/hosts), or a public authority's certificate",
    )


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def new_key() -> EllipticCurvePrivateKey:
    """Return a key on P-256, which every browser accepts and which signs fastest."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def name_constraints() -> x509.NameConstraints:
    """Return the extension that limits the authority to local names and private addresses."""
    from cryptography import x509

    domains = [x509.DNSName(domain) for domain in PERMITTED_DOMAINS]
    networks = [x509.IPAddress(network) for network in PERMITTED_NETWORKS]
    return x509.NameConstraints([*domains, *networks], excluded_subtrees=None)


def make_authority(now: datetime) -> Authority:
    """Return a new root: for servers only, with nothing between it and its leaves."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = new_key()
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # A part of the key's id distinguishes two of them in a trust store, and does not reveal the
    # user.
    subject = _subject(f"Lineman development CA {key_id.digest.hex()[:8]}")
    builder = (
        _builder(subject, subject, key, now, _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(name_constraints(), critical=True)
        .add_extension(key_id, critical=False)
    )
    return Authority(_signed(builder, key), key)


def make_leaf(
    authority: Authority, key: EllipticCurvePrivateKey, names: Sequence[str], now: datetime
) -> x509.Certificate:
    """Return a server certificate for names and addresses; it never outlives the authority.

    Args:
        authority: signs it; this function does not check its constraints.
        key: the certificate holds its public half.
        names: as `plain_name` writes them.
        now: the start of its life; aware.
    """
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    life = min(_LEAF_LIFE, authority.cert.not_valid_after_utc - now)
    found = [(name, _address(name)) for name in names]
    alternatives = [x509.IPAddress(ip) if ip is not None else x509.DNSName(n) for n, ip in found]
    issuer_id = authority.cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(_subject("localhost"), authority.cert.subject, key, now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id),
            critical=False,
        )
    )
    return _signed(builder, authority.key)


def _subject(common_name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lineman development"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: EllipticCurvePrivateKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + life)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography.hazmat.primitives import hashes

    return builder.sign(key, hashes.SHA256())
