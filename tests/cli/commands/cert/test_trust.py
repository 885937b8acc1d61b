from __future__ import annotations

from pathlib import Path

import pytest

from lineman.cli.main import main
from lineman.testing.certificates import TestCA
from lineman.tls.development import devca


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return tmp_path


def test_the_authority_is_made_where_there_is_none_and_browsers_trust_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cert", "trust", "--browsers"]) == 0
    ca = home / ".local" / "share" / "lineman" / "dev" / "ca.pem"
    assert ca.exists()
    assert ca.with_name("ca.key").stat().st_mode & 0o777 == 0o600
    out = capsys.readouterr().out
    assert f"the authority {ca}\n  Chromium, Chrome, Edge: added Lineman development CA " in out
    assert str(home / ".pki" / "nssdb") in out
    assert main(["cert", "untrust", "--browsers"]) == 0
    assert "Chromium, Chrome, Edge: removed Lineman" in capsys.readouterr().out


def test_the_systems_store_is_a_directory(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--system", "--system-directory", str(home)]
    assert main(["cert", "untrust", *words]) == 0
    assert "the system's store: nothing to remove" in capsys.readouterr().out
    assert main(["cert", "trust", *words]) == 0
    assert len(list(home.glob("lineman-development-*.crt"))) == 1
    assert main(["cert", "untrust", *words]) == 0
    assert not list(home.glob("*.crt"))


def test_one_authority_of_two_is_taken_out(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stores = home / "stores"
    stores.mkdir()
    words = ["--system", "--system-directory", str(stores)]
    authorities = [devca.development_certificate(home / name).ca for name in ("one", "two")]
    for trusting in (words, ["--browsers"]):
        for ca in authorities:
            assert main(["cert", "trust", *trusting, "--ca", str(ca)]) == 0
        for ca in authorities:
            capsys.readouterr()
            assert main(["cert", "untrust", *trusting, "--ca", str(ca)]) == 0
            out = capsys.readouterr().out
            assert out.count("Lineman development CA") + out.count(".crt") == 1, out
            assert main(["cert", "untrust", *trusting, "--ca", str(ca)]) == 0
            assert "nothing to remove" in capsys.readouterr().out


def test_each_store_is_tried_and_one_that_fails_makes_the_status_1(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cert", "trust", "--system-directory", "/proc/nowhere"]) == 1
    told = capsys.readouterr()
    assert "the system's store: cannot write /proc/nowhere/lineman" in told.err
    assert "Chromium, Chrome, Edge: added" in told.out


def test_another_authority_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign = TestCA(home / "foreign").ca_path
    assert main(["cert", "trust", "--browsers", "--ca", str(foreign)]) == 1
    assert "no development authority of lineman" in capsys.readouterr().err
