from __future__ import annotations

import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lineman.errors import ConfigError
from lineman.tls.development.devca import DevelopmentCertificate, development_certificate
from lineman.tls.files.certificate_check import check_pair

Unprivileged = Callable[[], AbstractContextManager[None]]
NOW = datetime.now(UTC)
FILES = ("ca.key", "ca.pem", "localhost.key", "localhost.pem")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "dev"


@pytest.fixture(autouse=True)
def hostname(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "lineman.tls.development.devca.socket.gethostname", lambda: "Laptop.example.com"
    )


def refusal(directory: Path, *names: str) -> str:
    with pytest.raises(ConfigError) as caught:
        development_certificate(directory, names)
    return str(caught.value)


def contents(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in FILES}


def fits(dev: DevelopmentCertificate, now: datetime = NOW) -> bool:
    return check_pair(dev.cert, dev.key, None, now=now).names == dev.names


def test_the_first_call_makes_an_authority_and_a_certificate(directory: Path) -> None:
    dev = development_certificate(directory)
    assert (dev.created, dev.ca_created) == (True, True)
    assert dev.names == ("localhost", "127.0.0.1", "::1", "laptop.local")
    assert dev.cert == directory / "localhost.pem"
    assert dev.key == directory / "localhost.key"
    assert dev.ca == directory / "ca.pem"
    assert fits(dev)


def test_the_second_call_changes_nothing(directory: Path) -> None:
    development_certificate(directory)
    before = contents(directory)
    dev = development_certificate(directory, now=NOW + timedelta(days=300))
    assert (dev.created, dev.ca_created) == (False, False)
    assert contents(directory) == before


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_real_client_that_trusts_the_authority_connects(directory: Path, name: str) -> None:
    dev = development_certificate(directory)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(dev.cert, dev.key)
    client = ssl.create_default_context(cafile=dev.ca)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    theirs.settimeout(10)

    def serve() -> None:
        with server.wrap_socket(ours, server_side=True) as stream:
            stream.sendall(b"hello")

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(theirs, server_hostname=name) as stream:
        assert stream.recv(5) == b"hello"
    thread.join(10)


