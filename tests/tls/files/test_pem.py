from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from lineman.errors import ConfigError
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.tls.files.pem import Role, read_pem

Unprivileged = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue("localhost")


def refusal(path: str | Path, role: Role = "certificate") -> str:
    with pytest.raises(ConfigError) as caught:
        read_pem(path, role)
    return str(caught.value)


def written(directory: Path, data: bytes, name: str = "x.pem") -> Path:
    path = directory / name
    path.write_bytes(data)
    return path


def as_der(pair: IssuedPair) -> tuple[bytes, bytes]:
    cert = x509.load_pem_x509_certificate(pair.cert.read_bytes())
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    return cert.public_bytes(serialization.Encoding.DER), key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_a_file_gives_its_blocks_in_order(ca: TestCA) -> None:
    pair = ca.intermediate().issue("localhost")
    file = read_pem(
        written(pair.cert.parent, pair.key.read_bytes() + pair.cert.read_bytes()), "certificate"
    )
    assert [block.label for block in file.blocks] == ["PRIVATE KEY", "CERTIFICATE", "CERTIFICATE"]
    assert [block.line for block in file.blocks][:2] == [1, 6]
    assert (len(file.keys), len(file.certificates)) == (1, 2)
    assert file.certificates[0].der == as_der(pair)[0]
    assert file.certificates[0].text == pair.cert.read_bytes()[: len(file.certificates[0].text)]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: b"Bag Attributes\n  friendlyName: x\n" + data + b"# the end",
        lambda data: data.strip(),
        lambda data: data.replace(b"\n", b" \t\n"),
    ],
    ids=["crlf", "mark", "comments", "no last newline", "blanks"],
)
def test_what_editors_and_tools_add_does_no_harm(
    pair: IssuedPair, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    file = read_pem(written(tmp_path, change(pair.cert.read_bytes())), "certificate")
    assert file.blocks[0].der == as_der(pair)[0]


def test_an_older_encrypted_key_is_known_by_its_header(pair: IssuedPair, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    data = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.BestAvailableEncryption(b"tom"),
    )
    block = read_pem(written(tmp_path, data), "private key").blocks[0]
    assert b"Proc-Type" in block.text
    assert block.is_encrypted
    assert not read_pem(pair.key, "private key").blocks[0].is_encrypted


def test_a_relative_path_is_shown_with_where_it_led(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = refusal("server.pem")
    assert f"there is no certificate {tmp_path}/server.pem (given as server.pem)" in text
    assert f"ls {tmp_path}" in text


def test_a_missing_directory_is_said_to_be_what_is_missing(tmp_path: Path) -> None:
    assert f"only {tmp_path} exists of its path" in refusal(tmp_path / "a" / "b" / "server.pem")


def test_a_path_through_a_file_is_missing(tmp_path: Path) -> None:
    written(tmp_path, b"x", "server.pem")
    assert f"only {tmp_path} exists" in refusal(tmp_path / "server.pem" / "server.pem")


def test_a_link_to_nothing_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "server.pem").symlink_to("../archive/cert1.pem")
    text = refusal(tmp_path / "server.pem")
    assert "symbolic link to ../archive/cert1.pem, which does not exist" in text


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert f"the certificate {tmp_path} is a directory, not a file" in refusal(tmp_path)


def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "server.pem")
    assert "is a named pipe (FIFO), not a file" in refusal(tmp_path / "server.pem")


def test_a_device_is_refused() -> None:
    assert "the private key /dev/zero is a device, not a file" in refusal(
        "/dev/zero", "private key"
    )


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert "is a socket, not a file" in refusal(tmp_path / "s")


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pem").symlink_to("a.pem")
    assert re.search(r"(cannot read|symbolic link)", refusal(tmp_path / "a.pem"))


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with path.open("wb") as file:
        file.truncate(10**12)
    assert "has 1000000000000 bytes, far more than a PEM file needs" in refusal(path)


@pytest.mark.parametrize("data", [b"", b" \n\n"])
def test_an_empty_file_is_refused(tmp_path: Path, data: bytes) -> None:
    assert "x.pem is empty" in refusal(written(tmp_path, data))


