"""What is Apache's alone; what it shares with nginx is in test_proxies."""

from __future__ import annotations

import ssl
import subprocess
from contextlib import ExitStack
from pathlib import Path

from e2e.support.client import tls, websocket
from e2e.support.program import find_program
from e2e.support.proxies import Site, StartProxy, apache_config
from e2e.support.service import Service
from lineman.testing.certificates import IssuedPair

# Debian's MaxRequestWorkers, with which the next client hangs.
DEBIAN_LIMIT = 150


def test_apache_accepts_the_configuration_without_a_warning(
    tmp_path: Path, certificate: IssuedPair
) -> None:
    config = tmp_path / "apache2.conf"
    site = Site(certificate.cert, certificate.key, worker_port=8282)
    config.write_text(apache_config(tmp_path, site, 8443, 8080), encoding="utf-8")
    command = [find_program("apache2", "apache2"), "-t", "-d", str(tmp_path), "-f", str(config)]
    tested = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert tested.stderr.strip() == "Syntax OK"


def test_more_clients_than_debians_limit_are_open_at_once(
    stack: ExitStack, start_proxy: StartProxy, worker: Service, trust: ssl.SSLContext
) -> None:
    proxy = start_proxy("apache", worker.port)
    clients = [
        stack.enter_context(websocket(tls(proxy.https_port, trust)))
        for _ in range(DEBIAN_LIMIT + 10)
    ]
    for number, client in enumerate(clients):
        client.send(f"hello {number}")
    assert [client.recv() for client in clients] == [f"hello {n}" for n in range(len(clients))]
