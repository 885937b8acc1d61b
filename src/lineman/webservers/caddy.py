"""Caddy's configuration for a site, pure.

Source: Caddy's documentation of the Caddyfile, `reverse_proxy` and `tls`.
"""

from __future__ import annotations

from lineman.errors import ConfigError
from lineman.webservers import server_version as versions
from lineman.webservers.server_version import Version
from lineman.webservers.site import CONNECT_TIMEOUT, Site, Upstream

TITLE = "Caddy"
BINARY = "caddy"
PACKAGE = "caddy"
VERSION_OPTION = "version"
USUAL: Version = (2, 6, 2)
OLDEST: Version = (2, 6, 0)
CLOSE_DELAY: Version = (2, 7, 0)
FILE = "/etc/caddy/Caddyfile"


def render(site: Site, version: Version) -> str:
    """The whole configuration file.

    Raises:
        ConfigError: Caddy, or this version of it, cannot do it.
    """
    versions.demand(TITLE, version, OLDEST, "is older than what this is written for")
    if site.is_tcp:
        raise ConfigError(
            "Caddy forwards no plain TCP without a plug-in (layer4)",
            "leave --tcp out: by HTTP it tells the client's address as well; or use nginx, HAProxy",
        )
    return f"""\
# {site.url} -> {site.workers}        Caddy {versions.words(version)}
# {FILE}, then: caddy validate --config {FILE} && systemctl reload caddy
# The service: {site.worker_line}
# HTTP/2 and the redirect from http to https need no line: Caddy does both by itself.
{{
{_global(site)}}}

{site.https} {{
{_bind(site)}{_tls(site)}
	# This path in this spelling; Caddy's own path matcher takes /WSS for /wss.
	@wss path_regexp {site.pattern}
	handle @wss {{
		# Of a plain request's body. The size of a message is the worker's max_message_size.
		request_body {{
			max_size {site.max_body}
		}}
{_reverse_proxy(site, version)}
	}}
	handle {{
		respond "no such path" 404
	}}
}}
"""


def _global(site: Site) -> str:
    lines = ""
    if site.https_port != 443:
        lines += f"\thttps_port {site.https_port}\n"
    if site.http_port != 80:
        lines += f"\thttp_port {site.http_port}\n"
    protocols = "" if site.has_http2 else "\t\tprotocols h1\n"
    return f"""\
{lines}\t# Else Caddy as root puts an authority of its own into this machine's trust store.
\tskip_install_trust
\tservers {{
{protocols}\t\ttimeouts {{
\t\t\tread_header 10s
\t\t}}
\t}}
"""


def _bind(site: Site) -> str:
    return f"\tbind {' '.join(site.listen)}\n" if site.listen else ""


def _tls(site: Site) -> str:
    if site.cert is None:
        return (
            "\t# No tls line: Caddy gets the certificate from Let's Encrypt, and renews it."
            "\n\t# Ports 80 and 443 must be reachable from outside under this name.\n"
        )
    return (
        "\t# The server's certificate first, then the chain. TLS 1.2 and 1.3 are Caddy's choice.\n"
        f"\ttls {site.cert} {site.key or site.cert}\n"
    )


def _target(upstream: Upstream) -> str:
    return f"unix/{upstream.path}" if upstream.path else str(upstream)


def _reverse_proxy(site: Site, version: Version) -> str:
    policy = ""
    if site.sticky == "ip":
        policy = "\t\t\tlb_policy ip_hash\n"
    elif site.sticky == "cookie":
        policy = "\t\t\tlb_policy cookie wssworker\n"
    elif len(site.upstreams) > 1:
        policy = (
            "\t\t\t# Lines stay open: the fewest count, not whose turn it is.\n"
            "\t\t\tlb_policy least_conn\n"
        )
    if len(site.upstreams) > 1:
        policy += "\t\t\tlb_try_duration 2s\n\t\t\tfail_duration 5s\n"
    if version >= CLOSE_DELAY:
        delay = (
            "\t\t\t# Else a reload of Caddy closes every open websocket at once.\n"
            "\t\t\tstream_close_delay 1h\n"
        )
    else:
        delay = (
            "\t\t\t# A reload of Caddy closes every open websocket; from 2.7 on\n"
            "\t\t\t# stream_close_delay prevents it.\n"
        )
    return f"""\
\t\treverse_proxy {" ".join(_target(upstream) for upstream in site.upstreams)} {{
{policy}\t\t\t# Whatever the client wrote in these is replaced: the worker believes them.
\t\t\t# X-Forwarded-For and X-Forwarded-Proto Caddy writes itself.
\t\t\theader_up X-Real-IP {{remote_host}}
\t\t\theader_up -Forwarded
\t\t\t# There is no idle timeout here: the worker's pings find the dead.
\t\t\tflush_interval -1
{delay}\t\t\ttransport http {{
\t\t\t\tdial_timeout {CONNECT_TIMEOUT}s
\t\t\t}}
\t\t}}"""


def standalone(
    site: Site, version: Version, directory: str, *, user: str = "", modules: tuple[str, ...] = ()
) -> str:
    """A complete Caddyfile for a separate instance, with all its files in one directory.

    Args:
        site: the site that it serves.
        version: of Caddy.
        directory: absolute; nothing outside of it is written.
        user: not used, Caddy does not change its user.
        modules: not used, Caddy loads none.
    """
    own = f"\tadmin unix/{directory}/admin.sock\n\tstorage file_system {directory}/storage\n"
    head, opens, rest = render(site, version).partition("{\n")
    return f"{head}{opens}{own}{rest}"


def check_command(binary: str, directory: str, file: str) -> list[str]:
    """The command with which Caddy checks the file."""
    return [binary, "validate", "--adapter", "caddyfile", "--config", file]