def test_a_key_that_this_user_may_not_read_says_mode_owner_and_user(
    pair: IssuedPair, open_directory: Path, unprivileged: Unprivileged
) -> None:
    path = written(open_directory, pair.key.read_bytes(), "server.key")
    path.chmod(0o600 if os.geteuid() == 0 else 0o000)
    mode = f"{stat.S_IMODE(path.stat().st_mode):04o}"
    with unprivileged():
        text = refusal(path, "private key")
    owner, user = re.search(rf"mode {mode}, owner (\S+), running as (\S+);", text).groups()  # type: ignore[union-attr]
    assert text.startswith(f"cannot read the private key {path}: mode {mode}, owner {owner}")
    if owner == user:
        assert text.endswith(f"fix: chmod u+r {path}")
    else:
        assert re.search(rf"fix: chgrp \S+ {path} && chmod 640 {path}$", text)


def test_a_certificate_that_this_user_may_not_read_may_be_opened_to_all(
    pair: IssuedPair, open_directory: Path, unprivileged: Unprivileged
) -> None:
    path = written(open_directory, pair.cert.read_bytes(), "server.pem")
    path.chmod(0o600 if os.geteuid() == 0 else 0o000)
    with unprivileged():
        text = refusal(path)
    assert re.search(rf"fix: chmod (a|u)\+r {path}$", text)


def test_a_file_of_ones_own_without_the_right_to_read_it_needs_only_that(
    pair: IssuedPair, open_directory: Path, unprivileged: Unprivileged
) -> None:
    data = pair.key.read_bytes()
    with unprivileged():
        path = written(open_directory, data, "server.key")
        path.chmod(0o000)
        text = refusal(path, "private key")
    assert text.endswith(f"fix: chmod u+r {path}")


