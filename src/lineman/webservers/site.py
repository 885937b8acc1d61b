"""The task of a web server in front, checked so that every value is safe in its configuration.

A character that could end a directive, a string or a line is refused and not escaped: no domain,
path or file name needs it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote

from lineman.errors import ConfigError

# Mozilla, Server Side TLS, guideline 6.0 (April 2026), intermediate. The server has no preference:
# all of these are good, and a phone without AES in hardware knows what is fast for it.
TLS_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
TLS_13_SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

CONNECT_TIMEOUT = 5
NO_PINGS = 3600
"""Seconds for which a connection may be silent if the service sends no pings."""

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
# Letters of any script have no meaning in the configurations; spaces and quotes do.
_OTHER = r"\u00a1-\U0010ffff"
_PATH = re.compile(rf"/(?:[A-Za-z0-9_~{_OTHER}-][A-Za-z0-9._~{_OTHER}-]*/?)*")
_FILE = re.compile(rf"/[A-Za-z0-9._@+,=:/~{_OTHER}-]+")
_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
STICKY = ("ip", "cookie")


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a worker listens.

    Attributes:
        host: an IP address (IPv6 without brackets) or a name; empty for a unix socket.
        port: 1 to 65535; 0 for a unix socket.
        path: of a unix socket; empty for TCP.
    """

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Site:
    """One websocket service behind one name.

    Attributes:
        domain: the name that clients use; an international one becomes its ASCII form.
        upstreams: the workers, at least one.
        path: what clients ask for, such as `/wss`; no other reaches the workers. Other letters than
            those of ASCII may stand in it as they are, or percent-encoded as UTF-8.
        is_prefix: whether what lies below the path reaches them too.
        cert: PEM file: the certificate, then its chain; None where the program gets one itself
            (Caddy), or where the worker speaks TLS (`is_tcp`).
        key: PEM file of its private key; None if it is in `cert`.
        is_tcp: whether TCP is forwarded, with the client's address in a PROXY header.
        sticky: None, `ip` or `cookie`: what leads a client to the same worker again.
        has_http2: whether browsers may use HTTP/2 for the rest of the site.
        ping_interval, ping_timeout: the service's, in seconds; 0 for no pings.
        max_body: bytes of a plain request's body, as the service's `max_message_size`.
        max_clients: for which the program's limits are set, where it has some.
        https_port, http_port: where it listens.
        listen: its addresses; empty for all of the machine.
        root: directory of the web site beside the websocket.

    Raises:
        ConfigError: a value that would not work, or would mean something else in the file.
    """

    domain: str
    upstreams: tuple[Upstream, ...]
    path: str = "/wss"
    is_prefix: bool = False
    cert: str | None = None
    key: str | None = None
    is_tcp: bool = False
    sticky: str | None = None
    has_http2: bool = True
    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    max_body: int = 10 * 1024 * 1024
    max_clients: int = 4096
    https_port: int = 443
    http_port: int = 80
    listen: tuple[str, ...] = ()
    root: str = "/var/www/html"

    def __post_init__(self) -> None:
        object.__setattr__(self, "domain", _check_domain(self.domain))
        object.__setattr__(self, "path", _check_path(self.path))
        for name, file in (("cert", self.cert), ("key", self.key), ("root", self.root)):
            if file is not None:
                _check_file(name, file)
        if self.key is not None and self.cert is None:
            raise ConfigError("a key is given without its certificate", "give --cert as well")
        if not self.upstreams:
            raise ConfigError("there is no upstream", "give --upstream 127.0.0.1:8282")
        if len(set(self.upstreams)) != len(self.upstreams):
            raise ConfigError("an upstream is given twice", "name each worker once")
        if self.sticky not in (None, *STICKY):
            raise ConfigError(f"sticky is {self.sticky!r}", "use ip or cookie")
        if self.sticky == "cookie" and self.is_tcp:
            raise ConfigError("a TCP proxy sees no cookies", "use --sticky ip")
        for port in (self.https_port, self.http_port):
            _check_port(str(port), port)
        for address in self.listen:
            _check_ip(address)

    @property
    def idle_timeout(self) -> int:
        """Seconds after which a silent line is cut.

        A healthy one is never silent for longer than the ping's interval and timeout together;
        twice that is a worker that hangs.
        """
        if not self.ping_interval:
            return NO_PINGS
        return max(1, round(2 * (self.ping_interval + self.ping_timeout)))

    @property
    def why_idle(self) -> str:
        """The idle timeout in words, for a comment."""
        seconds = self.idle_timeout
        if not self.ping_interval:
            return f"The worker sends no pings: a line that is silent for {seconds} s is cut."
        return (
            f"The worker pings every {self.ping_interval:g} s, so a line that is silent for "
            f"{seconds} s has a worker that hangs."
        )

    @property
    def workers(self) -> str:
        """The upstreams, for a comment."""
        return ", ".join(str(upstream) for upstream in self.upstreams)

    @property
    def url(self) -> str:
        """What clients connect to."""
        port = "" if self.https_port == 443 else f":{self.https_port}"
        return f"wss://{self.domain}{port}{'' if self.is_tcp else self.path}"

    @property
    def https(self) -> str:
        """The site, as the redirect from plain HTTP names it; without a path."""
        port = "" if self.https_port == 443 else f":{self.https_port}"
        return f"https://{self.domain}{port}"

    @property
    def pattern(self) -> str:
        """A regular expression for the path and nothing else."""
        path = re.escape(self.path)
        if not self.is_prefix:
            return f"^{path}$"
        return f"^{path}" if self.path.endswith("/") else f"^{path}(/|$)"

    def listens(self, port: int) -> list[str]:
        """Address and port of each listening socket; IPv6 in brackets."""
        addresses = self.listen or ("0.0.0.0", "::")
        return [f"[{one}]:{port}" if ":" in one else f"{one}:{port}" for one in addresses]

    @property
    def seen_as(self) -> str:
        """What the worker has to trust: where this program's connections come from."""
        if all(upstream.path for upstream in self.upstreams):
            return "unix"
        hosts = {upstream.host for upstream in self.upstreams if not upstream.path}
        if hosts == {"::1"}:
            return "::1"
        if all(host == "localhost" or host.startswith("127.") for host in hosts):
            return "127.0.0.1/32"
        return "THE.ADDRESS.OF.THIS.MACHINE/32"

    @property
    def worker_line(self) -> str:
        """The line of a worker that fits this site."""
        upstream = self.upstreams[0]
        scheme = "wss" if self.is_tcp and self.cert is None else "ws"
        where = f"{scheme}+unix://{upstream.path}" if upstream.path else f"{scheme}://{upstream}"
        tls = ', cert="…", key="…"' if scheme == "wss" else ""
        proxied = ', proxy_protocol="required"' if self.is_tcp else ""
        return f'Worker("{where}"{tls}, trusted_proxies=["{self.seen_as}"]{proxied})'


