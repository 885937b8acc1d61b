"""Apache's configuration for a site, pure.

Source: Apache's documentation of mod_proxy, mod_proxy_http, mod_proxy_balancer and mod_ssl.
"""

from __future__ import annotations

import re

from lineman.errors import ConfigError
from lineman.webservers import server_version as versions
from lineman.webservers.server_version import Version
from lineman.webservers.site import CONNECT_TIMEOUT, TLS_CIPHERS, Site, Upstream

TITLE = "Apache"
BINARY = "apache2"
PACKAGE = "apache2"
VERSION_OPTION = "-v"
USUAL: Version = (2, 4, 62)
OLDEST: Version = (2, 4, 47)
H2_WEBSOCKETS: Version = (2, 4, 58)
FILE = "/etc/apache2/sites-available/wss.conf"
THREADS = 64


def render(site: Site, version: Version) -> str:
    """The whole configuration file.

    Raises:
        ConfigError: Apache, or this version of it, cannot do it.
    """
    versions.demand(TITLE, version, OLDEST, "does not know upgrade=websocket")
    if site.is_tcp:
        raise ConfigError(
            "Apache forwards no plain TCP and sends no PROXY protocol",
            "leave --tcp out: by HTTP it tells the client's address as well; or use nginx, HAProxy",
        )
    if site.sticky == "ip":
        raise ConfigError(
            "Apache does not choose a worker by the client's address", "use --sticky cookie"
        )
    if site.cert is None:
        raise ConfigError(
            "Apache needs a certificate", "give --cert fullchain.pem --key privkey.pem"
        )
    listen = "\n".join(f"Listen {place}" for place in _unusual_ports(site))
    return f"""\
# {site.url} -> {site.workers}        Apache {versions.words(version)}, event MPM
# {FILE}, then:
#   a2enmod {" ".join(_to_enable(site))} && a2ensite wss
#   apachectl configtest && systemctl restart apache2
# The service: {site.worker_line}
{f"{chr(10)}{listen}{chr(10)}" if listen else ""}
# For the whole of Apache: every open websocket holds one thread. Debian allows 150; the 151st
# client hangs, and so does everybody's web page. Needs a restart, a reload does not change it.
<IfModule mpm_event_module>
    ServerLimit       {_processes(site):>6}
    ThreadsPerChild   {THREADS:>6}
    MaxRequestWorkers {_processes(site) * THREADS:>6}
</IfModule>

<VirtualHost {_hosts(site, site.https_port)}>
    ServerName {site.domain}
    DocumentRoot {site.root}

    SSLEngine on
    # The server's certificate first, then the chain, in one file.
    SSLCertificateFile    {site.cert}
    SSLCertificateKeyFile {site.key or site.cert}
    SSLProtocol -all +TLSv1.2 +TLSv1.3
    SSLCipherSuite {TLS_CIPHERS}
    SSLHonorCipherOrder off
    SSLSessionTickets off
    # Once nothing of the site needs plain http any more, for two years (Mozilla's advice):
    # Header always set Strict-Transport-Security "max-age=63072000"
{_http2(site, version)}
    # {site.why_idle}
    # The larger of Timeout (Debian: 300) and timeout= (below) is what counts.
    Timeout {site.idle_timeout}

    ProxyRequests Off
    # The worker compares Host with Origin.
    ProxyPreserveHost On
    # Apache writes X-Forwarded-For itself, after it has dropped what Connection names.
    ProxyAddHeaders On
{_balancer(site)}
{_location(site)}
</VirtualHost>

<VirtualHost {_hosts(site, site.http_port)}>
    ServerName {site.domain}
    DocumentRoot {site.root}
    # All but the place where certbot --webroot writes.
    RedirectMatch permanent "^/(?!\\.well-known/acme-challenge/)(.*)$" "{site.https}/$1"
</VirtualHost>
"""


