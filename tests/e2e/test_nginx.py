"""Tests for nginx only; the tests for all proxies are in test_proxies."""

from __future__ import annotations

import subprocess
from pathlib import Path

from e2e.support.proxies import binary_of, site_options, version_of
from kit.program import Program, free_ports
from lineman import Worker
from lineman.testing.certificates import IssuedPair
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving
from lineman.webservers import Site, nginx


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


# It knows its client's address and sends it in X-Real-IP only; it forwards the client's own
# X-Forwarded-For.
REAL_IP_ALONE = """
daemon off; pid nginx.pid; error_log stderr notice;
events {{}}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port} proxy_protocol;
        set_real_ip_from 127.0.0.1;
        real_ip_header proxy_protocol;
        location / {{
            proxy_pass http://127.0.0.1:{behind};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_set_header X-Real-IP $remote_addr;
        }}
    }}
}}
"""


def test_behind_nginx_a_forged_header_neither_slips_past_a_limit_nor_locks_anybody_out(
    tmp_path: Path,
) -> None:
    worker = Worker("ws://127.0.0.1:0", connections_per_ip=2, trusted_proxies=["127.0.0.1/32"])
    (port,) = free_ports(1)

    def come(ip: str, **headers: str) -> int:
        client = RawClient(port, preamble=f"PROXY TCP4 {ip} 127.0.0.1 4711 80\r\n".encode())
        clients.append(client)
        return client.handshake("/", [(k.replace("_", "-"), v) for k, v in headers.items()]).status

    clients: list[RawClient] = []
    with Serving(worker) as site:
        config = tmp_path / "nginx.conf"
        config.write_text(REAL_IP_ALONE.format(port=port, behind=site.port), encoding="utf-8")
        command = [binary_of("nginx"), "-p", str(tmp_path), "-c", str(config)]
        program = Program("nginx", command)
        try:
            program.wait_for_line("start worker process")
            forged = [come("203.0.113.7", X_Forwarded_For=f"198.51.100.{n}") for n in range(6)]
            assert forged == [101, 101, 429, 429, 429, 429]
            honest = [come(f"198.51.100.{n}") for n in range(6) for _ in range(2)]
            assert honest == [101] * 12
            assert come("198.51.100.0") == 429
        finally:
            for client in clients:
                client.close()
            program.stop()
