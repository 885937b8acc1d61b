"""One nginx with every fault that a proxy may have, and good services behind it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from e2e.support import raw
from e2e.support.client import DOMAIN
from e2e.support.proxies import binary_of
from kit.program import Program, free_ports, started
from lineman import Connection, Worker
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.serving import Serving

UPGRADE = (
    "proxy_http_version 1.1; proxy_set_header Host $http_host; "
    "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
)

# nginx forwards headers that it is not told to change, so the clients' claims must be cleared.
NOBODY = 'proxy_set_header X-Forwarded-For ""; proxy_set_header Forwarded "";'
CLEARED = 'proxy_set_header X-Real-IP "";'
REAL_IP = "proxy_set_header X-Real-IP $remote_addr;"

# The lines of each location, by its path. {good} and the like are ports.
LOCATIONS = {
    "/wss": f"proxy_pass http://127.0.0.1:{{good}}; {UPGRADE} proxy_read_timeout 60s;",
    "/lost": "proxy_pass http://127.0.0.1:{good}; proxy_http_version 1.1;",
    "/old": "proxy_pass http://127.0.0.1:{good};",
    "/down": f"proxy_pass http://127.0.0.1:{{closed}}; {UPGRADE}",
    "/both": f"proxy_pass http://127.0.0.1:{{secure}}; {UPGRADE}",
    "/twice": f"proxy_pass https://127.0.0.1:{{good}}; {UPGRADE}",
    "/slow": f"proxy_pass http://127.0.0.1:{{silent}}; {UPGRADE} proxy_read_timeout 300ms;",
    "/idle": f"proxy_pass http://127.0.0.1:{{quiet}}; {UPGRADE} proxy_read_timeout 1s;",
    "/pages": f"proxy_pass http://127.0.0.1:{{strict}}; {UPGRADE}",
    "/bare": "proxy_pass http://127.0.0.1:{closed}; proxy_http_version 1.1;",
    "/anonymous": f"proxy_pass http://127.0.0.1:{{closed}}; {UPGRADE} {NOBODY} {CLEARED}",
    "/tls": f"proxy_pass https://127.0.0.1:{{closed}}; {UPGRADE}",
    "/right": f"proxy_pass http://127.0.0.1:{{closed}}; {UPGRADE} {NOBODY} {REAL_IP}",
    "/host": f"proxy_pass http://127.0.0.1:{{closed}}; {UPGRADE} {NOBODY} {REAL_IP}".replace(
        "$http_host", "$proxy_host"
    ),
    "/moved": "return 301 https://domain.com/wss;",
    "/found": "return 302 /login;",
    "/page": "default_type text/html; return 200 '<h1>hello</h1>';",
    "/private": "return 403;",
    "/login": "return 401;",
    "/busy": "return 429;",
    "/closed": "return 503;",
    "/ill": "return 500;",
}
NOWHERE = "location / { return 404; }"


@dataclass
class Clinic:
    """The running programs.

    Args:
        ca: that clients trust.
        directory: of nginx.
        ports: by name: nginx's (`main`, `plain`, and one for each certificate and TLS setting),
            the services' (`good`, `secure`, `quiet`, `strict`), and `closed`.
        pairs: the certificates, by the name of the port.
    """

    ca: TestCA
    directory: Path
    ports: dict[str, int] = field(default_factory=dict)
    pairs: dict[str, IssuedPair] = field(default_factory=dict)

    def url(self, name: str, path: str = "/wss", scheme: str = "wss", host: str = DOMAIN) -> str:
        """The URL of a place."""
        return f"{scheme}://{host}:{self.ports[name]}{path}"


def echo(connection: Connection, message: str | bytes) -> None:
    connection.send(message)


def _serve(stack: ExitStack, address: str, **options: Any) -> int:
    worker = Worker(address, **options)
    worker.on_message = echo
    return stack.enter_context(Serving(worker)).port


def _leaf(pair: IssuedPair) -> IssuedPair:
    """The same without its chain."""
    end = "-----END CERTIFICATE-----\n"
    only = pair.cert.with_name(f"leaf-{pair.cert.name}")
    only.write_text(pair.cert.read_text().split(end)[0] + end)
    return IssuedPair(only, pair.key)


def _pairs(ca: TestCA, directory: Path) -> dict[str, IssuedPair]:
    now, below = datetime.now(UTC), ca.intermediate()
    other = TestCA(directory / "other", name="Another authority")
    day = timedelta(days=1)

    def issue(name: str, names: list[str] | None = None, **dates: Any) -> IssuedPair:
        return below.issue(names or [DOMAIN, "127.0.0.1"], filename=name, **dates)

    return {
        "main": issue("main"),
        "expired": issue("expired", not_before=now - 9 * day, not_after=now - 2 * day),
        "soon": issue("soon", not_before=now - 80 * day, not_after=now + 2 * day),
        "early": issue("early", not_before=now + 2 * day, not_after=now + 30 * day),
        "name": issue("name", ["other.test"]),
        "leaf": _leaf(issue("leaf")),
        "private": other.issue([DOMAIN], filename="private"),
    }


def _server(port: int, pair: IssuedPair, *more: str) -> str:
    lines = [
        f"listen 127.0.0.1:{port} ssl;",
        f"ssl_certificate {pair.cert}; ssl_certificate_key {pair.key};",
        *more,
    ]
    return "server { " + "\n".join(lines) + " }\n"


_TLS = {
    "main": "",
    "tls11": "ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;",
    "tls10on": "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;",
    "tls13": "ssl_protocols TLSv1.3;",
    "weak": "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-CAMELLIA128-SHA256:@SECLEVEL=0;",
}


def _config(clinic: Clinic) -> str:
    ports, pairs, directory = clinic.ports, clinic.pairs, clinic.directory
    locations = "\n".join(
        f"location = {path} {{ {_filled(body, ports)} }}" for path, body in LOCATIONS.items()
    )
    open_path = f"location = /wss {{ {_filled(LOCATIONS['/wss'], ports)} }}"
    servers = [_server(ports["main"], pairs["main"], locations, NOWHERE)]
    servers += [_server(ports[name], pairs[name], open_path) for name in pairs if name != "main"]
    servers += [
        _server(ports[name], pairs["main"], settings, open_path)
        for name, settings in _TLS.items()
        if name != "main"
    ]
    servers.append(
        f"server {{ listen 127.0.0.1:{ports['header']} ssl proxy_protocol; ssl_certificate "
        f"{pairs['main'].cert}; ssl_certificate_key {pairs['main'].key}; {open_path} }}"
    )
    servers.append(f"server {{ listen 127.0.0.1:{ports['plain']}; {open_path} }}")
    user = "user www-data;" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"{name}_temp_path {directory}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"{user} pid {directory}/nginx.pid; error_log stderr notice; worker_processes 1;\n"
        "events { worker_connections 512; }\n"
        f"http {{ access_log off; ssl_protocols TLSv1.2 TLSv1.3; {temporary}\n"
        + "\n".join(servers)
        + "}\n"
    )


def _filled(body: str, ports: dict[str, int]) -> str:
    for name, port in ports.items():
        body = body.replace(f"{{{name}}}", str(port))
    return body


@contextmanager
def clinic(directory: Path) -> Iterator[Clinic]:
    """Everything, running."""
    made = Clinic(TestCA(directory / "ca"), directory)
    made.pairs = _pairs(made.ca, directory)
    pair = made.pairs["main"]
    with ExitStack() as stack:
        made.ports.update(
            good=_serve(stack, "ws://127.0.0.1:0", max_message_size=64 * 1024),
            secure=_serve(stack, "wss://127.0.0.1:0", cert=str(pair.cert), key=str(pair.key)),
            quiet=_serve(stack, "ws://127.0.0.1:0", ping_interval=0),
            strict=_serve(
                stack, "ws://127.0.0.1:0", origins=["https://chat.test"], subprotocols=["v1"]
            ),
            silent=stack.enter_context(raw.serving(raw.silent)),
        )
        binary = binary_of("nginx")
        names = [*made.pairs, *(name for name in _TLS if name != "main"), "plain", "header"]

        def start() -> tuple[Program, str]:
            *chosen, closed = free_ports(len(names) + 1)
            made.ports.update(zip(names, chosen, strict=True), closed=closed)
            file = directory / "nginx.conf"
            file.write_text(_config(made), encoding="utf-8")
            command = [binary, "-p", directory, "-c", file, "-g", "daemon off;"]
            return Program("nginx", command), "start worker process"

        stack.enter_context(started(start))
        yield made


def server_context(pair: IssuedPair) -> ssl.SSLContext:
    """TLS for a raw server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    return context