def test_keys_are_for_their_owner_only(directory: Path) -> None:
    old = os.umask(0)
    try:
        development_certificate(directory)
    finally:
        os.umask(old)
    modes = {name: stat.S_IMODE((directory / name).stat().st_mode) for name in FILES}
    assert modes == {
        "ca.key": 0o600,
        "ca.pem": 0o644,
        "localhost.key": 0o600,
        "localhost.pem": 0o644,
    }
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_keys_are_created_with_their_mode_rather_than_given_it_later(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, int] = {}

    def watch(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        seen[path.name] = stat.S_IMODE(path.stat().st_mode)

    opened = os.open

    def open_and_look(path: object, flags: int, mode: int = 0o777, **more: int | None) -> int:
        descriptor = opened(path, flags, mode, **more)  # type: ignore[call-overload]
        if flags & os.O_CREAT:
            watch(descriptor)
        return int(descriptor)

    monkeypatch.setattr("lineman.tls.development.devca.os.open", open_and_look)
    development_certificate(directory)
    assert seen[".ca.key.half"] == seen[".localhost.key.half"] == 0o600


def test_further_names_are_added_and_stay(directory: Path) -> None:
    development_certificate(directory)
    first = development_certificate(directory, ["App.Test", "192.168.1.5"])
    assert (first.created, first.ca_created) == (True, False)
    assert first.names[-2:] == ("app.test", "192.168.1.5")
    second = development_certificate(directory, ["other.test"])
    assert set(second.names) == {*first.names, "other.test"}
    third = development_certificate(directory)
    assert not third.created
    assert third.names == second.names
    assert fits(third)


def test_names_that_piled_up_are_bounded(directory: Path) -> None:
    development_certificate(directory, [f"a{number}.test" for number in range(90)])
    dev = development_certificate(directory, [f"b{number}.test" for number in range(50)])
    assert len(dev.names) == 100
    assert {f"b{number}.test" for number in range(50)} <= set(dev.names)
    many = development_certificate(directory, [f"c{number}.test" for number in range(150)])
    assert len(many.names) == 154


def test_a_forbidden_name_is_refused_before_anything_is_made(directory: Path) -> None:
    text = refusal(directory, "bank.example.com")
    assert "the development authority may not certify bank.example.com" in text
    assert not directory.exists()


@pytest.mark.parametrize("name", ["localhost", "täst", "", "my host"])
def test_a_host_without_a_usable_name_does_without(
    directory: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("lineman.tls.development.devca.socket.gethostname", lambda: name)
    assert development_certificate(directory).names == ("localhost", "127.0.0.1", "::1")


def test_near_its_end_the_certificate_is_renewed_below_the_same_authority(directory: Path) -> None:
    development_certificate(directory, ["app.test"])
    before = contents(directory)
    later = NOW + timedelta(days=310)
    dev = development_certificate(directory, now=later)
    after = contents(directory)
    assert (dev.created, dev.ca_created) == (True, False)
    assert "app.test" in dev.names
    assert {name for name in FILES if before[name] != after[name]} == {"localhost.pem"}
    assert fits(dev, later + timedelta(days=300))


def test_near_its_end_the_authority_is_made_anew(directory: Path) -> None:
    development_certificate(directory)
    later = NOW + timedelta(days=3600)
    dev = development_certificate(directory, now=later)
    assert (dev.created, dev.ca_created) == (True, True)
    assert fits(dev, later)


@pytest.mark.parametrize(
    "damage",
    [None, b"", b"-----BEGIN CERTIFICATE-----\nAAA", b"\0" * 99],
    ids=["missing", "empty", "half", "zeros"],
)
@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_damaged_file_is_made_anew(
    directory: Path, name: str, damage: bytes | None
) -> None:
    development_certificate(directory)
    if damage is None:
        (directory / name).unlink()
    else:
        (directory / name).write_bytes(damage)
    dev = development_certificate(directory)
    assert dev.created
    assert dev.ca_created is name.startswith("ca")
    assert fits(dev)
    assert not development_certificate(directory).created


def test_files_of_two_authorities_are_made_to_fit(directory: Path, tmp_path: Path) -> None:
    development_certificate(directory)
    other = development_certificate(tmp_path / "other")
    (directory / "ca.pem").write_bytes(other.ca.read_bytes())
    dev = development_certificate(directory)
    assert dev.ca_created
    assert fits(dev)


def test_a_leaf_of_another_authority_is_made_anew(directory: Path, tmp_path: Path) -> None:
    development_certificate(directory)
    other = development_certificate(tmp_path / "other")
    (directory / "localhost.pem").write_bytes(other.cert.read_bytes())
    (directory / "localhost.key").write_bytes(other.key.read_bytes())
    dev = development_certificate(directory)
    assert (dev.created, dev.ca_created) == (True, False)


def test_an_authority_without_our_constraints_is_not_used(directory: Path) -> None:
    development_certificate(directory)
    command = (
        "openssl req -x509 -days 3650 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
        "-subj /CN=anything -keyout ca.key -out ca.pem && chmod 600 ca.key"
    )
    subprocess.run(
        ["sh", "-c", command], cwd=directory, check=True, capture_output=True, timeout=30
    )
    dev = development_certificate(directory)
    assert dev.ca_created
    assert fits(dev)


def test_what_a_killed_process_left_behind_is_cleared_away(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    (directory / ".ca.key.half").write_bytes(b"half")
    assert fits(development_certificate(directory))
    assert sorted(os.listdir(directory)) == sorted((*FILES, ".lock"))


def test_an_authority_key_that_others_could_read_is_refused(directory: Path) -> None:
    development_certificate(directory)
    (directory / "ca.key").chmod(0o644)
    text = refusal(directory)
    assert f"key {directory}/ca.key has the mode 0644" in text
    assert f"chmod 600 {directory}/ca.key" in text


def test_a_server_key_that_others_could_read_is_replaced(directory: Path) -> None:
    development_certificate(directory)
    before = contents(directory)
    (directory / "localhost.key").chmod(0o640)
    dev = development_certificate(directory)
    assert (dev.created, dev.ca_created) == (True, False)
    assert dev.key.read_bytes() != before["localhost.key"]
    assert stat.S_IMODE(dev.key.stat().st_mode) == 0o600
    assert fits(dev)


def test_a_directory_that_others_may_write_to_is_refused(directory: Path) -> None:
    directory.mkdir()
    directory.chmod(0o770)
    text = refusal(directory)
    assert f"others may write to the directory {directory} (mode 0770)" in text
    assert f"fix: chmod 700 {directory}" in text


def test_a_file_in_place_of_the_directory_is_refused(directory: Path) -> None:
    directory.write_bytes(b"")
    assert f"{directory} is not a directory" in refusal(directory)


def test_a_directory_in_place_of_a_file_is_refused(directory: Path) -> None:
    (directory / "ca.pem").mkdir(parents=True)
    directory.chmod(0o700)
    text = refusal(directory)
    assert f"cannot keep development certificates in {directory}: " in text
    assert "fix: give a directory that you may write to" in text


def test_a_lock_that_is_a_link_is_not_followed(directory: Path, tmp_path: Path) -> None:
    directory.mkdir(mode=0o700)
    (directory / ".lock").symlink_to(tmp_path / "elsewhere")
    assert "cannot keep development certificates" in refusal(directory)
    assert not (tmp_path / "elsewhere").exists()


def test_a_directory_of_another_user_is_refused(
    open_directory: Path, unprivileged: Unprivileged
) -> None:
    development_certificate(open_directory / "dev")
    if os.geteuid() != 0:  # without root there is no second user to be
        assert not development_certificate(open_directory / "dev").created
        return
    with unprivileged():
        text = refusal(open_directory / "dev")
    assert "belongs to the user 0, this process runs as 65534" in text
    assert f"fix: sudo chown -R 65534 {open_directory}/dev" in text


def test_a_file_of_another_user_in_ones_own_directory_is_refused_rather_than_replaced(
    open_directory: Path, unprivileged: Unprivileged
) -> None:
    directory = open_directory / "dev"
    with unprivileged():
        development_certificate(directory)
    os.chown(directory / "ca.key", 0, 0) if os.geteuid() == 0 else (directory / "ca.key").chmod(0)
    with unprivileged():
        text = refusal(directory)
    assert f"{directory}/ca.key belongs to the user " in text
    assert "fix: sudo chown -R" in text


def test_parents_are_made_and_a_relative_directory_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        development_certificate(Path("a/b/dev")).cert
        == tmp_path / "a" / "b" / "dev" / "localhost.pem"
    )


def test_processes_at_once_agree_on_one_authority(directory: Path) -> None:
    code = (
        "import sys, pathlib; from lineman.tls.development.devca import development_certificate\n"
        "dev = development_certificate(pathlib.Path(sys.argv[1]), [sys.argv[2]])\n"
        "import ssl; context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
        "context.load_cert_chain(dev.cert, dev.key)\n"
        "print(dev.ca_created)"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(directory), f"app{number}.test"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    said = [process.communicate(timeout=60)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert sorted(said) == ["False", "False", "False", "True"]
    assert {f"app{number}.test" for number in range(4)} <= set(
        development_certificate(directory).names
    )
