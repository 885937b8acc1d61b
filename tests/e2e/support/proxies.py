"""Real nginx and real Apache in front of a worker, with the configurations of docs/howto."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e.support.program import Program, find_program, free_ports, started
from e2e.support.render import HOWTO, render


@dataclass(frozen=True)
class Site:
    """What a proxy is started for.

    Args:
        cert: the certificate chain of the proxy.
        key: its private key.
        worker_port: where the worker listens on 127.0.0.1.
        idle_timeout: what stands in the place of the howto's 90 seconds.
        replacements: further words of the configuration to replace.
    """

    cert: Path
    key: Path
    worker_port: int
    idle_timeout: int = 90
    replacements: Mapping[str, str] = field(default_factory=dict)

    def common_replacements(self) -> dict[str, str]:
        """What both configurations call by the same words."""
        return {
            "/etc/ssl/wss/fullchain.pem": str(self.cert),
            "/etc/ssl/wss/privkey.pem": str(self.key),
            "127.0.0.1:8282": f"127.0.0.1:{self.worker_port}",
            **self.replacements,
        }


@dataclass(frozen=True)
class Proxy:
    """A running proxy.

    Args:
        kind: `nginx` or `apache`.
        program: its process.
        https_port: where it speaks TLS on 127.0.0.1.
        http_port: where it speaks plain HTTP on 127.0.0.1.
    """

    kind: str
    program: Program
    https_port: int
    http_port: int

    def reload(self) -> None:
        """Have it read its configuration again; afterwards new processes serve newcomers."""
        number, words = {
            "nginx": (signal.SIGHUP, "gracefully shutting down"),
            "apache": (signal.SIGUSR1, "resuming normal operations"),
        }[self.kind]
        seen = self.program.output.count(words)
        self.program.signal(number)
        self.program.wait_for_line(words, count=seen + 1)


@contextmanager
def nginx(directory: Path, site: Site) -> Iterator[Proxy]:
    """A running nginx whose every file is in the directory."""
    binary = find_program("nginx", "nginx")
    ports: list[int] = []

    def start() -> tuple[Program, str]:
        ports[:] = free_ports(2)
        config = directory / "nginx.conf"
        config.write_text(nginx_config(directory, site, *ports), encoding="utf-8")
        command = [binary, "-p", str(directory), "-c", str(config), "-g", "daemon off;"]
        return Program("nginx", command), "start worker process"

    with started(start) as program:
        yield Proxy("nginx", program, *ports)


def nginx_config(directory: Path, site: Site, https_port: int, http_port: int) -> str:
    """The howto's file, inside the least that nginx needs around it."""
    howto = (HOWTO / "nginx" / "wss.conf").read_text(encoding="utf-8")
    # A machine may have no IPv6: another loopback address stands in for it.
    rendered = render(
        howto,
        {
            "listen 443": f"listen 127.0.0.1:{https_port}",
            "listen [::]:443": f"listen 127.0.0.3:{https_port}",
            "listen 80": f"listen 127.0.0.1:{http_port}",
            "listen [::]:80": f"listen 127.0.0.3:{http_port}",
            "proxy_read_timeout    90s": f"proxy_read_timeout {site.idle_timeout}s",
            **site.common_replacements(),
        },
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"    {kind}_temp_path {directory}/{kind};" for kind in kinds)
    user = "user www-data;" if os.geteuid() == 0 else ""
    return f"""{user}
pid {directory}/nginx.pid;
error_log stderr notice;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
{temporary}
{rendered}
}}
"""


APACHE_MODULES = "mpm_event authz_core alias socache_shmcb ssl headers proxy proxy_http"


@contextmanager
def apache(directory: Path, site: Site) -> Iterator[Proxy]:
    """A running Apache whose every file is in the directory."""
    binary = find_program("apache2", "apache2")
    ports: list[int] = []

    def start() -> tuple[Program, str]:
        ports[:] = free_ports(2)
        config = directory / "apache2.conf"
        config.write_text(apache_config(directory, site, *ports), encoding="utf-8")
        command = [binary, "-d", str(directory), "-f", str(config), "-D", "FOREGROUND"]
        return Program("apache", command), "resuming normal operations"

    with started(start) as program:
        yield Proxy("apache", program, *ports)


def apache_config(directory: Path, site: Site, https_port: int, http_port: int) -> str:
    """The howto's file, inside the least that Apache needs around it."""
    howto = (HOWTO / "apache" / "wss.conf").read_text(encoding="utf-8")
    rendered = render(
        howto,
        {
            "*:443": f"127.0.0.1:{https_port}",
            "*:80": f"127.0.0.1:{http_port}",
            "Timeout 90": f"Timeout {site.idle_timeout}",
            " timeout=90": f" timeout={site.idle_timeout}",
            **site.common_replacements(),
        },
    )
    folder = "/usr/lib/apache2/modules"
    modules = "\n".join(
        f"LoadModule {name}_module {folder}/mod_{name}.so" for name in APACHE_MODULES.split()
    )
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    return f"""{modules}
{user}
ServerName localhost
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile {directory}/apache2.pid
ErrorLog /dev/stderr
LogLevel notice
StartServers 1
SSLSessionCache shmcb:{directory}/ssl_sessions(512000)
Listen 127.0.0.1:{https_port}
Listen 127.0.0.1:{http_port}
{rendered}
"""


PROXIES = {"nginx": nginx, "apache": apache}

# The fixture `start_proxy`: kind, the worker's port, further fields of `Site`.
StartProxy = Callable[..., Proxy]
