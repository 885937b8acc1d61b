"""Certificates that change while a process serves with them."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lineman.errors import ConfigError
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.tls.serving.live_certificates import LiveTls
from lineman.tls.serving.tls_options import TlsOptions
from tls.support import damage_rsa_key, errors, live

Served = Callable[..., str]


@pytest.fixture
def served(client_context: ssl.SSLContext, handshake: Any) -> Served:
    """The serial number of the certificate that a client is shown, in hexadecimal."""

    def serial(tls: LiveTls, name: str = "localhost") -> str:
        client_context.check_hostname = False
        client: ssl.SSLObject = handshake(tls.context, client_context, name)[1]
        return serial_of(client.getpeercert(True) or b"")

    return serial


def serial_of(der: bytes) -> str:
    return f"{x509.load_der_x509_certificate(der).serial_number:x}"


def serial_in(path: Path) -> str:
    return f"{x509.load_pem_x509_certificate(path.read_bytes()).serial_number:x}"


def put(source: IssuedPair, target: IssuedPair) -> None:
    """Renew as most programs do: each file renamed into place."""
    for old, new in ((target.key, source.key), (target.cert, source.cert)):
        half = old.with_name("half")
        shutil.copy(new, half)
        half.replace(old)


@pytest.fixture
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue("localhost")


@pytest.fixture
def renewed(ca: TestCA) -> IssuedPair:
    return ca.issue("localhost", filename="renewed")


# A new pair.


def test_files_renamed_into_place_are_served_at_the_next_look(
    pair: IssuedPair, renewed: IssuedPair, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lineman")
    tls = live(pair)
    old, was = tls.context, served(tls)
    assert not tls.look()
    put(renewed, pair)
    assert tls.look()
    assert tls.context is not old
    assert served(tls) == serial_in(renewed.cert) != was
    assert (
        f"serving a new certificate for localhost: serial {serial_in(renewed.cert)}" in caplog.text
    )
    assert not tls.look()


def test_a_link_swapped_as_certbot_does_is_served(
    ca: TestCA, renewed: IssuedPair, tmp_path: Path, served: Served
) -> None:
    archive, live_directory = tmp_path / "archive", tmp_path / "live"
    archive.mkdir()
    live_directory.mkdir()
    pair = ca.issue("localhost")
    for number, source in ((1, pair), (2, renewed)):
        shutil.copy(source.cert, archive / f"fullchain{number}.pem")
        shutil.copy(source.key, archive / f"privkey{number}.pem")
    files = IssuedPair(live_directory / "fullchain.pem", live_directory / "privkey.pem")

    def point_to(number: int) -> None:
        for path in (files.key, files.cert):
            path.unlink(missing_ok=True)
            path.symlink_to(f"../archive/{path.stem}{number}.pem")

    point_to(1)
    tls = live(files)
    point_to(2)
    assert tls.look()
    assert served(tls) == serial_in(renewed.cert)


def test_one_file_with_both_is_followed(
    ca: TestCA, pair: IssuedPair, renewed: IssuedPair, tmp_path: Path, served: Served
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(pair.cert.read_bytes() + pair.key.read_bytes())
    tls = LiveTls(TlsOptions(cert=both))
    both.write_bytes(renewed.cert.read_bytes() + renewed.key.read_bytes())
    assert tls.look()
    assert served(tls) == serial_in(renewed.cert)


def test_a_connection_that_is_open_goes_on(
    pair: IssuedPair, renewed: IssuedPair, client_context: ssl.SSLContext, handshake: Any
) -> None:
    tls = live(pair)
    server, client = handshake(tls.context, client_context)
    put(renewed, pair)
    assert tls.look()
    server.write(b"still here")
    assert client.read(100) == b"still here"


def test_the_status_tells_serial_expiry_and_when(pair: IssuedPair, renewed: IssuedPair) -> None:
    moment = datetime.now(UTC)
    tls = LiveTls(TlsOptions(cert=pair.cert, key=pair.key), now=lambda: moment)
    started, moment = moment, moment + timedelta(hours=1)
    assert tls.certificates[0].loaded_at == started
    put(renewed, pair)
    tls.look()
    (status,) = tls.certificates
    assert status.info.serial == serial_in(renewed.cert)
    assert status.info.not_after > moment
    assert (status.names, status.loaded_at, status.error) == (("localhost",), moment, "")


# A pair that does not work, or not yet.


def test_a_key_that_arrives_after_its_certificate_is_waited_for_in_silence(
    pair: IssuedPair, renewed: IssuedPair, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    tls = live(pair)
    was = served(tls)
    shutil.copy(renewed.cert, pair.cert)
    assert not tls.look()
    assert served(tls) == was
    shutil.copy(renewed.key, pair.key)
    assert tls.look()
    assert served(tls) == serial_in(renewed.cert)
    assert errors(caplog) == []


def test_a_half_written_file_is_waited_for_in_silence(
    pair: IssuedPair, renewed: IssuedPair, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    tls = live(pair)
    whole = renewed.cert.read_bytes()
    shutil.copy(renewed.key, pair.key)
    for size in (0, 100, len(whole) - 30):
        pair.cert.write_bytes(whole[:size])
        assert not tls.look()
    pair.cert.write_bytes(whole)
    assert tls.look()
    assert served(tls) == serial_in(renewed.cert)
    assert errors(caplog) == []


@pytest.mark.parametrize(
    ("mode", "above", "is_told"),
    [(0o600, 0o755, False), (0o640, 0o755, False), (0o644, 0o700, False), (0o644, 0o755, True)],
)
def test_a_key_that_every_user_may_read_is_served_and_told_with_the_command(
    open_directory: Path, caplog: pytest.LogCaptureFixture, mode: int, above: int, is_told: bool
) -> None:
    pair = TestCA(open_directory).issue("localhost")
    pair.key.chmod(mode)
    open_directory.chmod(above)
    live(pair)
    told = f"may read the private key {pair.key}; fix: chmod o-r {pair.key}"
    assert (told in caplog.text) is is_told


def damage(pair: IssuedPair, ca: TestCA, how: str) -> None:
    """Spoil the files of a pair as operators do."""
    now = datetime.now(UTC)
    other = ca.issue("localhost", filename="other")
    match how:
        case "missing":
            pair.cert.unlink()
        case "empty":
            pair.cert.write_bytes(b"")
        case "truncated":
            pair.cert.write_bytes(pair.cert.read_bytes()[:-40])
        case "swapped":
            cert, key = pair.cert.read_bytes(), pair.key.read_bytes()
            pair.cert.write_bytes(key)
            pair.key.write_bytes(cert)
        case "mismatched":
            shutil.copy(other.key, pair.key)
        case "expired":
            put(ca.issue("localhost", not_after=now - timedelta(hours=3), filename="late"), pair)
        case "not yet valid":
            put(ca.issue("localhost", not_before=now + timedelta(hours=3), filename="soon"), pair)
        case "encrypted":
            put(ca.issue("localhost", passphrase=b"tom", filename="locked"), pair)
        case "DER":
            cert = x509.load_pem_x509_certificate(pair.cert.read_bytes())
            pair.cert.write_bytes(cert.public_bytes(Encoding.DER))
        case "wrong order":
            put(ca.intermediate().issue("localhost", filename="chained"), pair)
            blocks = pair.cert.read_text().split("-----END CERTIFICATE-----\n")
            pair.cert.write_text("-----END CERTIFICATE-----\n".join((blocks[1], blocks[0], "")))
        case "wrong order above":
            put(ca.intermediate().issue("localhost", filename="chained"), pair)
            leaf, above = pair.cert.read_text().split("-----END CERTIFICATE-----\n", 1)
            leaf += "-----END CERTIFICATE-----\n"
            pair.cert.write_text(leaf + ca.ca_path.read_text() + above)
        case "a directory":
            pair.cert.unlink()
            pair.cert.mkdir()
        case "a FIFO":
            pair.key.unlink()
            os.mkfifo(pair.key)


BAD = {
    "missing": r"there is no certificate .*server\.pem",
    "empty": r"the certificate .*server\.pem is empty",
    "truncated": r"server\.pem is cut off",
    "swapped": r"are swapped: .*server\.pem holds a private key",
    "mismatched": r"server\.key does not belong to the certificate .*server\.pem",
    "expired": r"server\.pem .* expired on .* 3 hours ago",
    "not yet valid": r"server\.pem .* is valid only from",
    "encrypted": r"server\.key is encrypted, and no passphrase is given",
    "DER": r"server\.pem is not PEM .* but a DER certificate",
    "wrong order": r"server\.pem are in the wrong order",
    "wrong order above": r"number 3 of 3 \(CN=.*intermediate\) has issued number 1",
    "a directory": r"server\.pem is a directory",
    "a FIFO": r"server\.key is a named pipe",
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_pair_leaves_the_old_one_and_is_told_once_until_it_changes(
    ca: TestCA, pair: IssuedPair, served: Served, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    tls = live(pair)
    was, context = served(tls), tls.context
    good = ca.issue("localhost", filename="good")
    damage(pair, ca, how)
    for _ in range(4):
        assert not tls.look()
    assert served(tls) == was
    assert tls.context is context
    (line,) = errors(caplog)
    assert line.startswith("the old certificate stays in use: ")
    assert "; fix: " in line
    assert re.search(BAD[how], line), line
    assert tls.certificates[0].error in line
    for path in (pair.cert, pair.key):
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    put(good, pair)
    assert tls.look()
    assert served(tls) == serial_in(good.cert)
    assert tls.certificates[0].error == ""


@pytest.mark.parametrize("how", BAD)
def test_the_same_is_refused_at_the_start(ca: TestCA, pair: IssuedPair, how: str) -> None:
    damage(pair, ca, how)
    with pytest.raises(ConfigError, match=BAD[how]):
        live(pair)


def test_a_wrong_passphrase_leaves_the_old_pair(
    ca: TestCA, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    pair = ca.issue("localhost", passphrase=b"tom")
    tls = live(pair, passphrase="tom")
    was = served(tls)
    put(ca.issue("localhost", passphrase=b"jerry", filename="jerry"), pair)
    assert not tls.look()
    assert not tls.look()
    assert served(tls) == was
    assert "the passphrase does not open the private key" in errors(caplog)[0]
    put(ca.issue("localhost", passphrase=b"tom", filename="tom"), pair)
    assert tls.look()


def test_a_key_that_may_no_longer_be_read_leaves_the_old_pair(
    open_directory: Path, unprivileged: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pair = TestCA(open_directory).issue("localhost")
    pair.key.chmod(0o644)
    tls = live(pair)
    pair.key.chmod(0o600)
    if os.geteuid() != 0:
        pair.key.chmod(0o000)
    with unprivileged():
        assert not tls.look()
        assert not tls.look()
    assert "cannot read the private key" in errors(caplog)[0]


def test_a_key_that_signs_what_does_not_verify_is_not_served(
    ca: TestCA, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    pair = ca.issue("localhost", key="rsa")
    tls = live(pair)
    was = served(tls)
    damage_rsa_key(pair.key)
    for _ in range(2):
        assert not tls.look()
    assert served(tls) == was
    assert "what it signs does not verify" in errors(caplog)[0]


# On demand.


def test_reload_reads_everything_again_and_says_what_stands_in_the_way(
    pair: IssuedPair, renewed: IssuedPair, served: Served, ca: TestCA
) -> None:
    tls = live(pair)
    assert tls.reload() == []
    put(renewed, pair)
    assert tls.reload() == []
    assert served(tls) == serial_in(renewed.cert)
    damage(pair, ca, "empty")
    (line,) = tls.reload()
    assert "is empty" in line
    assert served(tls) == serial_in(renewed.cert)


def test_what_somebody_else_has_read_needs_no_file(
    pair: IssuedPair, renewed: IssuedPair, served: Served
) -> None:
    contents = {str(path): path.read_bytes() for path in (pair.cert, pair.key)}
    new = {str(pair.cert): renewed.cert.read_bytes(), str(pair.key): renewed.key.read_bytes()}
    was = serial_in(pair.cert)
    pair.cert.unlink()
    pair.key.unlink()
    tls = LiveTls(TlsOptions(cert=pair.cert, key=pair.key), contents=contents)
    assert served(tls) == was
    assert tls.reload(new) == []
    assert served(tls) == serial_in(renewed.cert)


def test_a_context_of_the_users_own_is_left_alone(pair: IssuedPair) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    tls = LiveTls(TlsOptions(ssl_context=context))
    pair.cert.unlink()
    assert not tls.look()
    assert tls.reload() == []
    assert tls.context is context
    assert context.sni_callback is None
    assert tls.certificates == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_context_that_allows_less_than_tls_1_2_is_told(
    pair: IssuedPair, caplog: pytest.LogCaptureFixture
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # OpenSSL's own choice, in some versions
    LiveTls(TlsOptions(ssl_context=context))
    assert caplog.text == ""
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    LiveTls(TlsOptions(ssl_context=context))
    assert "the ssl_context allows TLS 1.1, which browsers refuse" in caplog.text


# Nobody renews it.


def test_one_that_comes_to_its_end_is_told_once_a_day(
    pair: IssuedPair, renewed: IssuedPair, caplog: pytest.LogCaptureFixture
) -> None:
    moment = datetime.now(UTC)
    tls = LiveTls(TlsOptions(cert=pair.cert, key=pair.key), now=lambda: moment)
    tls.look()
    assert caplog.text == ""
    moment += timedelta(days=27)  # of 31
    for _ in range(3):
        tls.look()
    assert caplog.text.count("the certificate for localhost expires on ") == 1
    moment += timedelta(days=5)
    tls.look()
    assert "the certificate for localhost has expired on " in caplog.text
    moment -= timedelta(days=32)
    caplog.clear()
    put(renewed, pair)
    tls.look()
    tls.look()
    assert "was not renewed" not in caplog.text


# The cost.


def test_a_change_that_works_does_not_import_what_costs_11_mib(
    pair: IssuedPair, renewed: IssuedPair
) -> None:
    program = """
        import shutil, sys
        from lineman.tls.serving.live_certificates import LiveTls
        from lineman.tls.serving.tls_options import TlsOptions

        cert, key, new_cert, new_key = sys.argv[1:]
        tls = LiveTls(TlsOptions(cert=cert, key=key), check=False)
        shutil.copy(new_key, key)
        shutil.copy(new_cert, cert)
        assert tls.look()
        assert "cryptography" not in sys.modules
    """
    paths = (pair.cert, pair.key, renewed.cert, renewed.key)
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), *paths], check=True)