def test_a_user_without_a_name_is_shown_by_number(
    pair: IssuedPair,
    open_directory: Path,
    unprivileged: Unprivileged,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nameless(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr("lineman.tls.files.pem.pwd.getpwuid", nameless)
    monkeypatch.setattr("lineman.tls.files.pem.grp.getgrgid", nameless)
    path = written(open_directory, pair.key.read_bytes(), "server.key")
    path.chmod(0o000)
    with unprivileged():
        text = refusal(path, "private key")
        assert f"running as {os.geteuid()};" in text


def test_a_file_below_a_closed_directory_names_the_directory(
    pair: IssuedPair, open_directory: Path, unprivileged: Unprivileged
) -> None:
    live = open_directory / "live"
    live.mkdir()
    written(live, pair.key.read_bytes(), "server.key")
    live.chmod(0o700 if os.geteuid() == 0 else 0o000)
    with unprivileged():
        text = refusal(live / "server.key", "private key")
    live.chmod(0o700)
    assert f"its directory {live} has mode 0" in text
    assert f"&& chmod g+x {live}" in text


def test_a_link_into_a_closed_directory_names_that_directory(
    pair: IssuedPair, open_directory: Path, unprivileged: Unprivileged
) -> None:
    archive = open_directory / "archive"
    archive.mkdir()
    written(archive, pair.key.read_bytes(), "key1.pem")
    (open_directory / "server.key").symlink_to("archive/key1.pem")
    archive.chmod(0o700 if os.geteuid() == 0 else 0o000)
    with unprivileged():
        text = refusal(open_directory / "server.key", "private key")
    archive.chmod(0o700)
    assert f"its directory {archive} has mode 0" in text


def test_a_file_that_more_than_its_mode_forbids_says_where_to_look(
    pair: IssuedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("lineman.tls.files.pem.os.open", forbidden)
    pair.cert.chmod(0o644)
    assert "an access list, SELinux or AppArmor forbids it; fix: look at: getfacl" in refusal(
        pair.cert
    )


def test_an_indented_file_says_which_line(pair: IssuedPair, tmp_path: Path) -> None:
    data = b"key:\n  " + pair.cert.read_bytes().replace(b"\n", b"\n  ")
    text = refusal(written(tmp_path, data))
    assert text.startswith("line 2 of the certificate ")
    assert "sed -i" in text


def test_a_file_without_its_end_is_cut_off(pair: IssuedPair, tmp_path: Path) -> None:
    data = pair.cert.read_bytes()
    text = refusal(written(tmp_path, data[: len(data) // 2]))
    assert "is cut off: line 1 begins a CERTIFICATE, and no line ends it" in text


def test_a_second_block_inside_the_first_means_it_is_cut_off(
    pair: IssuedPair, tmp_path: Path
) -> None:
    data = pair.cert.read_bytes()
    assert "line 1 begins" in refusal(written(tmp_path, data[: len(data) // 2] + b"\n" + data))


def test_a_garbled_line_is_said_to_be_no_base64(pair: IssuedPair, tmp_path: Path) -> None:
    data = pair.cert.read_bytes()
    text = refusal(written(tmp_path, data[:100] + b"!" + data[101:]))
    assert "the CERTIFICATE in lines 1 to " in text
    assert "is garbled: not base64" in text


def run_fix(text: str, expected: Path) -> None:
    """Run the command a message ends with; it makes the file it names."""
    assert shutil.which("openssl"), "openssl is missing: apt-get install openssl"
    command = text.partition("; fix: ")[2]
    subprocess.run(
        ["sh", "-c", f"cd {expected.parent} && {command} </dev/null"],
        check=True,
        capture_output=True,
        timeout=30,
    )
    assert read_pem(expected, "certificate").blocks


def test_a_der_certificate_is_converted_by_the_command_in_the_message(
    pair: IssuedPair, tmp_path: Path
) -> None:
    text = refusal(written(tmp_path, as_der(pair)[0], "my server.cer"))
    assert "but a DER certificate; fix: openssl x509 -inform DER -in" in text
    run_fix(text, tmp_path / "my server.pem")


def test_a_der_certificate_that_is_called_pem_is_not_overwritten(
    pair: IssuedPair, tmp_path: Path
) -> None:
    text = refusal(written(tmp_path, as_der(pair)[0], "server.pem"))
    run_fix(text, tmp_path / "server.pem.pem")


def test_a_der_key_is_converted_by_the_command_in_the_message(
    pair: IssuedPair, tmp_path: Path
) -> None:
    text = refusal(written(tmp_path, as_der(pair)[1], "server.der"), "private key")
    assert "but a DER private key; fix: openssl pkey -inform DER -in" in text
    run_fix(text, tmp_path / "server.key")


def test_an_encrypted_der_key_is_a_key_too(pair: IssuedPair, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    data = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"tom"),
    )
    assert "but a DER private key" in refusal(written(tmp_path, data), "private key")


def test_pkcs12_is_converted_by_the_command_in_the_message(
    pair: IssuedPair, tmp_path: Path
) -> None:
    cert = x509.load_pem_x509_certificate(pair.cert.read_bytes())
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    data = pkcs12.serialize_key_and_certificates(
        b"x",
        key,
        cert,
        None,
        serialization.BestAvailableEncryption(b"tom"),  # type: ignore[arg-type]
    )
    text = refusal(written(tmp_path, data, "server.pfx"))
    assert "but PKCS #12 (.pfx, .p12); fix: openssl pkcs12 -nodes -in" in text
    run_fix(text.replace("-nodes", "-nodes -passin pass:tom"), tmp_path / "server.pem")


def test_pkcs7_is_converted_by_the_command_in_the_message(pair: IssuedPair, tmp_path: Path) -> None:
    cert = x509.load_pem_x509_certificate(pair.cert.read_bytes())
    data = pkcs7.serialize_certificates([cert], serialization.Encoding.DER)
    text = refusal(written(tmp_path, data, "server.p7b"))
    run_fix(text, tmp_path / "server.pem")


def test_utf16_text_is_converted_by_the_command_in_the_message(
    pair: IssuedPair, tmp_path: Path
) -> None:
    data = pair.cert.read_text().encode("utf-16")
    text = refusal(written(tmp_path, data, "server.txt"))
    run_fix(text, tmp_path / "server.pem")


def test_a_java_key_store_is_known(tmp_path: Path) -> None:
    text = refusal(written(tmp_path, b"\xfe\xed\xfe\xed\x00\x00\x00\x02", "server.jks"))
    assert "but a Java key store; fix: keytool -importkeystore" in text


@pytest.mark.parametrize("data", [b"hello", b"\x30\x82junk", b"\x00\xff" * 100])
def test_anything_else_is_not_pem(tmp_path: Path, data: bytes) -> None:
    text = refusal(written(tmp_path, data, "x.bin"))
    assert "x.bin is not PEM (it has no -----BEGIN ...----- line); fix: give a PEM file" in text


def test_a_good_file_is_read_without_importing_cryptography(pair: IssuedPair) -> None:
    code = (
        "import sys; from lineman.tls.files.pem import read_pem; "
        f"read_pem({str(pair.cert)!r}, 'certificate'); assert 'cryptography' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
