"""A real certificate authority on loopback: Let's Encrypt's Pebble, with its own DNS server."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.program import Program, find_program, free_ports, started, wait_for_port
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.tls.acme.acme_options import AcmeOptions, AcmeSettings, settings

DOMAIN = "chat.example.net"  # every name leads to 127.0.0.1 in Pebble's DNS

# Fast and without random failures, unless a test sets other values.
CALM = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}


@dataclass(frozen=True)
class Pebble:
    """A running authority.

    Args:
        program: its process.
        url: its ACME directory.
        ca_file: the root of its API's certificate.
        http_port, tls_port: where it validates, in place of 80 and 443.
        management: base URL of its management interface.
        api_pair: certificate and key of its API, for 127.0.0.1.
    """

    program: Program
    url: str
    ca_file: Path
    http_port: int
    tls_port: int
    management: str
    api_pair: IssuedPair

    def options(self, root: Path, **more: Any) -> AcmeOptions:
        """For a worker that gets its certificates here."""
        given = {"http_port": None, "challenges": ["tls-alpn-01"], **more}
        given = {"ca": self.url, "ca_file": self.ca_file, "directory_path": root, **given}
        return AcmeOptions("you@example.com", **given)

    def settings(
        self, root: Path, domains: tuple[str, ...] = (DOMAIN,), **more: Any
    ) -> AcmeSettings:
        """The same, for a keeper or a job."""
        return settings(self.options(root, **more), domains)

    def fetch(self, path: str) -> str:
        """What the management interface says."""
        trust = ssl.create_default_context(cafile=self.ca_file)
        with urllib.request.urlopen(f"{self.management}{path}", context=trust) as answer:
            return str(answer.read().decode())

    def trust(self) -> ssl.SSLContext:
        """A client's settings that trust what this authority issues, and nothing else."""
        return ssl.create_default_context(cadata=self.fetch("/roots/0"))

    @property
    def orders(self) -> int:
        """How many orders were made so far, by its log."""
        return len(re.findall(r"There are now \d+ orders in the db", self.program.output))


@contextmanager
def pebble(
    directory: Path,
    *,
    http_port: int,
    tls_port: int,
    eab: Mapping[str, str] | None = None,
    **env: str,
) -> Iterator[Pebble]:
    """Pebble and its DNS server, ready.

    Args:
        directory: for its configuration.
        http_port, tls_port: where it shall validate.
        eab: keys by their id, one of which a new account must have.
        **env: its switches, such as `PEBBLE_WFE_NONCEREJECT="50"`.
    """
    server = find_program("pebble", "pebble")
    dns = find_program("pebble-challtestsrv", "pebble")
    told = subprocess.run([dns, "-help"], capture_output=True, text=True, check=False)
    address_option = "-dnsserver" if "-dnsserver" in told.stderr else "-dns01"  # as it was called
    authority = TestCA(directory / "api")
    pair = authority.issue(["localhost", "127.0.0.1"])

    with ExitStack() as stack:
        ports: dict[str, int] = {}

        def start_dns() -> tuple[Program, str]:
            ports["dns"], ports["dns-management"] = free_ports(2)
            command = [dns, address_option, f"127.0.0.1:{ports['dns']}",
                       "-http01", "", "-https01", "", "-tlsalpn01", "",
                       "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "",
                       "-management", f"127.0.0.1:{ports['dns-management']}"]  # fmt: skip
            return Program("pebble-challtestsrv", command), "Starting management server"

        def start() -> tuple[Program, str]:
            ports["acme"], ports["management"] = free_ports(2)
            config = {
                "listenAddress": f"127.0.0.1:{ports['acme']}",
                "managementListenAddress": f"127.0.0.1:{ports['management']}",
                "certificate": str(pair.cert),
                "privateKey": str(pair.key),
                "httpPort": http_port,
                "tlsPort": tls_port,
                "ocspResponderURL": "",
                "externalAccountBindingRequired": eab is not None,
                "externalAccountMACKeys": dict(eab or {}),
            }
            path = directory / "pebble.json"
            path.write_text(json.dumps({"pebble": config}), encoding="utf-8")
            command = [server, "-config", path, "-dnsserver", f"127.0.0.1:{ports['dns']}"]
            return Program("pebble", command, env={**CALM, **env}), "ACME directory available at"

        stack.enter_context(started(start_dns))
        program = stack.enter_context(started(start))
        for port in (ports["management"], ports["acme"], ports["dns-management"]):
            wait_for_port(port)
        yield Pebble(
            program,
            f"https://127.0.0.1:{ports['acme']}/dir",
            authority.ca_path,
            http_port,
            tls_port,
            f"https://127.0.0.1:{ports['management']}",
            pair,
        )
