"""Real nginx, Apache, Caddy and HAProxy in front of a worker, as `lineman proxy` writes them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.support.client import DOMAIN
from e2e.support.render import render
from kit.program import Program, find_program, free_ports, started
from kit.waiting import DEADLINE
from lineman.webservers import PROGRAMS, Site, Version, read_upstream
from lineman.webservers.server_version import find

NGINX_MODULES = "/usr/lib/nginx/modules"


@dataclass(frozen=True)
class Manner:
    """How a program is started in the foreground and reloads its configuration.

    Args:
        command: its words behind the binary; `{d}` is the directory, `{f}` the configuration.
        ready: in the line that says it serves.
        reload_signal: None where a command does it.
        reloaded: in the line that says that the new configuration is in force.
    """

    command: tuple[str, ...]
    ready: str
    reload_signal: signal.Signals | None
    reloaded: str


MANNERS = {
    "nginx": Manner(
        ("-p", "{d}", "-c", "{f}", "-g", "daemon off;"),
        "start worker process",
        signal.SIGHUP,
        "gracefully shutting down",
    ),
    "apache": Manner(
        ("-d", "{d}", "-f", "{f}", "-D", "FOREGROUND"),
        "resuming normal operations",
        signal.SIGUSR1,
        "resuming normal operations",
    ),
    "caddy": Manner(
        ("run", "--adapter", "caddyfile", "--config", "{f}"),
        "serving initial configuration",
        None,
        "load complete",
    ),
    "haproxy": Manner(("-W", "-f", "{f}"), "Loading success", signal.SIGUSR2, "Loading success"),
}


def binary_of(kind: str) -> str:
    """The path of the program; the test fails where it is missing."""
    module = PROGRAMS[kind]
    return find_program(module.BINARY, module.PACKAGE)


def version_of(kind: str) -> Version:
    """The installed version."""
    command = [binary_of(kind), PROGRAMS[kind].VERSION_OPTION]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    found = find(told.stdout + told.stderr)
    assert found is not None, told
    return found


@dataclass(frozen=True)
class Proxy:
    """A running proxy.

    Args:
        kind: `nginx`, `apache`, `caddy` or `haproxy`.
        program: its process.
        directory: where its files are.
        site: what it does.
    """

    kind: str
    program: Program
    directory: Path
    site: Site

    @property
    def https_port(self) -> int:
        """Where it speaks TLS on 127.0.0.1."""
        return self.site.https_port

    @property
    def http_port(self) -> int:
        """Where it speaks plain HTTP on 127.0.0.1."""
        return self.site.http_port

    def reload(self) -> None:
        """Make it read its configuration and certificate again; new clients get the new ones."""
        manner = MANNERS[self.kind]
        write_bundle(self.directory, self.site)
        seen = self.program.output.count(manner.reloaded)
        if manner.reload_signal is not None:
            self._signal_until(manner.reload_signal, manner.reloaded, seen + 1)
        else:
            file = str(self.directory / "config")
            socket = f"unix/{self.directory}/admin.sock"
            words = ["--force", "--adapter", "caddyfile", "--config", file, "--address", socket]
            command = [binary_of(self.kind), "reload", *words]
            told = subprocess.run(command, capture_output=True, text=True, check=False)
            assert told.returncode == 0, told.stderr
            self.program.wait_for_line(manner.reloaded, count=seen + 1)

    def _signal_until(self, number: signal.Signals, words: str, count: int) -> None:
        """Sends the signal until it works: HAProxy ignores it for a moment after its start."""
        deadline = time.monotonic() + DEADLINE
        while True:
            self.program.signal(number)
            try:
                self.program.wait_for_line(words, count=count, timeout=1.0)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
            else:
                return


def write_bundle(directory: Path, site: Site) -> None:
    """Certificate and key in one file, as HAProxy wants them."""
    if site.cert and site.key:
        pair = Path(site.cert).read_bytes() + Path(site.key).read_bytes()
        (directory / "bundle.pem").write_bytes(pair)


@contextmanager
def running(
    kind: str, directory: Path, options: Mapping[str, Any], replacements: Mapping[str, str]
) -> Iterator[Proxy]:
    """A running proxy whose every file is in the directory.

    Args:
        kind: which program.
        directory: empty.
        options: of its `Site`, all but the ports.
        replacements: words of the configuration to replace.
    """
    binary, version, manner = binary_of(kind), version_of(kind), MANNERS[kind]
    sites: list[Site] = []

    def start() -> tuple[Program, str]:
        ports = free_ports(2)
        site = Site(https_port=ports[0], http_port=ports[1], listen=("127.0.0.1",), **options)
        sites[:] = [site]
        write_bundle(directory, site)
        user = "www-data" if os.geteuid() == 0 else ""
        modules = ()
        if kind == "nginx" and site.is_tcp:
            modules = (f"{NGINX_MODULES}/ngx_stream_module.so",)
        text = PROGRAMS[kind].standalone(site, version, str(directory), user=user, modules=modules)
        file = directory / "config"
        file.write_text(render(text, replacements), encoding="utf-8")
        command = [binary, *(word.format(d=directory, f=file) for word in manner.command)]
        env = {"HOME": str(directory), "XDG_DATA_HOME": str(directory)}
        return Program(kind, command, env=env), manner.ready

    with started(start) as program:
        yield Proxy(kind, program, directory, sites[0])


def site_options(worker: str, cert: Path | None, key: Path | None, **more: Any) -> dict[str, Any]:
    """What most sites of the tests have in common.

    Args:
        worker: addresses of workers, with commas between them.
    """
    return {
        "domain": DOMAIN,
        "upstreams": tuple(read_upstream(one) for one in worker.split(",")),
        "cert": None if cert is None else str(cert),
        "key": None if key is None else str(key),
        "max_clients": 512,
        **more,
    }


KINDS = tuple(PROGRAMS)

# The fixture `start_proxy`: kind, the worker's address, further options of `Site`.
StartProxy = Callable[..., Proxy]

# Makes a `StartProxy`; the stack ends what it starts.
Start = Callable[[ExitStack], StartProxy]
