"""The facts about certificates, and which clients would accept them, with real files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from lineman.base.finding import Level
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.tls.advice.certificate_facts import look_at, read_roots
from lineman.tls.advice.verdict import Judgement, judge
from lineman.tls.development import devca
from lineman.tls.files.pem import read_pem

NOW = datetime.now(UTC)


def findings(cert: Path, ca: TestCA | None, *names: str) -> list[Judgement]:
    roots = [] if ca is None else read_roots(ca.ca_path)
    return judge(look_at(read_pem(cert, "certificate"), roots), names, NOW)


def bad(cert: Path, ca: TestCA | None, *names: str) -> Judgement:
    """The one finding that is not OK."""
    found = [each for each in findings(cert, ca, *names) if each.level is Level.ERROR]
    assert len(found) == 1, found
    assert found[0].name, "whoever must act upon it looks it up by its name"
    return found[0]


@pytest.fixture
def chained(ca: TestCA) -> IssuedPair:
    return ca.intermediate().issue(["chat.example.com", "*.example.com"])


def blocks(path: Path) -> list[str]:
    end = "-----END CERTIFICATE-----\n"
    return [text + end for text in path.read_text().split(end)[:-1]]


def test_a_good_chain_has_nothing_bad_and_is_told(ca: TestCA, chained: IssuedPair) -> None:
    found = findings(chained.cert, ca, "chat.example.com", "other.example.com")
    assert {each.level for each in found} == {Level.OK}
    texts = "\n".join(each.seen for each in found)
    assert "other.example.com is covered" in texts
    assert "its key is ECDSA P-256" in texts
    assert "CN=chat.example.com > CN=Lineman test intermediate > CN=Lineman test CA" in texts
    assert not any(each.browser or each.java or each.wechat for each in found)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("other.test", "it is not for other.test"),
        ("example.com", "does not cover the name without a label before it"),
        ("a.b.example.com", "covers one label only"),
        ("127.0.0.1", "it is not for 127.0.0.1"),
    ],
)
def test_a_name_that_is_not_covered(ca: TestCA, chained: IssuedPair, name: str, why: str) -> None:
    found = [each for each in findings(chained.cert, ca, name) if each.level is Level.ERROR]
    assert why in found[0].seen
    assert found[0].browser == "ERR_CERT_COMMON_NAME_INVALID"
    assert found[0].java == f"No subject alternative DNS name matching {name} found"


def test_a_missing_intermediate(ca: TestCA, chained: IssuedPair) -> None:
    chained.cert.write_text(blocks(chained.cert)[0])
    found = bad(chained.cert, ca)
    assert found.seen.endswith("issuer is missing: CN=Lineman test intermediate")
    assert "fullchain.pem instead of cert.pem" in found.fix
    assert "a desktop may fetch what is missing" in found.browser
    assert found.java.startswith("PKIX path building failed")
    assert found.wechat


def test_the_wrong_order(ca: TestCA, chained: IssuedPair) -> None:
    root = ca.ca_path.read_text()
    leaf, above = blocks(chained.cert)
    chained.cert.write_text(leaf + root + above)
    found = bad(chained.cert, ca)
    assert found.fix == (
        "write them so: CN=chat.example.com > CN=Lineman test intermediate > CN=Lineman test CA"
    )
    assert not found.browser
    assert not found.java


def test_an_authority_first(ca: TestCA, chained: IssuedPair) -> None:
    chained.cert.write_text("".join(reversed(blocks(chained.cert))))
    texts = [each.seen for each in findings(chained.cert, ca) if each.level is Level.ERROR]
    assert "the first certificate is an authority's, not a server's" in texts


def test_a_root_in_the_file_and_a_stranger(ca: TestCA, chained: IssuedPair, tmp_path: Path) -> None:
    whole = chained.cert.read_text() + ca.ca_path.read_text()
    chained.cert.write_text(whole + TestCA(tmp_path, name="stranger").ca_path.read_text())
    notes = [each.seen for each in findings(chained.cert, ca) if each.level is Level.INFO]
    assert notes[0].startswith("the root is in the file")
    assert notes[1] == "1 in the file do not belong to it: CN=stranger"


def test_an_authority_that_nobody_trusts(ca: TestCA, chained: IssuedPair, tmp_path: Path) -> None:
    found = bad(chained.cert, TestCA(tmp_path))
    assert found.seen.endswith("that this machine does not trust: CN=Lineman test CA")
    assert found.browser == "ERR_CERT_AUTHORITY_INVALID"


def test_the_authority_for_development_is_named_with_how_to_trust_it(
    ca: TestCA, tmp_path: Path
) -> None:
    made = devca.development_certificate(tmp_path / "dev")
    text = made.cert.read_bytes()
    for sent in (text, text + made.ca.read_bytes()):
        path = tmp_path / "sent.pem"
        path.write_bytes(sent)
        found = bad(path, ca, "localhost")
        assert found.name == "cert-private-authority"
        assert "lineman cert trust;" in found.fix
        assert "--ca ca.pem" in found.fix
        assert "fullchain" not in found.fix


def test_without_authorities_trust_is_not_judged(chained: IssuedPair) -> None:
    found = findings(chained.cert, None)
    assert [each.level for each in found].count(Level.ERROR) == 0
    assert "apt-get install ca-certificates" in found[-1].fix


@pytest.mark.parametrize(
    ("before", "after", "text", "java"),
    [
        (-9, -1, "it expired on ", "CertificateExpiredException: NotAfter"),
        (1, 9, "it is valid only from ", "CertificateNotYetValidException: NotBefore"),
    ],
)
def test_dates(ca: TestCA, before: int, after: int, text: str, java: str) -> None:
    start, end = NOW + timedelta(days=before), NOW + timedelta(days=after)
    found = bad(ca.issue("a.test", not_before=start, not_after=end).cert, ca)
    assert found.seen.startswith(text)
    assert (found.browser, found.java) == ("ERR_CERT_DATE_INVALID", java)


def test_one_that_should_have_been_renewed_is_noted(ca: TestCA) -> None:
    start, end = NOW - timedelta(days=80), NOW + timedelta(days=10)
    found = findings(ca.issue("a.test", not_before=start, not_after=end).cert, ca)
    assert "it should have been renewed by now" in "".join(each.fix for each in found)


def test_a_life_longer_than_browsers_take_from_public_authorities(
    ca: TestCA, tmp_path: Path
) -> None:
    pair = ca.issue("a.test", not_after=NOW + timedelta(days=250))
    found = [each for each in findings(pair.cert, ca) if "it is valid for" in each.seen]
    assert found[0].browser == "ERR_CERT_VALIDITY_TOO_LONG"
    found = [
        each for each in findings(pair.cert, TestCA(tmp_path)) if "it is valid for" in each.seen
    ]
    assert (found[0].level, found[0].browser) == (Level.INFO, "")


def test_an_authority_of_ones_own_may_vouch_for_longer_and_phones_do_not_have_it(
    ca: TestCA,
) -> None:
    roots = read_roots(ca.ca_path)
    for days, level in ((365, Level.OK), (824, Level.OK), (900, Level.INFO)):
        pair = ca.issue("a.test", not_before=NOW, not_after=NOW + timedelta(days=days))
        seen = look_at(read_pem(pair.cert, "certificate"), roots, frozenset(roots))
        found = judge(seen, ["a.test"], NOW)
        assert not any(each.browser or each.java or each.level is Level.ERROR for each in found)
        (trust,) = [each for each in found if each.name == "cert-own-authority"]
        assert "ssl hand shake error" in trust.wechat
        long = [each.level for each in found if each.name == "cert-lives-too-long"]
        assert long == ([level] if level is Level.INFO else [])


def self_signed(path: Path, key: object, *, names: bool = True) -> Path:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.test")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=30))
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName("a.test")])
        builder = builder.add_extension(alternatives, critical=False)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    cert = builder.sign(key, digest)  # type: ignore[arg-type]
    path.write_bytes(cert.public_bytes(Encoding.PEM))
    return path


def test_one_that_vouches_for_itself(ca: TestCA, tmp_path: Path) -> None:
    path = self_signed(tmp_path / "a.pem", ec.generate_private_key(ec.SECP256R1()))
    assert bad(path, ca).seen == "it is self-signed: no authority has signed it"


def test_one_without_names(ca: TestCA, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    path = self_signed(tmp_path / "a.pem", key, names=False)
    first = findings(path, ca)[0]
    assert first.seen.startswith("it has no names (subjectAltName)")
    assert first.browser == "ERR_CERT_COMMON_NAME_INVALID"
    assert not first.java


def test_keys_that_clients_do_not_take(ca: TestCA, tmp_path: Path) -> None:
    path = self_signed(tmp_path / "a.pem", ed25519.Ed25519PrivateKey.generate())
    texts = [each.seen for each in findings(path, ca)]
    assert "its key is Ed25519, which no browser accepts" in texts
    path = self_signed(tmp_path / "b.pem", ec.generate_private_key(ec.BrainpoolP256R1()))
    texts = [each.seen for each in findings(path, ca)]
    assert any(text.startswith("its key cannot be used: a key on the curve") for text in texts)


def test_one_for_clients_only(ca: TestCA) -> None:
    pair = ca.issue("a.test", purpose="client")
    assert any("lacks serverAuth" in each.seen for each in findings(pair.cert, ca))


def test_one_for_addresses_only_is_no_use_for_mini_programs(ca: TestCA) -> None:
    found = bad(ca.issue("192.168.1.5").cert, ca)
    assert found.wechat
    assert not found.browser
    assert not found.java
