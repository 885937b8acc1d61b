"""The parts of a file that are certificates or keys, and may be given to another user."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from lineman.process.master.pemblocks import BlockKind, blocks
from lineman.testing.certificates import TestCA

CERTIFICATE, KEY = frozenset({BlockKind.CERTIFICATE}), frozenset({BlockKind.KEY})
BOTH = CERTIFICATE | KEY
LOCKED = BestAvailableEncryption(b"secret")

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


@pytest.mark.parametrize(
    ("key", "form", "encryption"),
    [
        (RSA, PrivateFormat.PKCS8, NoEncryption()),
        (RSA, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        (RSA, PrivateFormat.PKCS8, LOCKED),
        (RSA, PrivateFormat.TraditionalOpenSSL, LOCKED),
        (EC, PrivateFormat.PKCS8, NoEncryption()),
        (EC, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        (EC, PrivateFormat.TraditionalOpenSSL, LOCKED),
        (ED, PrivateFormat.PKCS8, NoEncryption()),
    ],
)
def test_every_form_of_a_key_comes_through_unchanged(
    key: PrivateKeyTypes, form: PrivateFormat, encryption: KeySerializationEncryption
) -> None:
    pem = key.private_bytes(Encoding.PEM, form, encryption)
    assert blocks(pem, KEY) == pem
    assert blocks(pem.replace(b"\n", b"\r\n"), KEY) == pem
    assert blocks(pem, CERTIFICATE) == b""


def test_a_chain_comes_through_in_its_order_and_openssl_loads_it(tmp_path: Path) -> None:
    ca = TestCA(tmp_path)
    pair = ca.issue(["localhost"])
    chain = pair.cert.read_bytes() + Path(ca.ca_path).read_bytes()
    (tmp_path / "chain.pem").write_bytes(blocks(b"what it is for\n" + chain, CERTIFICATE))
    (tmp_path / "one.key").write_bytes(blocks(pair.key.read_bytes(), KEY))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "one.key")
    assert blocks(chain, CERTIFICATE) == chain
    together = pair.key.read_bytes() + chain
    assert blocks(together, BOTH) == together
    assert blocks(together, CERTIFICATE) == chain
    assert blocks(together, KEY) == pair.key.read_bytes()


def pem(label: str, body: str) -> bytes:
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n".encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"root:$6$secret:19000:0:99999:7:::\n",
        pem("PRIVATE KEY", "not base64 at all!"),
        pem("PRIVATE KEY", "cm9vdDokNiRzZWNyZXQ6MTkwMDA6MDo5OTk5OTo3Ojo6"),  # a line of a file
        pem("PRIVATE KEY", "MAA="),  # a sequence of nothing
        pem("PRIVATE KEY", "MIA="),  # of no length
        pem("PRIVATE KEY", ""),
        pem("CERTIFICATE", "MAMCAQA="),  # a number is no certificate
        pem("RSA PRIVATE KEY", "MAMCAQA="),
        pem("OPENSSH PRIVATE KEY", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU="),
        pem("X509 CRL", "MAMCAQA="),
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n",
        b"-----BEGIN PRIVATE KEY-----\nMC4C\n-----END CERTIFICATE-----\n",
        b"\xff" * 1000,
        b"-----BEGIN " * 20_000,
        b"-" * 1_000_000,
    ],
)
def test_what_is_none_gives_nothing(content: bytes) -> None:
    assert blocks(content, BOTH) == b""


def test_what_follows_the_content_is_not_smuggled_along() -> None:
    good = EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    lines = good.splitlines(keepends=True)
    assert b"secret" not in blocks(b"secret\n" + good + b"secret\n", BOTH)
    assert blocks(b"".join([*lines[:-1], b"c2VjcmV0\n", lines[-1]]), BOTH) == b""
    old = RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, LOCKED)
    noted = old.replace(b"DEK-Info", b"Comment: secret\nDEK-Info")
    assert b"secret" not in blocks(noted, BOTH)