def _processes(site: Site) -> int:
    return max(1, -(-site.max_clients // THREADS))


def _to_enable(site: Site) -> list[str]:
    modules = ["ssl", "headers", "proxy", "proxy_http"]
    if site.has_http2:
        modules.append("http2")
    if len(site.upstreams) > 1:
        modules += ["proxy_balancer", "lbmethod_bybusyness"]
    return modules


def _unusual_ports(site: Site) -> list[str]:
    """The Listen lines; ports 80 and 443 need none, since Debian's ports.conf has them."""
    ports = [port for port in (site.http_port, site.https_port) if port not in (80, 443)]
    return [
        place for port in ports for place in (site.listens(port) if site.listen else [str(port)])
    ]


def _hosts(site: Site, port: int) -> str:
    return " ".join(site.listens(port)) if site.listen else f"*:{port}"


def _http2(site: Site, version: Version) -> str:
    if not site.has_http2:
        return "    Protocols http/1.1\n"
    lines = """
    Protocols h2 http/1.1
"""
    if version >= H2_WEBSOCKETS:
        lines += """\
    # Websockets over HTTP/2 too (RFC 8441), for a browser that has such a connection open already.
    H2WebSockets on
"""
    return lines


def _target(upstream: Upstream) -> str:
    return f"unix:{upstream.path}|http://localhost" if upstream.path else f"http://{upstream}"


def _parameters(site: Site) -> str:
    return (
        f"upgrade=websocket timeout={site.idle_timeout} "
        f"connectiontimeout={CONNECT_TIMEOUT} disablereuse=On"
    )


def _balancer(site: Site) -> str:
    if len(site.upstreams) == 1:
        return ""
    lines = ["", '    <Proxy "balancer://wss_workers">']
    for number, upstream in enumerate(site.upstreams, 1):
        route = f" route={number}" if site.sticky else ""
        lines.append(
            f'        BalancerMember "{_target(upstream)}" {_parameters(site)}{route} retry=5'
        )
    lines.append("        # Lines stay open: the fewest count, not whose turn it is.")
    lines.append("        ProxySet lbmethod=bybusyness")
    if site.sticky:
        lines.append("        ProxySet stickysession=WSSWORKER")
    return "\n".join([*lines, "    </Proxy>", ""])


def _location(site: Site) -> str:
    path, note = re.escape(site.path), f"only {site.path}, not {site.path}/ nor what lies below it."
    if site.is_prefix:
        path += ".*" if path.endswith("/") else "(?:/.*)?"
        note = "the path and what lies below it."
    if len(site.upstreams) > 1:
        passes = 'ProxyPassMatch "balancer://wss_workers"'
    else:
        passes = f'ProxyPassMatch "{_target(site.upstreams[0])}" {_parameters(site)}'
    sticky = ""
    if site.sticky:
        sticky = (
            "\n        # The cookie that leads a client to the same worker again. Apache sets it on"
            "\n        # answers to plain requests, not on a websocket's: have the page fetch this"
            "\n        # path once, before it connects."
            '\n        Header add Set-Cookie "WSSWORKER=.%{BALANCER_WORKER_ROUTE}e; path=/; '
            'Secure; HttpOnly" env=BALANCER_ROUTE_CHANGED\n'
        )
    return f"""\
    # "^...$": {note}
    <LocationMatch "^{path}$">
        # No path here: Apache adds the one that was asked for.
        {passes}
{sticky}
        # A client that sends "Connection: Upgrade, X-Real-IP" makes Apache delete the X-Real-IP set
        # below. So Connection is written anew first.
        RequestHeader set Connection "Upgrade" "expr=-n req('Upgrade')"
        RequestHeader set Connection "close"   "expr=-z req('Upgrade')"

        # Whatever the client wrote in these is replaced: the worker believes them.
        RequestHeader unset Forwarded
        RequestHeader unset X-Forwarded-For
        RequestHeader unset X-Forwarded-Host
        RequestHeader unset X-Forwarded-Server
        RequestHeader set   X-Real-IP         "expr=%{{REMOTE_ADDR}}"
        RequestHeader set   X-Forwarded-Proto "expr=%{{REQUEST_SCHEME}}"

        # LimitRequestBody does not hold for what is forwarded: the worker's max_message_size bounds
        # a plain request's body (413) as it does a message.
    </LocationMatch>"""


def standalone(
    site: Site, version: Version, directory: str, *, user: str = "", modules: tuple[str, ...] = ()
) -> str:
    """A complete configuration for a separate instance, with all its files in one directory.

    Args:
        site: the site that it serves.
        version: of Apache.
        directory: absolute; nothing outside of it is written.
        user: the user of its processes if root starts it; empty for the user that starts it.
        modules: the directory of Apache's modules alone.
    """
    folder = modules[0] if modules else "/usr/lib/apache2/modules"
    names = ["mpm_event", "authz_core", "alias", "socache_shmcb", "slotmem_shm", *_to_enable(site)]
    load = "\n".join(f"LoadModule {name}_module {folder}/mod_{name}.so" for name in names)
    usual = [port for port in (site.http_port, site.https_port) if port in (80, 443)]
    listen = "\n".join(f"Listen {port}" for port in usual)
    return f"""\
{load}
{f"User {user}{chr(10)}Group {user}" if user else ""}
ServerName localhost
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile {directory}/apache2.pid
ErrorLog /dev/stderr
LogLevel notice
StartServers 1
SSLSessionCache shmcb:{directory}/ssl_sessions(512000)
{listen}
{render(site, version)}"""


def check_command(binary: str, directory: str, file: str) -> list[str]:
    """The command with which Apache checks the file."""
    return [binary, "-t", "-d", directory, "-f", file]
