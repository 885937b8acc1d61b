"""HAProxy's configuration for a site, pure.

Source: HAProxy's configuration manual.
"""

from __future__ import annotations

from lineman.errors import ConfigError
from lineman.webservers import server_version as versions
from lineman.webservers.server_version import Version
from lineman.webservers.site import CONNECT_TIMEOUT, TLS_13_SUITES, TLS_CIPHERS, Site, Upstream

TITLE = "HAProxy"
BINARY = "haproxy"
PACKAGE = "haproxy"
VERSION_OPTION = "-v"
USUAL: Version = (2, 6, 12)
OLDEST: Version = (2, 4, 0)
CRT_STORE: Version = (3, 0, 0)
FILE = "/etc/haproxy/haproxy.cfg"

# Lines for the machine's own HAProxy only; `standalone` replaces them.
_LOG = "    log /dev/log local0\n"
_USER = "    user haproxy\n    group haproxy\n"


def render(site: Site, version: Version) -> str:
    """The whole configuration file.

    Raises:
        ConfigError: this version cannot do it.
    """
    versions.demand(TITLE, version, OLDEST, "is older than what this is written for")
    if site.cert is None and not site.is_tcp:
        raise ConfigError(
            "HAProxy needs a certificate", "give --cert fullchain.pem --key privkey.pem"
        )
    front = _tcp_front(site, version) if site.is_tcp else _http_front(site, version)
    return f"""\
{_head(site, version)}
global
{_LOG}{_USER}    # Each client counts twice, once on either side.
    maxconn {2 * site.max_clients + 64}
    # After a reload the old process keeps its open lines for so long.
    hard-stop-after 1h
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets prefer-client-ciphers
    ssl-default-bind-ciphers {TLS_CIPHERS}
    ssl-default-bind-ciphersuites {TLS_13_SUITES}
{_store(site, version)}
defaults
    mode {"tcp" if site.is_tcp else "http"}
    log global
    option {"tcplog" if site.is_tcp else "httplog"}
    option dontlognull
{_retries(site)}
    timeout connect {CONNECT_TIMEOUT}s
    timeout client 30s
    timeout server 30s
    timeout http-request 10s
    # {site.why_idle}
    timeout tunnel {site.idle_timeout}s
    timeout client-fin 30s

{front}
{_backend(site)}"""


def _retries(site: Site) -> str:
    """How often a connection to a worker is tried, and that the next try is another worker's."""
    several = len(site.upstreams)
    if several == 1:
        return "    retries 1"
    return f"""\
    retries {several}
    # A client of a worker that is gone is served by another at once, whatever its cookie or address
    # says. Without this it waits a second for the one that is gone, and gets 503.
    option redispatch 1"""


def _head(site: Site, version: Version) -> str:
    lines = [
        f"# {site.url} -> {site.workers}        HAProxy {versions.words(version)}",
        f"# {FILE}, then: haproxy -c -f {FILE} && systemctl reload haproxy",
    ]
    if site.cert and site.key and version < CRT_STORE:
        lines.append(
            "# HAProxy before 3.0 wants certificate and key in one file, after each renewal:"
        )
        lines.append(f"#   (umask 077; cat {site.cert} {site.key} > {bundle(site)})")
    return "\n".join([*lines, f"# The service: {site.worker_line}", ""])


def bundle(site: Site) -> str:
    """The file with certificate and key together, which HAProxy before 3.0 needs."""
    return f"/etc/haproxy/{site.domain}.pem" if site.key else str(site.cert)


def _store(site: Site, version: Version) -> str:
    if not (site.cert and site.key) or version < CRT_STORE:
        return ""
    return f"""
crt-store wss
    load crt {site.cert} key {site.key} alias site
"""


def _crt(site: Site, version: Version) -> str:
    return "@wss/site" if site.key and version >= CRT_STORE else bundle(site)


def _binds(site: Site, port: int, options: str = "") -> str:
    v6 = {f"[::]:{port}": " v6only"}
    return "\n".join(
        f"    bind {place}{v6.get(place, '')}{options}" for place in site.listens(port)
    )


