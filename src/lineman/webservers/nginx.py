"""nginx's configuration for a site, pure.

Source: nginx's documentation of ngx_http_proxy_module, ngx_http_upstream_module and
ngx_stream_proxy_module; nginx CHANGES for what a version knows.
"""

from __future__ import annotations

import textwrap

from lineman.errors import ConfigError
from lineman.webservers import server_version as versions
from lineman.webservers.server_version import Version
from lineman.webservers.site import CONNECT_TIMEOUT, TLS_CIPHERS, Site

TITLE = "nginx"
BINARY = "nginx"
PACKAGE = "nginx"
VERSION_OPTION = "-v"
USUAL: Version = (1, 22, 1)
OLDEST: Version = (1, 18, 0)
FILE = "/etc/nginx/conf.d/wss.conf"


def render(site: Site, version: Version) -> str:
    """The whole configuration file.

    Raises:
        ConfigError: this version cannot do it.
    """
    versions.demand(TITLE, version, OLDEST, "is older than what this is written for")
    if site.sticky == "cookie":
        raise ConfigError(
            "nginx itself sets no cookie that leads to the same worker again",
            "use --sticky ip, or HAProxy, Apache or Caddy",
        )
    if site.cert is None and not site.is_tcp:
        raise ConfigError(
            "nginx needs a certificate", "give --cert fullchain.pem --key privkey.pem"
        )
    return _stream(site, version) if site.is_tcp else _http(site, version)


def _head(site: Site, version: Version, file: str, check: str) -> str:
    return f"""\
# {site.url} -> {site.workers}        nginx {versions.words(version)}
# {file}, then: {check}
# The service: {site.worker_line}
"""


def _http(site: Site, version: Version) -> str:
    head = _head(
        site, version, f"{FILE} (included inside `http`)", "nginx -t && systemctl reload nginx"
    )
    return f"""\
{head}
# Only the word "websocket" is passed on (in any case); any other upgrade becomes a plain request,
# which the worker answers with 426.
map $http_upgrade $wss_upgrade {{
    default   "";
    websocket websocket;
}}
map $http_upgrade $wss_connection {{
    default   "";
    websocket upgrade;
}}

{_upstream(site)}
server {{
{_listen(site, version)}
    server_name {site.domain};
    root {site.root};

{_tls(site, "    ")}
    # Once nothing of the site needs plain http any more, for two years (Mozilla's advice):
    # add_header Strict-Transport-Security "max-age=63072000" always;

{_location(site)}
}}

server {{
{_plain_listen(site)}
    server_name {site.domain};

    location /.well-known/acme-challenge/ {{  # where certbot --webroot writes
        root {site.root};
    }}
    location / {{
        return 301 {site.https}$request_uri;
    }}
}}
"""


def _upstream(site: Site) -> str:
    lines = ["upstream wss_workers {"]
    if site.sticky == "ip":
        lines.append("    hash $binary_remote_addr consistent;  # the same client, the same worker")
    elif len(site.upstreams) > 1:
        lines.append("    least_conn;  # lines stay open: the fewest count, not whose turn it is")
    lines += [f"    server {upstream};" for upstream in site.upstreams]
    return "\n".join([*lines, "}"]) + "\n"


def _listen(site: Site, version: Version) -> str:
    words = " ssl"
    if site.has_http2 and version < (1, 25, 1):
        words += " http2"
    lines = [f"    listen {place}{words};" for place in _places(site, site.https_port)]
    if site.has_http2 and version >= (1, 25, 1):
        lines.append("    http2 on;")
    if site.has_http2:
        lines[-1] += "  # for pages; browsers open an HTTP/1.1 connection for the websocket"
    return "\n".join(lines)


def _plain_listen(site: Site) -> str:
    return "\n".join(f"    listen {place};" for place in _places(site, site.http_port))


def _places(site: Site, port: int) -> list[str]:
    return site.listens(port) if site.listen else [str(port), f"[::]:{port}"]


