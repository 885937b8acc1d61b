"""What is nginx's alone; what it shares with the others is in test_proxies."""

from __future__ import annotations

import subprocess
from pathlib import Path

from e2e.support.program import free_ports
from e2e.support.proxies import binary_of, site_options, version_of
from lineman.proxy import Site, nginx
from lineman.testing.certificates import IssuedPair


def test_nginx_accepts_the_configuration_without_a_warning(
    tmp_path: Path, certificate: IssuedPair
) -> None:
    https_port, http_port = free_ports(2)
    options = site_options("127.0.0.1:8282", certificate.cert, certificate.key)
    site = Site(https_port=https_port, http_port=http_port, listen=("127.0.0.1",), **options)
    config = tmp_path / "nginx.conf"
    config.write_text(nginx.standalone(site, version_of("nginx"), str(tmp_path)), encoding="utf-8")
    command = nginx.check_command(binary_of("nginx"), str(tmp_path), str(config))
    tested = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr
