"""Authorities and revoked clients that change while the service runs."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lineman.testing.certificates import IssuedPair, TestCA
from tls.support import errors, live, revoke


@pytest.fixture
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue("localhost")


# Clients' authorities.


def test_a_new_list_of_revoked_clients_counts_from_the_next_handshake(
    ca: TestCA, pair: IssuedPair, client_context: ssl.SSLContext, handshake: Any
) -> None:
    phone = ca.issue("phone", filename="phone", purpose="client")
    client_context.load_cert_chain(phone.cert, phone.key)
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    crl = revoke(ca)
    tls = live(pair, ca_file=ca.ca_path, crl_file=crl, verify_client="required")
    handshake(tls.context, client_context)
    revoke(ca, phone.cert)
    assert tls.look()
    with pytest.raises(ssl.SSLError, match="certificate revoked"):
        handshake(tls.context, client_context)


def test_a_list_that_is_no_use_leaves_the_old_one(
    ca: TestCA, pair: IssuedPair, caplog: pytest.LogCaptureFixture
) -> None:
    crl = revoke(ca)
    tls = live(pair, ca_file=ca.ca_path, crl_file=crl, verify_client="required")
    crl.write_text("")
    for _ in range(3):
        assert not tls.look()
    (line,) = errors(caplog)
    assert line.startswith("clients' certificates are checked by the old rules: the CRL file")
    assert tls.reload() == [line.partition(": ")[2]]


def test_an_authority_that_is_taken_out_of_the_directory_no_longer_counts(
    ca: TestCA, pair: IssuedPair, client_context: ssl.SSLContext, handshake: Any, tmp_path: Path
) -> None:
    phone = ca.issue("phone", filename="phone", purpose="client")
    client_context.load_cert_chain(phone.cert, phone.key)
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    directory = tmp_path / "authorities"
    directory.mkdir()
    shutil.copy(ca.ca_path, directory / "phones.pem")
    shutil.copy(TestCA(tmp_path / "other", name="other").ca_path, directory / "other.pem")
    subprocess.run(["openssl", "rehash", directory], check=True)
    tls = live(pair, ca_path=directory, verify_client="required")
    handshake(tls.context, client_context)
    (directory / "phones.pem").unlink()
    subprocess.run(["openssl", "rehash", directory], check=True)
    assert tls.look()
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        handshake(tls.context, client_context)
