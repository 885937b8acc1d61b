"""nginx and Apache with the exact lines of Workerman's manual; only ports and paths differ.

Source: https://www.workerman.net/doc/workerman/faq/secure-websocket-server.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.support.proxies import MANNERS, binary_of, version_of
from kit.program import Program, free_ports, started
from lineman.testing.certificates import IssuedPair

NGINX = """\
server {
  listen 443;

  ssl on;
  ssl_certificate /etc/ssl/server.pem;
  ssl_certificate_key /etc/ssl/server.key;
  ssl_session_timeout 5m;
  ssl_session_cache shared:SSL:50m;
  ssl_protocols SSLv3 SSLv2 TLSv1 TLSv1.1 TLSv1.2;
  ssl_ciphers ALL:!ADH:!EXPORT56:RC4+RSA:+HIGH:+MEDIUM:+LOW:+SSLv2:+EXP;

  location /wss
  {
    proxy_pass http://127.0.0.1:8282;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "Upgrade";
    proxy_set_header X-Real-IP $remote_addr;
  }
}
"""
APACHE = """\
# Proxy Config
SSLProxyEngine on

ProxyRequests Off
ProxyPass /wss ws://127.0.0.1:8282/wss
ProxyPassReverse /wss ws://127.0.0.1:8282/wss

SSLProtocol all -SSLv2 -SSLv3
SSLCipherSuite HIGH:!RC4:!MD5:!aNULL:!eNULL:!NULL:!DH:!EDH:!EXP:+MEDIUM
SSLHonorCipherOrder on
SSLCertificateFile /etc/ssl/server.pem
SSLCertificateKeyFile /etc/ssl/server.key
"""

# Since 1.25.1 nginx does not know `ssl on`.
_WITHOUT_SSL_ON = (1, 25, 1)


def _nginx(port: int, upstream: int, pair: IssuedPair, directory: Path, more: str) -> str:
    lines = NGINX
    if version_of("nginx") >= _WITHOUT_SSL_ON:
        lines = lines.replace("listen 443;", "listen 443 ssl;").replace("  ssl on;\n", "")
    lines = lines.replace("listen 443", f"listen 127.0.0.1:{port}")
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{name}_temp_path {directory}/{name};\n" for name in temporary)
    user = "user www-data;" if os.geteuid() == 0 else ""
    return f"""\
{user}
pid {directory}/nginx.pid;
error_log stderr notice;
events {{}}
http {{
access_log off;
{paths}
{_placed(lines, upstream, pair).replace("proxy_http_version", more + " proxy_http_version")}
}}
"""


def _apache(port: int, upstream: int, pair: IssuedPair, directory: Path, more: str) -> str:
    names = ("mpm_event", "authz_core", "ssl", "socache_shmcb", "proxy", "proxy_wstunnel")
    load = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in names
    )
    return f"""\
{load}
{"User www-data" if os.geteuid() == 0 else ""}
ServerName localhost
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile {directory}/apache2.pid
ErrorLog /dev/stderr
LogLevel notice
Listen 127.0.0.1:{port}
<VirtualHost *:{port}>
SSLEngine on
{more}
{_placed(APACHE, upstream, pair)}
</VirtualHost>
"""


def _placed(lines: str, upstream: int, pair: IssuedPair) -> str:
    places = {
        "127.0.0.1:8282": f"127.0.0.1:{upstream}",
        "/etc/ssl/server.pem": str(pair.cert),
        "/etc/ssl/server.key": str(pair.key),
    }
    for word, place in places.items():
        assert word in lines
        lines = lines.replace(word, place)
    return lines


WRITERS = {"nginx": _nginx, "apache": _apache}


@contextmanager
def manual(
    kind: str, directory: Path, upstream: int, pair: IssuedPair, more: str = ""
) -> Iterator[int]:
    """The proxy, running; its port on 127.0.0.1, where it speaks TLS.

    Args:
        kind: `nginx` or `apache`.
        directory: empty; where its files go.
        upstream: the worker's port.
        pair: its certificate.
        more: a line to add to the manual's.
    """
    ports: list[int] = []

    def start() -> tuple[Program, str]:
        ports[:] = free_ports(1)
        file = directory / "config"
        file.write_text(WRITERS[kind](ports[0], upstream, pair, directory, more), encoding="utf-8")
        manner = MANNERS[kind]
        words = (word.format(d=directory, f=file) for word in manner.command)
        return Program(kind, [binary_of(kind), *words]), manner.ready

    with started(start):
        yield ports[0]