def _check_domain(domain: str) -> str:
    fix = "give the name that clients use, such as --domain chat.example.com"
    try:
        name = domain.encode("idna").decode("ascii") if domain else ""
    except UnicodeError:
        name = ""
    if not _DOMAIN.fullmatch(name):
        raise ConfigError(f"the domain {domain!r} is no host name", fix)
    if re.fullmatch(r"[0-9.]+", name):
        raise ConfigError(f"the domain {domain!r} is an IP address, and no certificate's name", fix)
    return name.lower()


def _check_path(path: str) -> str:
    """The path as the programs compare it: decoded."""
    try:
        plain = unquote(path, errors="strict")
    except UnicodeDecodeError:
        plain = ""
    if not _PATH.fullmatch(plain) or not plain.isprintable():
        raise ConfigError(
            f"the path {path!r} is not one of letters, digits and . _ ~ - between slashes",
            "write it like --path /wss",
        )
    return plain


def _check_file(name: str, file: str) -> None:
    if not _FILE.fullmatch(file) or not file.isprintable():
        raise ConfigError(
            f"{name} is {file!r}: no absolute path, or with characters that would mean something "
            "in a configuration",
            "give a path such as /etc/ssl/wss/fullchain.pem; rename or link the file if need be",
        )


def _check_port(text: str, port: int) -> None:
    if not 1 <= port <= 65535:
        raise ConfigError(f"the port {text} is not from 1 to 65535", "give another")


def _check_ip(address: str) -> None:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise ConfigError(
            f"the address {address!r} to listen on is no IP address", "write --listen 192.0.2.1"
        ) from None
    if "%" in address:
        raise ConfigError(f"the address {address!r} has a zone", "leave the part from % on out")


def read_upstream(text: str) -> Upstream:
    """`127.0.0.1:8282`, `[::1]:8282`, `app:8282` or `unix:/run/app.sock`.

    Raises:
        ConfigError: it is none of these.
    """
    fix = "write it like 127.0.0.1:8282, [::1]:8282 or unix:/run/app.sock"
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not _FILE.fullmatch(path) or not path.isprintable() or ":" in path:
            raise ConfigError(f"the upstream {text!r} has no absolute path of a socket", fix)
        return Upstream("", 0, path)
    if "://" in text:
        raise ConfigError(f"the upstream {text!r} has a scheme", fix)
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+)):([0-9]{1,5})", text)
    if match is None:
        raise ConfigError(f"the upstream {text!r} is no address with a port", fix)
    host, port = match[1] or match[2], int(match[3])
    _check_port(match[3], port)
    if match[1] is not None:
        _check_ip(host)
    elif not _HOST_NAME.fullmatch(host):
        raise ConfigError(f"the upstream {text!r} has no host name", fix)
    elif re.fullmatch(r"[0-9.]+", host):
        _check_ip(host)
    # A proxy would try the other address of that name as well, where nobody listens.
    return Upstream("127.0.0.1" if host.lower() == "localhost" else host, port)
