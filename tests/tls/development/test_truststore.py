"""The development authority in trust stores: with the real certutil, in the test's directories."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from kit.program import find_program
from lineman.errors import ConfigError
from lineman.testing.certificates import TestCA
from lineman.tls.development import devca
from lineman.tls.development.truststore import NssStore, SystemStore, browser_stores, system_store


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return devca.development_certificate(tmp_path / "dev").ca


def listed(database: Path) -> str:
    certutil = find_program("certutil", "libnss3-tools")
    command = [certutil, "-d", f"sql:{database}", "-L"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_browsers_store_is_made_trusts_for_servers_only_and_no_longer(
    tmp_path: Path, ca: Path
) -> None:
    store = NssStore("Chromium", tmp_path / ".pki" / "nssdb")
    assert store.trust(ca).startswith("added Lineman development CA ")
    (line,) = [text for text in listed(store.directory).splitlines() if "Lineman" in text]
    assert line.split()[-1] == "C,,"
    assert "already" in store.trust(ca)
    assert store.untrust().startswith("removed Lineman development CA ")
    assert "Lineman" not in listed(store.directory)
    assert store.untrust() == ""


def test_two_authorities_and_an_older_name_are_all_taken_out_and_others_stay(
    tmp_path: Path, ca: Path
) -> None:
    store = NssStore("Firefox", tmp_path / "profile")
    store.trust(ca)
    store.trust(devca.development_certificate(tmp_path / "other").ca)
    certutil = find_program("certutil", "libnss3-tools")
    add = [certutil, "-d", f"sql:{store.directory}", "-A", "-t", "C,,", "-n"]
    mine = TestCA(tmp_path / "mine", name="mine").ca_path
    subprocess.run([*add, "Somebody's own CA", "-i", mine], check=True)
    third = devca.development_certificate(tmp_path / "third").ca
    subprocess.run([*add, "lineman-development", "-i", third], check=True)
    assert store.untrust().count("ineman") == 3
    assert "Somebody's own CA" in listed(store.directory)
    assert "ineman" not in listed(store.directory).replace(str(tmp_path), "")


def test_only_an_authority_of_ours_is_put_in(tmp_path: Path) -> None:
    foreign = TestCA(tmp_path / "foreign").ca_path
    for store in (NssStore("x", tmp_path / "db"), SystemStore(tmp_path, ("true",))):
        with pytest.raises(ConfigError, match="no development authority of lineman"):
            store.trust(foreign)


def test_a_store_that_certutil_cannot_use_is_told(tmp_path: Path, ca: Path) -> None:
    (tmp_path / "cert9.db").write_text("no database")
    with pytest.raises(ConfigError, match=r"certutil .* fails: certutil: "):
        NssStore("x", tmp_path).trust(ca)


def test_without_certutil_the_package_is_named(
    tmp_path: Path, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt-get install libnss3-tools"):
        NssStore("x", tmp_path / "db").trust(ca)


def test_the_stores_of_a_home_are_found(tmp_path: Path) -> None:
    assert [store.directory for store in browser_stores(tmp_path)] == [tmp_path / ".pki" / "nssdb"]
    chromium = tmp_path / "snap/chromium/current/.pki/nssdb"
    chromium.mkdir(parents=True)
    profiles = [tmp_path / ".mozilla/firefox/a.default", tmp_path / ".config/mozilla/firefox/b"]
    for profile in profiles:
        profile.mkdir(parents=True)
        (profile / "cert9.db").touch()
    found = list(browser_stores(tmp_path))
    assert [store.directory for store in found] == [chromium, *profiles]
    assert found[1].title == "Firefox (a.default)"


def test_the_systems_store_gets_a_copy_is_refreshed_and_gives_it_back(
    tmp_path: Path, ca: Path
) -> None:
    directory, log = tmp_path / "anchors", tmp_path / "refreshed"
    directory.mkdir()
    (directory / "other.crt").touch()
    store = SystemStore(directory, ("cp", str(ca), str(log)))
    assert store.trust(ca).startswith(f"added {directory}/lineman-development-")
    (copy,) = directory.glob("lineman*.crt")
    assert copy.read_bytes() == ca.read_bytes()
    assert log.exists()
    log.unlink()
    assert store.untrust().startswith("removed ")
    assert log.exists()
    assert [path.name for path in directory.iterdir()] == ["other.crt"]
    assert store.untrust() == ""


def test_debians_own_program_makes_a_copy_count(tmp_path: Path, ca: Path) -> None:
    """update-ca-certificates takes its directories as options, so the system's stay as they are."""
    program = find_program("update-ca-certificates", "ca-certificates")
    local, etc = tmp_path / "local", tmp_path / "certs"
    local.mkdir()
    etc.mkdir()
    (tmp_path / "ca-certificates.conf").touch()
    other = TestCA(tmp_path / "other").ca_path
    shutil.copy(other, local / "other.crt")  # the bundle of a real system is never empty
    options = ["--localcertsdir", str(local), "--etccertsdir", str(etc)]
    options += ["--certsconf", str(tmp_path / "ca-certificates.conf")]
    options += ["--certsdir", str(tmp_path), "--hooksdir", str(tmp_path / "none")]
    store = SystemStore(local, (program, *options), ("--fresh",))
    store.trust(ca)
    assert ca.read_text().strip() in (etc / "ca-certificates.crt").read_text()
    store.untrust()
    assert (etc / "ca-certificates.crt").read_text() == other.read_text()


def test_who_may_not_write_there_is_told_the_command(ca: Path) -> None:
    store = SystemStore(Path("/proc/nowhere"), ("true",))
    with pytest.raises(ConfigError, match="fix: sudo lineman cert trust --system --ca "):
        store.trust(ca)


def test_a_program_that_fails_is_told(tmp_path: Path, ca: Path) -> None:
    with pytest.raises(ConfigError, match="false fails: status 1"):
        SystemStore(tmp_path, ("false",)).trust(ca)
    with pytest.raises(ConfigError, match="No such file"):
        SystemStore(tmp_path, ("/nowhere/refresh",)).trust(ca)


def test_this_system_has_a_store() -> None:
    store = system_store()
    assert (store is None) == (shutil.which("update-ca-certificates", path="/usr/sbin") is None)
