from __future__ import annotations

import base64
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID

from lineman.errors import ConfigError
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.tls.files.certificate_check import check_pair, read_pair
from tls.support import damage_rsa_key

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue(["example.com", "127.0.0.1"])


def refusal(
    cert: str | Path,
    key: str | Path | None,
    passphrase: str | bytes | None = None,
    now: datetime = NOW,
) -> str:
    with pytest.raises(ConfigError) as caught:
        check_pair(cert, key, passphrase, now=now)
    return str(caught.value)


def pem(key: Any, encryption: Any = None) -> bytes:
    data: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    )
    return data


def self_signed(directory: Path, key: Any, *, digest: Any = None, name: str = "x") -> IssuedPair:
    """Write a pair for any kind of key, signed by an ECDSA key of nobody's."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    made = IssuedPair(directory / f"{name}.pem", directory / f"{name}.key")
    made.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(pem(key))
    return made


# What is accepted.


def test_what_a_missing_file_is_mended_with_in_development_is_told(tmp_path: Path) -> None:
    (tmp_path / "there.pem").write_text("x")
    for cert, key in (("a.pem", None), ("a.pem", "b.pem")):
        with pytest.raises(ConfigError, match='for development: tls="dev"'):
            read_pair(tmp_path / cert, None if key is None else tmp_path / key)


def test_a_good_pair_tells_what_the_certificate_says(ca: TestCA) -> None:
    start = NOW - timedelta(days=3)
    end = NOW + timedelta(days=3)
    pair = ca.intermediate().issue(
        ["example.com", "*.example.com", "127.0.0.1", "::1"], not_before=start, not_after=end
    )
    info = check_pair(pair.cert, pair.key, None, now=NOW)
    assert info.subject == "CN=example.com"
    assert info.issuer == "CN=Lineman test intermediate"
    assert info.names == ("example.com", "*.example.com", "127.0.0.1", "::1")
    assert (info.not_before, info.not_after) == (start, end)
    assert info.key_type == "ECDSA P-256"
    assert info.chain_length == 2
    assert (info.cert_path, info.key_path) == (pair.cert, pair.key)
    leaf = x509.load_pem_x509_certificate(pair.cert.read_bytes())
    assert int(info.serial, 16) == leaf.serial_number


def test_relative_paths_become_absolute(pair: IssuedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pair.cert.parent)
    info = check_pair("server.pem", Path("server.key"), None, now=NOW)
    assert (info.cert_path, info.key_path) == (pair.cert, pair.key)


@pytest.mark.parametrize("key_first", [False, True])
def test_one_file_may_hold_certificate_and_key(
    pair: IssuedPair, tmp_path: Path, key_first: bool
) -> None:
    parts = [pair.cert.read_bytes(), pair.key.read_bytes()]
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(reversed(parts) if key_first else parts))
    info = check_pair(both, None, None, now=NOW)
    assert info.cert_path == info.key_path == both
    assert check_pair(both, both, None, now=NOW) == info


@pytest.mark.parametrize("passphrase", ["tom", b"tom"])
def test_a_passphrase_opens_an_encrypted_key(ca: TestCA, passphrase: str | bytes) -> None:
    pair = ca.issue("localhost", passphrase=b"tom")
    assert check_pair(pair.cert, pair.key, passphrase, now=NOW)


def test_a_passphrase_opens_an_older_encrypted_key(ca: TestCA) -> None:
    pair = ca.issue("localhost")
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.BestAvailableEncryption(b"tom"),
        )
    )
    assert check_pair(pair.cert, pair.key, "tom", now=NOW)


def test_a_passphrase_for_a_key_in_the_clear_is_ignored(pair: IssuedPair) -> None:
    assert check_pair(pair.cert, pair.key, "tom", now=NOW)


def test_the_curve_before_an_elliptic_key_is_skipped(pair: IssuedPair) -> None:
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    pair.key.write_text(parameters + pair.key.read_text())
    assert check_pair(pair.cert, pair.key, None, now=NOW)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), "RSA 2048"),
        (lambda: ec.generate_private_key(ec.SECP384R1()), "ECDSA P-384"),
        (ed25519.Ed25519PrivateKey.generate, "Ed25519"),
        (ed448.Ed448PrivateKey.generate, "Ed448"),
    ],
    ids=["rsa", "p384", "ed25519", "ed448"],
)
def test_the_kind_of_key_has_a_name(tmp_path: Path, make: Callable[[], Any], name: str) -> None:
    pair = self_signed(tmp_path, make())
    assert check_pair(pair.cert, pair.key, None, now=NOW).key_type == name


def test_a_certificate_without_names_has_none(tmp_path: Path) -> None:
    pair = self_signed(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    assert check_pair(pair.cert, pair.key, None, now=NOW).names == ()


@pytest.mark.parametrize("edge", [timedelta(days=-1), timedelta(days=1)])
def test_both_ends_of_the_validity_are_valid(ca: TestCA, edge: timedelta) -> None:
    pair = ca.issue(
        "localhost", not_before=NOW - timedelta(days=1), not_after=NOW + timedelta(days=1)
    )
    assert check_pair(pair.cert, pair.key, None, now=NOW + edge)
    assert refusal(pair.cert, pair.key, now=NOW + edge + edge / 86400)


# What is refused.


def test_a_missing_certificate_or_key_is_refused_by_its_role(pair: IssuedPair) -> None:
    gone = pair.cert.parent / "gone.pem"
    assert f"there is no certificate {gone}" in refusal(gone, pair.key)
    assert f"there is no private key {gone}" in refusal(pair.cert, gone)


def test_a_swapped_pair_is_said_to_be_swapped_with_the_right_line(pair: IssuedPair) -> None:
    text = refusal(pair.key, pair.cert)
    assert "the certificate and the key are swapped" in text
    assert f"fix: write cert={str(pair.cert)!r}, key={str(pair.key)!r}" in text


def test_a_key_in_both_places_is_no_certificate(pair: IssuedPair) -> None:
    text = refusal(pair.key, pair.key)
    assert f"the certificate {pair.key} holds no certificate but a private key" in text


def test_a_certificate_in_both_places_is_no_key(pair: IssuedPair) -> None:
    text = refusal(pair.cert, pair.cert)
    assert f"the private key {pair.cert} holds no private key but a certificate" in text


def test_a_certificate_alone_without_a_key_option_says_which_to_write(pair: IssuedPair) -> None:
    text = refusal(pair.cert, None)
    assert "holds a certificate but no private key, and no key is given" in text
    assert 'write key="server.key"' in text


@pytest.mark.parametrize(
    ("label", "seen"),
    [
        ("CERTIFICATE REQUEST", "a certificate signing request; fix: send it to the authority"),
        ("NEW CERTIFICATE REQUEST", "a certificate signing request"),
        ("PKCS7", "a PKCS #7 bundle; fix: openssl pkcs7 -print_certs -in"),
        ("TRUSTED CERTIFICATE", "a certificate in OpenSSL's own form; fix: openssl x509 -in"),
        ("DH PARAMETERS", "DH PARAMETERS; fix: give the certificate as PEM"),
    ],
)
def test_other_pem_in_place_of_a_certificate_is_named(
    pair: IssuedPair, tmp_path: Path, label: str, seen: str
) -> None:
    other = tmp_path / "other.pem"
    other.write_text(f"-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")
    assert f"the certificate {other} holds no certificate but {seen}" in refusal(other, pair.key)


@pytest.mark.parametrize(
    ("label", "seen"),
    [
        ("PUBLIC KEY", "a public key; fix: give the private key that belongs to it"),
        ("OPENSSH PRIVATE KEY", "a key of OpenSSH"),
    ],
)
def test_other_pem_in_place_of_a_key_is_named(
    pair: IssuedPair, tmp_path: Path, label: str, seen: str
) -> None:
    other = tmp_path / "other.key"
    other.write_text(f"-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")
    assert f"the private key {other} holds no private key but {seen}" in refusal(pair.cert, other)


def test_a_certificate_with_a_line_missing_is_garbled(pair: IssuedPair) -> None:
    lines = pair.cert.read_text().splitlines()
    pair.cert.write_text("\n".join(lines[:3] + lines[4:]))
    text = refusal(pair.cert, pair.key)
    assert f"certificate 1 of 1 (line 1) in the certificate {pair.cert} is truncated or" in text


def test_a_garbled_second_certificate_is_named_by_its_number(ca: TestCA) -> None:
    pair = ca.intermediate().issue("localhost")
    lines = pair.cert.read_text().splitlines()
    begin = lines.index("-----BEGIN CERTIFICATE-----", 1)
    pair.cert.write_text("\n".join(lines[: begin + 2] + lines[begin + 3 :]))
    assert f"certificate 2 of 2 (line {begin + 1})" in refusal(pair.cert, pair.key)


def test_a_key_with_a_line_missing_is_garbled(pair: IssuedPair) -> None:
    lines = pair.key.read_text().splitlines()
    pair.key.write_text("\n".join(lines[:2] + lines[3:]))
    text = refusal(pair.cert, pair.key)
    assert f"the private key {pair.key} (line 1) is truncated or garbled" in text


def test_an_rsa_key_that_signs_wrongly_is_damaged_although_its_public_half_fits(
    tmp_path: Path,
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pair = self_signed(tmp_path, key)
    damage_rsa_key(pair.key)
    text = refusal(pair.cert, pair.key)
    assert f"the private key {pair.key} is damaged: what it signs does not verify" in text


def with_unknown_curve(path: Path) -> None:
    """Give the file a curve that nobody has defined, in place of P-256."""
    lines = path.read_bytes().split(b"\n")
    der = base64.b64decode(b"".join(lines[1:-2]))
    known, unknown = bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03017f")
    assert known in der
    body = base64.encodebytes(der.replace(known, unknown))
    path.write_bytes(lines[0] + b"\n" + body + lines[-2] + b"\n")


def test_a_certificate_on_an_unknown_curve_is_refused(pair: IssuedPair) -> None:
    with_unknown_curve(pair.cert)
    text = refusal(pair.cert, pair.key)
    assert f"the certificate {pair.cert} has a key that cannot be used: " in text


def test_a_private_key_on_an_unknown_curve_is_refused(pair: IssuedPair) -> None:
    with_unknown_curve(pair.key)
    text = refusal(pair.cert, pair.key)
    assert f"the private key {pair.key} is of a kind that cannot be read: " in text


def test_the_search_for_the_leaf_passes_over_certificates_it_cannot_use(
    ca: TestCA, pair: IssuedPair
) -> None:
    odd = ca.issue("odd.example", filename="odd")
    other = ca.issue("other.example", filename="other")
    with_unknown_curve(odd.cert)
    pair.cert.write_bytes(pair.cert.read_bytes() + odd.cert.read_bytes() + other.cert.read_bytes())
    assert "is number 3 of 3 (other.example)" in refusal(pair.cert, other.key)


@pytest.mark.parametrize("passphrase", [None, "", b""])
def test_an_encrypted_key_without_a_passphrase_is_refused_and_nobody_is_asked(
    ca: TestCA, passphrase: str | bytes | None
) -> None:
    pair = ca.issue("localhost", passphrase=b"tom")
    text = refusal(pair.cert, pair.key, passphrase)
    assert f"the private key {pair.key} is encrypted, and no passphrase is given" in text
    assert f"take it off: openssl pkey -in {pair.key} -out server.key" in text


@pytest.mark.parametrize("passphrase", ["jerry", b"\xff", "x" * 1024])
def test_a_wrong_passphrase_is_refused_without_being_shown(
    ca: TestCA, passphrase: str | bytes
) -> None:
    pair = ca.issue("localhost", passphrase=b"tom")
    text = refusal(pair.cert, pair.key, passphrase)
    assert f"the passphrase does not open the private key {pair.key}" in text
    assert "jerry" not in text
    assert "xxx" not in text


def test_a_key_of_another_certificate_is_refused(ca: TestCA, pair: IssuedPair) -> None:
    other = ca.issue("other.example", filename="other")
    text = refusal(pair.cert, other.key)
    assert f"the private key {other.key} does not belong to the certificate {pair.cert}" in text
    assert "(example.com, 127.0.0.1)" in text
    assert f"openssl x509 -noout -pubkey -in {pair.cert}" in text


def test_a_key_of_another_kind_is_refused(ca: TestCA, pair: IssuedPair) -> None:
    other = ca.issue("example.com", filename="other", key="rsa")
    assert "does not belong" in refusal(pair.cert, other.key)
    assert "does not belong" in refusal(other.cert, pair.key)


def test_a_chain_that_does_not_begin_with_the_leaf_says_where_the_leaf_is(ca: TestCA) -> None:
    between = ca.intermediate()
    pair = between.issue("example.com")
    leaf = pair.cert.read_bytes().removesuffix(between.ca_path.read_bytes())
    pair.cert.write_bytes(between.ca_path.read_bytes() + ca.ca_path.read_bytes() + leaf)
    text = refusal(pair.cert, pair.key)
    assert f"the certificates in {pair.cert} are in the wrong order" in text
    assert "is number 3 of 3 (example.com), and it must be the first" in text


def test_a_chain_in_disorder_above_the_leaf_says_what_must_follow_what(ca: TestCA) -> None:
    pair = ca.intermediate().issue("example.com")
    leaf, between, _ = (
        part + "-----END CERTIFICATE-----\n"
        for part in pair.cert.read_text().split("-----END CERTIFICATE-----\n")
    )
    root = ca.ca_path.read_text()
    pair.cert.write_text(leaf + between + root + root)
    assert check_pair(pair.cert, pair.key, None, now=NOW).chain_length == 4
    pair.cert.write_text(leaf + root + between)
    text = refusal(pair.cert, pair.key)
    assert f"the certificates in {pair.cert} are in the wrong order" in text
    assert "number 3 of 3 (CN=Lineman test intermediate) has issued number 1" in text


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(days=40), "40 days ago"),
        (timedelta(hours=30), "30 hours ago"),
        (timedelta(minutes=5), "5 minutes ago"),
    ],
)
def test_an_expired_certificate_says_when(ca: TestCA, ago: timedelta, said: str) -> None:
    pair = ca.issue("example.com", not_before=NOW - timedelta(days=90), not_after=NOW - ago)
    text = refusal(pair.cert, pair.key)
    when = f"{NOW - ago:%Y-%m-%d %H:%M} UTC"
    assert f"the certificate {pair.cert} (example.com) expired on {when}, {said}" in text
    assert "fix: renew it (certbot renew)" in text


def test_a_certificate_that_is_not_yet_valid_points_at_the_clock(ca: TestCA) -> None:
    start = NOW + timedelta(days=4)
    pair = ca.issue("example.com", not_before=start, not_after=start + timedelta(days=9))
    text = refusal(pair.cert, pair.key)
    assert f"is valid only from {start:%Y-%m-%d %H:%M} UTC, in 4 days" in text
    assert f"this machine's clock says {NOW:%Y-%m-%d %H:%M} UTC; fix: look at the clock" in text


def test_an_expired_certificate_of_the_wrong_key_is_first_of_all_the_wrong_one(
    ca: TestCA, pair: IssuedPair
) -> None:
    old = ca.issue("a", not_before=NOW - timedelta(2), not_after=NOW - timedelta(1), filename="old")
    assert "does not belong" in refusal(old.cert, pair.key)


def test_an_rsa_key_below_2048_bits_is_refused(tmp_path: Path) -> None:
    pair = self_signed(tmp_path, rsa.generate_private_key(65537, 1024))
    assert "an RSA key of 1024 bits; clients refuse less than 2048" in refusal(pair.cert, pair.key)


def test_a_curve_that_tls_does_not_know_is_refused(tmp_path: Path) -> None:
    pair = self_signed(tmp_path, ec.generate_private_key(ec.SECP256K1()))
    assert "a key on the curve secp256k1, unknown to TLS" in refusal(pair.cert, pair.key)


def test_a_key_that_cannot_sign_in_tls_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pair = self_signed(tmp_path, dsa.generate_private_key(2048))
    assert "has a DSAPublicKey, which cannot sign in TLS" in refusal(pair.cert, pair.key)


def test_commands_in_messages_quote_the_path(ca: TestCA) -> None:
    pair = ca.issue("localhost", filename="my server", passphrase=b"tom")
    assert f"openssl pkey -in '{pair.key}' -noout" in refusal(pair.cert, pair.key, "jerry")
