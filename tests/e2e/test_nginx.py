"""What is nginx's alone; what it shares with Apache is in test_proxies."""

from __future__ import annotations

import re
import ssl
import subprocess
from pathlib import Path

import pytest

from e2e.support.client import tls, websocket
from e2e.support.program import find_program, free_ports
from e2e.support.proxies import Site, StartProxy, nginx_config
from e2e.support.service import Service
from lineman.testing.certificates import IssuedPair


@pytest.fixture(scope="module")
def version() -> tuple[int, ...]:
    """The installed nginx's version, such as (1, 22, 1)."""
    command = [find_program("nginx", "nginx"), "-v"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said)
    assert found, said
    return tuple(int(number) for number in found.groups())


def test_nginx_accepts_the_configuration_without_a_warning(
    tmp_path: Path, certificate: IssuedPair
) -> None:
    config = tmp_path / "nginx.conf"
    site = Site(certificate.cert, certificate.key, worker_port=8282)
    config.write_text(nginx_config(tmp_path, site, *free_ports(2)), encoding="utf-8")
    command = [find_program("nginx", "nginx"), "-t", "-p", str(tmp_path), "-c", str(config)]
    tested = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr


def test_http_2_for_the_rest_of_the_site_leaves_the_websocket_alone(
    start_proxy: StartProxy, worker: Service, trust: ssl.SSLContext, version: tuple[int, ...]
) -> None:
    """As the page says to switch it on, in the dialect of the installed nginx."""
    if version >= (1, 25, 1):
        http2 = {"ssl_prefer_server_ciphers off;": "ssl_prefer_server_ciphers off; http2 on;"}
    else:
        http2 = {" ssl;": " ssl http2;"}
    proxy = start_proxy("nginx", worker.port, replacements=http2)
    trust.set_alpn_protocols(["h2", "http/1.1"])
    with tls(proxy.https_port, trust) as page:
        assert page.selected_alpn_protocol() == "h2"
    # A browser opens a second connection for the websocket, with HTTP/1.1.
    trust.set_alpn_protocols(["http/1.1"])
    with websocket(tls(proxy.https_port, trust)) as client:
        assert client.ask("hello") == "hello"
