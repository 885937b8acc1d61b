from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from lineman.errors import ConfigError
from lineman.tls.development.issuing import (
    Authority,
    is_permitted,
    make_authority,
    make_leaf,
    new_key,
    plain_name,
    refuse_forbidden,
)

NOW = datetime.now(UTC).replace(microsecond=0)


class Handshake(Protocol):
    def __call__(
        self, server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost"
    ) -> tuple[ssl.SSLObject, ssl.SSLObject]: ...


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority(NOW)


def served(authority: Authority, directory: Path, *names: str) -> ssl.SSLContext:
    key = new_key()
    leaf = make_leaf(authority, key, names, NOW)
    both = directory / "both.pem"
    both.write_bytes(
        leaf.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context


def trusting(authority: Authority) -> ssl.SSLContext:
    """A client as Python 3.13 makes it."""
    pem = authority.cert.public_bytes(serialization.Encoding.PEM).decode()
    context = ssl.create_default_context(cadata=pem)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    return context


@pytest.mark.parametrize(
    "name", ["localhost", "app.localhost", "app.test", "tom.local", "127.0.0.1", "::1", "10.1.2.3"]
)
def test_a_strict_client_accepts_local_names_and_private_addresses(
    authority: Authority, tmp_path: Path, handshake: Handshake, name: str
) -> None:
    handshake(served(authority, tmp_path, "localhost", name), trusting(authority), name)


def test_a_strict_client_accepts_a_wildcard_below_test(
    authority: Authority, tmp_path: Path, handshake: Handshake
) -> None:
    context = served(authority, tmp_path, "*.app.test")
    handshake(context, trusting(authority), "chat.app.test")


@pytest.mark.parametrize("name", ["bank.example.com", "nottest", "8.8.8.8", "2001:db8::1"])
def test_a_client_refuses_what_the_constraints_forbid(
    authority: Authority, tmp_path: Path, handshake: Handshake, name: str
) -> None:
    context = served(authority, tmp_path, name)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(context, trusting(authority), name)


def test_a_forbidden_name_spoils_the_permitted_ones_beside_it(
    authority: Authority, tmp_path: Path, handshake: Handshake
) -> None:
    context = served(authority, tmp_path, "localhost", "bank.example.com")
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(context, trusting(authority), "localhost")


def test_a_leaf_cannot_sign_certificates_itself(
    authority: Authority, tmp_path: Path, handshake: Handshake
) -> None:
    key = new_key()
    below = Authority(make_leaf(authority, key, ["localhost"], NOW), key)
    context = served(below, tmp_path, "localhost")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(context, trusting(authority))


def test_the_authority_is_a_constrained_root_for_servers(authority: Authority) -> None:
    extensions = authority.cert.extensions
    basic = extensions.get_extension_for_class(x509.BasicConstraints)
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    constraints = extensions.get_extension_for_class(x509.NameConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    assert (usage.critical, usage.value.key_cert_sign) == (True, True)
    assert list(extended.value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert constraints.critical
    assert [n.value for n in constraints.value.permitted_subtrees or ()] == [
        "localhost",
        "test",
        "local",
        ip_network("127.0.0.0/8"),
        ip_network("::1/128"),
        ip_network("10.0.0.0/8"),
        ip_network("172.16.0.0/12"),
        ip_network("192.168.0.0/16"),
    ]
    assert authority.cert.not_valid_after_utc == NOW + timedelta(days=3650)


def test_two_authorities_have_different_names() -> None:
    assert make_authority(NOW).cert.subject != make_authority(NOW).cert.subject


def test_a_leaf_lives_shorter_than_apple_allows(authority: Authority) -> None:
    leaf = make_leaf(authority, new_key(), ["localhost"], NOW)
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert timedelta(days=365) <= life < timedelta(days=825)
    assert leaf.not_valid_before_utc == NOW - timedelta(days=1)


def test_a_leaf_never_outlives_the_authority(authority: Authority) -> None:
    late = NOW + timedelta(days=3500)
    leaf = make_leaf(authority, new_key(), ["localhost"], late)
    assert leaf.not_valid_after_utc == authority.cert.not_valid_after_utc


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (" App.Test. ", "app.test"),
        ("127.0.0.1", "127.0.0.1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("*.app.test", "*.app.test"),
        ("my_app.test", "my_app.test"),
    ],
)
def test_names_are_written_as_certificates_write_them(given: str, plain: str) -> None:
    assert plain_name(given) == plain


@pytest.mark.parametrize(
    "name", ["", "*", "a..test", "-a.test.x y", "http://app.test", "app.test:8443", "täst.test"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is no host name and no IP address"):
        plain_name(name)


def test_a_name_longer_than_dns_allows_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no host name"):
        plain_name("a." * 127 + "test")


@pytest.mark.parametrize("name", ["test", "a.b.test", "192.168.255.255", "172.31.0.1", "127.9.9.9"])
def test_local_names_and_addresses_are_permitted(name: str) -> None:
    assert is_permitted(name)
    refuse_forbidden(name)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("bank.example.com", "bank.test"),
        ("*.shop.example", "shop.test"),
        ("nottest", "nottest.test"),
        ("172.32.0.1", "app.test"),
        ("fe80::1", "app.test"),
    ],
)
def test_other_names_are_refused_with_one_that_works(name: str, instead: str) -> None:
    assert not is_permitted(name)
    with pytest.raises(ConfigError, match=f"fix: use {instead} "):
        refuse_forbidden(name)