def _tls(site: Site, indent: str) -> str:
    lines = f"""\
ssl_certificate     {site.cert};  # the server's certificate first, then the chain
ssl_certificate_key {site.key or site.cert};
ssl_protocols TLSv1.2 TLSv1.3;
ssl_ciphers {TLS_CIPHERS};
ssl_prefer_server_ciphers off;
ssl_session_cache shared:wss:10m;
ssl_session_timeout 1d;
ssl_session_tickets off;
"""
    return textwrap.indent(lines, indent)


def _location(site: Site) -> str:
    opens = f"= {site.path}"
    note = '  # "=": without it /wssx and /wss-admin reach the worker too'
    if site.is_prefix:
        opens = f"~ {site.pattern}"
        note = "  # the path and what lies below it"
    elif site.path != "/wss":
        note = '  # "=": this path and no other'
    seconds = site.idle_timeout
    return f"""\
    location {opens} {{{note}
        proxy_pass http://wss_workers;
        proxy_http_version 1.1;
        proxy_set_header Host       $http_host;  # the worker compares it with Origin
        proxy_set_header Upgrade    $wss_upgrade;
        proxy_set_header Connection $wss_connection;

        # Whatever the client wrote in these is replaced: the worker believes them.
        proxy_set_header X-Real-IP         $remote_addr;
        proxy_set_header X-Forwarded-For   $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Forwarded         "";

        # {site.why_idle}
        proxy_connect_timeout {CONNECT_TIMEOUT}s;
        proxy_read_timeout    {seconds}s;
        proxy_send_timeout    {seconds}s;
        proxy_socket_keepalive on;
        proxy_buffering off;
        proxy_next_upstream error timeout;  # a worker that is away; never after it has answered

        # Of a plain request's body. The size of a message is the worker's max_message_size.
        client_max_body_size {site.max_body};
    }}"""


def _stream(site: Site, version: Version) -> str:
    head = _head(
        site,
        version,
        "At the end of /etc/nginx/nginx.conf, outside of `http` (Debian: apt-get install "
        "libnginx-mod-stream)",
        "nginx -t && systemctl reload nginx",
    )
    ends = "TLS ends here" if site.cert else "TLS passes through: the worker has the certificate"
    ssl = " ssl" if site.cert else ""
    listen = "\n".join(f"        listen {place}{ssl};" for place in _places(site, site.https_port))
    tls = f"\n{_tls(site, '        ').rstrip()}\n" if site.cert else ""
    if site.cert and version >= (1, 21, 4):
        tls += "        ssl_alpn http/1.1;\n"
    return f"""\
{head}
stream {{
{textwrap.indent(_upstream(site), "    ")}
    server {{
{listen}  # {ends}
{tls}
        proxy_pass wss_workers;
        proxy_protocol on;  # version 1, which is the one that nginx sends
        proxy_connect_timeout {CONNECT_TIMEOUT}s;
        # {site.why_idle}
        proxy_timeout {site.idle_timeout}s;
        proxy_socket_keepalive on;
    }}
}}
"""


def standalone(
    site: Site, version: Version, directory: str, *, user: str = "", modules: tuple[str, ...] = ()
) -> str:
    """A whole `nginx.conf` for an instance of its own, every file of which is in a directory.

    Args:
        site: the site that it serves.
        version: of nginx.
        directory: absolute; nothing outside of it is written.
        user: the user of its processes if root starts it; empty for the user that starts it.
        modules: files to load.
    """
    text = render(site, version)
    load = "".join(f"load_module {module};\n" for module in modules)
    if not site.is_tcp:
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "\n".join(f"    {kind}_temp_path {directory}/{kind};" for kind in kinds)
        text = f"http {{\n    access_log off;\n{temporary}\n{text}}}\n"
    return f"""\
{load}{f"user {user};" if user else ""}
pid {directory}/nginx.pid;
error_log stderr notice;
worker_processes 1;
events {{ worker_connections {2 * site.max_clients + 64}; }}
{text}"""


def check_command(binary: str, directory: str, file: str) -> list[str]:
    """What has nginx read the file and say whether it is good."""
    return [binary, "-t", "-p", directory, "-c", file]