def _http_front(site: Site, version: Version) -> str:
    alpn = "h2,http/1.1" if site.has_http2 else "http/1.1"
    # Browsers send letters outside ASCII percent-encoded.
    path = "path" if site.path.isascii() else "path,url_dec"
    matches = f"{path} -m reg {site.pattern}" if site.is_prefix else f"{path} -m str {site.path}"
    if site.path.isascii():
        matches = f"path_reg {site.pattern}" if site.is_prefix else f"path {site.path}"
    return f"""\
frontend wss
{_binds(site, site.https_port, f" ssl crt {_crt(site, version)} alpn {alpn}")}
    acl is_wss {matches}
    http-request return status 404 content-type text/plain string "no such path" unless is_wss
    # Of a plain request's body. The size of a message is the worker's max_message_size.
    http-request deny deny_status 413 if {{ req.hdr_val(content-length) gt {site.max_body} }}
    # Only "websocket" is passed on; any other upgrade becomes a plain request (426 by the worker).
    http-request del-header Upgrade unless {{ req.hdr(Upgrade) -i websocket }}
    # A client that sends "Connection: Upgrade, X-Real-IP" has the next proxy delete that header.
    http-request set-header Connection Upgrade if {{ req.hdr(Upgrade) -m found }}
    # Whatever the client wrote in these is replaced: the worker believes them.
    http-request del-header Forwarded
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto https
    # Once nothing of the site needs plain http any more, for two years (Mozilla's advice):
    # http-response set-header Strict-Transport-Security max-age=63072000
    default_backend wss_workers

frontend plain
{_binds(site, site.http_port)}
    # certbot certonly --standalone --http-01-port 8402 listens there while it works.
    acl is_acme path_beg /.well-known/acme-challenge/
    http-request redirect code 301 location {site.https}%[capture.req.uri] unless is_acme
    default_backend acme

backend acme
    server certbot 127.0.0.1:8402
"""


def _tcp_front(site: Site, version: Version) -> str:
    options, ends = "", "# TLS passes through: the worker has the certificate."
    if site.cert:
        options = f" ssl crt {_crt(site, version)} alpn http/1.1"
        ends = "# TLS ends here."
    return f"""\
frontend wss
    {ends}
{_binds(site, site.https_port, options)}
    timeout client {site.idle_timeout}s
    default_backend wss_workers
"""


def _target(upstream: Upstream) -> str:
    return f"unix@{upstream.path}" if upstream.path else str(upstream)


def _backend(site: Site) -> str:
    lines = ["backend wss_workers"]
    if site.sticky == "ip":
        lines += [
            "    balance source  # the same client, the same worker",
            "    hash-type consistent",
        ]
    else:
        lines.append("    balance leastconn  # lines stay open: the fewest count")
    if site.sticky == "cookie":
        lines.append("    cookie WSSWORKER insert indirect nocache httponly secure")
    check = " check"
    if len(site.upstreams) > 2:
        lines += [
            "    # One that refuses a client is left out until a check (2 s) finds it again: of",
            "    # several that are gone, redispatch would try the same two in turn.",
        ]
        check += " rise 1 observe layer4 error-limit 1 on-error mark-down"
    options = check
    if site.is_tcp:
        lines.append(f"    timeout server {site.idle_timeout}s")
        lines.append("    # Each connection begins with a PROXY header that names the client.")
        ssl = ",ssl" if site.cert else ""
        options = f" send-proxy-v2 proxy-v2-options crc32c,authority{ssl}{check}"
    for number, upstream in enumerate(site.upstreams, 1):
        cookie = f" cookie {number}" if site.sticky == "cookie" else ""
        lines.append(f"    server worker{number} {_target(upstream)}{cookie}{options}")
    return "\n".join(lines) + "\n"


def standalone(
    site: Site, version: Version, directory: str, *, user: str = "", modules: tuple[str, ...] = ()
) -> str:
    """A complete configuration for a separate instance, with all its files in one directory.

    Args:
        site: the site that it serves.
        version: of HAProxy.
        directory: absolute, with the certificate and its key in `bundle.pem` if there is one.
        user: not used, it runs as the user that starts it.
        modules: not used, HAProxy loads none.
    """
    text = render(site, version).replace(_USER, "")
    text = text.replace(_LOG, "    log stdout format raw local0\n")
    return text.replace(f" crt {bundle(site)} ", f" crt {directory}/bundle.pem ")


def check_command(binary: str, directory: str, file: str) -> list[str]:
    """What has HAProxy read the file and say whether it is good."""
    return [binary, "-c", "-f", file]
