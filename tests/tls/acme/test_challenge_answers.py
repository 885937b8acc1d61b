from __future__ import annotations

import hashlib
import os
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509

from lineman.tls.acme.challenge import alpn_certificate, key_authorization
from lineman.tls.acme.challenge_answers import ChallengeAnswers
from tls.support import Handshake

NAME = "chat.example.com"
DIGEST = hashlib.sha256(b"token.thumbprint").digest()


@pytest.fixture
def answers(tmp_path: Path) -> ChallengeAnswers:
    return ChallengeAnswers(tmp_path)


def authority(*protocols: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    return context


def test_nothing_is_open_before_and_after(answers: ChallengeAnswers) -> None:
    assert not answers.is_open()
    path = answers.publish_http("token", "token.thumbprint")
    assert answers.is_open()
    answers.withdraw([path])
    assert not answers.is_open()
    assert answers.http("token") is None


def test_another_process_sees_it(answers: ChallengeAnswers, tmp_path: Path) -> None:
    other = ChallengeAnswers(tmp_path)
    path = answers.publish_http("token", key_authorization("token", "thumbprint"))
    assert other.is_open()
    assert other.http("token") == b"token.thumbprint"
    answers.withdraw([path])
    assert not other.is_open()


def test_one_that_is_done_leaves_the_others_alone(answers: ChallengeAnswers) -> None:
    first = answers.publish_http("first", "1")
    second = answers.publish_http("second", "2")
    answers.withdraw([first])
    assert answers.http("second") == b"2"
    answers.withdraw([second])
    assert not answers.is_open()


def test_what_a_killed_job_left_is_swept_in_the_end(answers: ChallengeAnswers) -> None:
    old = answers.publish_http("old", "1")
    new = answers.publish_http("new", "2")
    os.utime(old, (0, time.time() - 4000))
    answers.withdraw([new])
    assert not answers.is_open()


@pytest.mark.parametrize("token", ["", "..", "../account.key", "a/b", "a\0b", "ä", "x" * 300])
def test_a_token_never_leads_out_of_the_directory(
    answers: ChallengeAnswers, tmp_path: Path, token: str
) -> None:
    answers.publish_http("token", "1")
    (tmp_path / "account.key").write_bytes(b"secret")
    assert answers.http(token) is None
    with pytest.raises(ValueError, match="malformed"):
        answers.publish_http(token, "1")


def test_the_authority_is_shown_the_proof(answers: ChallengeAnswers, handshake: Handshake) -> None:
    answers.publish_tls(NAME, alpn_certificate(NAME, DIGEST))
    context = answers.tls(NAME, (b"acme-tls/1",))
    assert context is not None
    _server, client = handshake(context, authority("acme-tls/1"), NAME)
    assert client.selected_alpn_protocol() == "acme-tls/1"
    der = client.getpeercert(binary_form=True)
    assert der is not None
    shown = x509.load_der_x509_certificate(der)
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName(NAME)]
    proof = shown.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"))
    assert proof.critical
    assert proof.value.value == b"\x04\x20" + DIGEST  # an OCTET STRING of 32 bytes


@pytest.mark.parametrize(
    ("name", "protocols"),
    [
        (NAME, (b"http/1.1",)),
        (NAME, ()),
        (NAME, (b"acme-tls/1", b"h2")),  # RFC 8737, section 3: the only one
        ("other.example.com", (b"acme-tls/1",)),
        ("", (b"acme-tls/1",)),
        ("../../certificate", (b"acme-tls/1",)),
        ("x" * 300, (b"acme-tls/1",)),
    ],
)
def test_nobody_else_is(answers: ChallengeAnswers, name: str, protocols: tuple[bytes, ...]) -> None:
    answers.publish_tls(NAME, alpn_certificate(NAME, DIGEST))
    assert answers.tls(name, protocols) is None


def test_a_proof_that_is_half_there_is_none(answers: ChallengeAnswers) -> None:
    path = answers.publish_tls(NAME, alpn_certificate(NAME, DIGEST))
    path.write_bytes(path.read_bytes()[:100])
    assert answers.tls(NAME, (b"acme-tls/1",)) is None
