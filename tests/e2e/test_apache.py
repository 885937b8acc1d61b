"""Tests for Apache only; the tests for all proxies are in test_proxies."""

from __future__ import annotations

import subprocess
from pathlib import Path

from e2e.support.proxies import binary_of, site_options, version_of
from lineman.testing.certificates import IssuedPair
from lineman.webservers import Site, apache


def test_apache_accepts_the_configuration_without_a_warning(
    tmp_path: Path, certificate: IssuedPair
) -> None:
    options = site_options("127.0.0.1:8282", certificate.cert, certificate.key)
    site = Site(https_port=8443, http_port=8080, listen=("127.0.0.1",), **options)
    config = tmp_path / "apache2.conf"
    text = apache.standalone(site, version_of("apache"), str(tmp_path))
    config.write_text(text, encoding="utf-8")
    command = apache.check_command(binary_of("apache"), str(tmp_path), str(config))
    tested = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert tested.stderr.strip() == "Syntax OK"
