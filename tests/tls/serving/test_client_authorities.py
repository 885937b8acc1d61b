from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lineman.errors import ConfigError
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.tls.serving.client_authorities import ClientRules, read_rules
from lineman.tls.serving.server_context import server_context
from lineman.tls.serving.tls_options import TlsOptions
from tls.support import revoke


def rules(ca_file: Path, **options: Any) -> ClientRules:
    given = TlsOptions(ca_file=ca_file, verify_client="required", **options)
    return read_rules(given, check=True)


@pytest.fixture
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue("localhost")


Connect = Callable[..., ssl.SSLObject]


@pytest.fixture
def connect(
    ca: TestCA, pair: IssuedPair, client_context: ssl.SSLContext, handshake: Any
) -> Connect:
    # In TLS 1.2 a refusal is part of the handshake.
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2

    def shake(client: IssuedPair | None, **options: Any) -> ssl.SSLObject:
        if client is not None:
            client_context.load_cert_chain(client.cert, client.key)
        given = {"ca_file": ca.ca_path, "verify_client": "required", **options}
        served = server_context(TlsOptions(cert=pair.cert, key=pair.key, **given)).context
        server: ssl.SSLObject = handshake(served, client_context)[0]
        return server

    return shake


# A file of authorities.


def test_a_ca_file_gives_its_certificates(ca: TestCA) -> None:
    both = ca.directory / "both.pem"
    both.write_bytes(ca.ca_path.read_bytes() + ca.intermediate().ca_path.read_bytes())
    file = rules(both).ca_file
    assert file is not None
    assert len(file.certificates) == 2


def test_a_ca_file_that_cannot_work_is_refused_by_its_name(ca: TestCA, pair: IssuedPair) -> None:
    with pytest.raises(ConfigError, match=r"there is no CA file .*gone\.pem"):
        rules(ca.directory / "gone.pem")
    with pytest.raises(ConfigError, match=r"holds no certificate but a private key; .*away"):
        rules(pair.key)
    lines = ca.ca_path.read_text().splitlines()
    ca.ca_path.write_text("\n".join(lines[:3] + lines[4:]))
    with pytest.raises(ConfigError, match=r"in the CA file .*ca\.pem is truncated or garbled"):
        rules(ca.ca_path)


# What a client's certificate must be.


def test_a_client_of_the_authority_is_let_in_and_one_without_is_not(
    ca: TestCA, connect: Connect
) -> None:
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        connect(None)
    assert connect(None, verify_client="optional").getpeercert() is None
    phone = ca.issue("phone", filename="phone", purpose="client")
    assert connect(phone).getpeercert()


def test_a_client_of_another_authority_is_refused(
    ca: TestCA, connect: Connect, tmp_path: Path
) -> None:
    stranger = TestCA(tmp_path / "other").issue("phone", filename="phone", purpose="client")
    with pytest.raises(ssl.SSLError, match=r"self-signed certificate|unable to get local issuer"):
        connect(stranger)


def test_authorities_may_be_in_a_directory(ca: TestCA, connect: Connect, tmp_path: Path) -> None:
    directory = tmp_path / "authorities"
    directory.mkdir()
    shutil.copy(ca.ca_path, directory)
    with pytest.raises(ConfigError, match=r"no file that OpenSSL would look for .*openssl rehash"):
        read_rules(TlsOptions(ca_path=directory, verify_client="required"), check=True)
    subprocess.run(["openssl", "rehash", directory], check=True)
    phone = ca.issue("phone", filename="phone", purpose="client")
    assert connect(phone, ca_file=None, ca_path=directory).getpeercert()


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the directory of authorities"):
        read_rules(TlsOptions(ca_path=tmp_path / "gone", verify_client="required"), check=True)


def test_a_revoked_client_is_refused_and_others_are_not(ca: TestCA, connect: Connect) -> None:
    phone = ca.issue("phone", filename="phone", purpose="client")
    lost = ca.issue("lost", filename="lost", purpose="client")
    crl = revoke(ca, lost.cert)
    assert connect(phone, crl_file=crl).getpeercert()
    with pytest.raises(ssl.SSLError, match="certificate revoked"):
        connect(lost, crl_file=crl)


def test_the_chain_of_a_client_may_be_so_deep_and_no_deeper(ca: TestCA, connect: Connect) -> None:
    phone = ca.intermediate().issue("phone", filename="phone", purpose="client")
    assert connect(phone, verify_depth=1).getpeercert()
    with pytest.raises(ssl.SSLError, match=r"chain too long|unable to get local issuer"):
        connect(phone, verify_depth=0)


# Lists that would refuse everybody.


def test_a_list_that_is_out_of_date_is_refused(ca: TestCA) -> None:
    crl = revoke(ca, next_update=timedelta(hours=-3))
    with pytest.raises(ConfigError, match=r"crl\.pem is out of date since .* every client would"):
        rules(ca.ca_path, crl_file=crl)


def test_a_list_of_another_authority_is_refused(ca: TestCA, tmp_path: Path) -> None:
    crl = revoke(TestCA(tmp_path / "other"))
    with pytest.raises(ConfigError, match=r"no authority in .* has signed it"):
        rules(ca.ca_path, crl_file=crl)


def test_a_list_as_authorities_publish_it_is_refused_with_the_command(ca: TestCA) -> None:
    crl = revoke(ca)
    der = x509.load_pem_x509_crl(crl.read_bytes()).public_bytes(Encoding.DER)
    (path := ca.directory / "published.crl").write_bytes(der)
    with pytest.raises(ConfigError, match=r"but a DER list .*; fix: openssl crl -inform DER -in"):
        rules(ca.ca_path, crl_file=path)


def test_a_file_that_is_no_list_is_refused(ca: TestCA) -> None:
    with pytest.raises(ConfigError, match=r"holds no list of revoked certificates but CERT"):
        rules(ca.ca_path, crl_file=ca.ca_path)
    crl = revoke(ca)
    lines = crl.read_text().splitlines()
    crl.write_text("\n".join(lines[:2] + lines[3:]))
    with pytest.raises(ConfigError, match="truncated or garbled"):
        rules(ca.ca_path, crl_file=crl)


def test_another_judgement_is_another_digest(ca: TestCA) -> None:
    plain, listed = rules(ca.ca_path), rules(ca.ca_path, crl_file=revoke(ca))
    picky = rules(ca.ca_path, client_fingerprints=["ab" * 32])
    assert len({plain.digest, listed.digest, picky.digest}) == 3
    assert plain.digest == rules(ca.ca_path).digest
