from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lineman.cli.main import main
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.tls.development import devca


@pytest.fixture
def ca(tmp_path: Path) -> TestCA:
    return TestCA(tmp_path)


@pytest.fixture
def pair(ca: TestCA) -> IssuedPair:
    return ca.intermediate().issue("chat.example.com")


def check(*words: str | Path) -> int:
    return main(["cert", "check", *map(str, words)])


def test_a_good_one_is_explained_and_who_knows_its_authority_takes_it(
    ca: TestCA, pair: IssuedPair, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--ca", ca.ca_path, "--key", pair.key, "--name", "CHAT.example.com."]
    assert check(pair.cert, *words) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{pair.cert}: 2 certificates\n  subject  CN=chat.example.com\n")
    assert "ok   chat.example.com is covered" in out
    assert f"the private key {pair.key} belongs to it" in out
    assert "  a browser takes it\n  Java takes it\n  a WeChat mini-program refuses it: " in out
    assert "a phone does not have that authority" in out


def test_the_development_certificate_is_taken_but_by_phones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = devca.development_certificate(tmp_path / "dev")
    assert check(made.cert, "--ca", made.ca, "--name", "localhost") == 0
    out = capsys.readouterr().out
    assert "a browser takes it" in out
    assert "VALIDITY" not in out
    assert "a WeChat mini-program refuses it" in out


def test_a_bad_one_has_status_1_and_says_who_refuses_it_and_the_fix(
    ca: TestCA, pair: IssuedPair, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(pair.cert, "--ca", ca.ca_path, "--name", "other.test") == 1
    out = capsys.readouterr().out
    assert "BAD  it is not for other.test\n       fix: " in out
    assert "  a browser refuses it: ERR_CERT_COMMON_NAME_INVALID\n" in out


def test_the_systems_authorities_judge_where_none_are_given(
    pair: IssuedPair, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(pair.cert) == 1
    out = capsys.readouterr().out
    assert "an authority that this machine does not trust: CN=Lineman test CA" in out


def test_a_key_that_does_not_belong_to_it_is_bad(
    ca: TestCA, pair: IssuedPair, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ca.issue("other", filename="other")
    assert check(pair.cert, "--ca", ca.ca_path, "--key", other.key) == 1
    assert "does not belong to the certificate" in capsys.readouterr().out


def test_a_key_is_judged_though_the_certificate_has_expired(
    ca: TestCA, capsys: pytest.CaptureFixture[str]
) -> None:
    late = ca.issue("a.test", not_after=datetime.now(UTC) - timedelta(hours=1))
    late.key.chmod(0o644)
    assert check(late.cert, "--ca", ca.ca_path, "--key", late.key) == 1
    out = capsys.readouterr().out
    assert "belongs to it" in out
    assert f"chmod o= {late.key}" in out


def test_an_encrypted_key_asks_nobody_where_there_is_no_terminal(ca: TestCA) -> None:
    pair = ca.issue("a.test", passphrase=b"tom")
    command = [
        sys.executable,
        "-m",
        "lineman",
        "cert",
        "check",
        pair.cert,
        "--ca",
        ca.ca_path,
        "--key",
        pair.key,
    ]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "is encrypted, and no passphrase is given" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gone.pem"], "there is no certificate"),
        (["server.key"], "holds no certificate but a private key"),
        (["server.pem", "--name", "a b"], "'a b' is no host name"),
    ],
)
def test_what_cannot_be_looked_at_is_told(
    pair: IssuedPair,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(pair.cert.parent)
    assert check(*words) == 1
    assert said in capsys.readouterr().err
