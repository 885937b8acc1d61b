"""Certificates by hand: `lineman cert obtain` and `renew`."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from e2e.support.pebble import DOMAIN, Pebble
from kit.program import find_program, free_ports
from lineman.cli.main import main

# On the command line.


def test_a_certificate_by_hand(
    authority: Pebble, root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    where = ["--directory", str(root)]
    obtain = ["cert", "obtain", DOMAIN, *where, "--ca", authority.url, "--email",
              "you@example.com", "--ca-file", str(authority.ca_file),
              "--http-port", str(free_ports(1)[0])]  # fmt: skip
    assert main(["cert", "list", *where]) == 1
    assert "there are no certificates" in capfd.readouterr().err
    assert main(obtain) == 0
    assert "is here: " in capfd.readouterr().out
    assert main(obtain) == 0
    assert "is not due yet" in capfd.readouterr().out
    assert main(["cert", "list", *where]) == 0
    assert re.search(rf"{DOMAIN}  \S+  valid until \d{{4}}-", capfd.readouterr().out)
    assert main(["cert", "show", DOMAIN, *where]) == 0
    shown = capfd.readouterr().out
    path = root.glob(f"*/{DOMAIN}/certificate.pem").__next__()
    assert f"file:           {path}" in shown
    assert "renewed from:" in shown
    assert "next look:" in shown
    assert f"{x509.load_pem_x509_certificate(path.read_bytes()).serial_number:x}" in shown
    assert main(["cert", "renew", *where]) == 0
    assert authority.orders == 1
    assert main(["cert", "renew", "--force", *where]) == 0
    assert authority.orders == 2
    find_program("openssl", "openssl")
    said = subprocess.run(
        ["openssl", "pkey", "-in", path, "-noout", "-text"], capture_output=True, check=True
    )
    assert b"prime256v1" in said.stdout

    authority.program.stop()
    before = path.read_bytes()
    assert main(["cert", "renew", "--force", *where]) == 1
    assert "cannot be reached" in capfd.readouterr().err
    assert path.read_bytes() == before
    assert main(["cert", "list", *where]) == 1
    assert "FAILED once" in capfd.readouterr().out


def test_a_name_that_is_not_there(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["cert", "show", "other.example.net", "--directory", str(root)]) == 1
    assert "lineman cert obtain" in capfd.readouterr().err


def test_root_does_not_write_into_another_users_directory(
    root: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(root, 65534, 65534)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["cert", "obtain", "a.example.com", "--directory", str(root)]) == 1
    assert "sudo -u" in capfd.readouterr().err
    assert list(root.iterdir()) == []
