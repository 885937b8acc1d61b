"""Both sides of a proxy: the service without its proxy, or a stand-in for the service."""

from __future__ import annotations

from collections.abc import Iterator

from lineman.base.finding import Finding
from lineman.doctor.checks.check_type import error, info, ok, warning
from lineman.doctor.checks.statuses import excerpt
from lineman.doctor.facts import Facts, HandshakeReply, LineLook, Outcome, Seen, UpstreamFacts

UPGRADE = {
    "nginx": "in the location: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
    "proxy_set_header Connection upgrade;",
    "apache": 'ProxyPass "http://127.0.0.1:8282/wss" upgrade=websocket  (2.4.47 or newer, '
    "mod_proxy_http)",
    "": "let the proxy forward Upgrade and Connection, and speak HTTP/1.1 to the service; "
    "`lineman proxy` writes the lines",
}
REAL_IP = {
    "nginx": "proxy_set_header X-Real-IP $remote_addr;",
    "apache": 'RequestHeader set X-Real-IP "expr=%{REMOTE_ADDR}"',
    "": "let the proxy set X-Real-IP to the client's address; `lineman proxy` writes the lines",
}
# The headers that say who the client is, and all that a service behind a proxy needs.
ADDRESS = ("X-Real-IP", "X-Forwarded-For", "Forwarded")
SHOWN = ("Upgrade", "Connection", "Host", *ADDRESS)


def software(reply: HandshakeReply | None) -> str:
    """`nginx` or `apache`, by the Server header; empty for another."""
    name = "" if reply is None else reply.header("server").lower()
    return next((known for known in ("nginx", "apache") if known in name), "")


def direct(facts: Facts) -> Iterator[Finding]:
    """How the service answers without the proxy."""
    upstream = facts.upstream
    if upstream is None:
        return
    reply, target = upstream.reply, upstream.target
    if reply.is_open:
        yield ok("upstream", f"{target} answers without the proxy")
        yield from _proxy_is_to_blame(facts, upstream)
    elif upstream.takes_proxy_header:
        yield from _needs_header(facts, upstream)
    elif upstream.speaks_tls and not target.is_tls:
        works = facts.reply is not None and facts.reply.is_open
        yield (info if works else error)(
            "upstream-speaks-tls",
            f"{target} speaks TLS itself: the proxy ends TLS and sends plain HTTP to it",
            f"only one of them may do it: let the worker listen on ws://127.0.0.1:{target.port}, "
            "or proxy to "
            "it with https:// (proxy_pass https://…)",
        )
    elif reply.outcome is Outcome.REFUSED:
        yield error(
            "upstream-down",
            f"nothing listens on {target.host}, port {target.port}: the proxy cannot reach a "
            "service",
            "start the service: python app.py start; and check its port: ss -ltnp "
            f"'sport = :{target.port}'",
        )
    elif reply.outcome is Outcome.TIMEOUT:
        yield error(
            "upstream-hangs",
            f"{target} accepts the connection and does not answer",
            "a callback blocks it: see the service's log and its CPU (top); a plain function "
            "that waits belongs into an `async def` or a thread",
        )
    else:
        words = f"HTTP {reply.status}" if reply.status else reply.outcome.value
        yield error(
            "upstream-refuses",
            f"{target} itself refuses the handshake ({words}{_quote(reply)})",
            f"the proxy is not the cause: lineman doctor {target}",
        )


def _proxy_is_to_blame(facts: Facts, upstream: UpstreamFacts) -> Iterator[Finding]:
    reply = facts.reply
    if reply is None:
        return
    if reply.status in (502, 503, 504):
        yield error(
            "proxy-wrong-upstream",
            f"the proxy says {reply.status}, and {upstream.target} answers when it is asked "
            "directly: the proxy uses another address, or speaks TLS",
            f"proxy_pass http://{upstream.target.host}:{upstream.target.port}; (not https://, and "
            "that port); SELinux: setsebool -P httpd_can_network_connect 1; see the proxy's "
            "error log",
        )
    elif _is_silent(facts.line) and upstream.line is not None and upstream.line.pong is not None:
        yield error(
            "proxy-buffers",
            "a ping through the proxy is not answered, but a ping without the proxy is: the proxy "
            "delays data",
            "nginx: proxy_buffering off; proxy_request_buffering off;  and look for a CDN, a WAF "
            "or an antivirus on the way that does not support websockets",
        )


def _is_silent(line: LineLook | None) -> bool:
    return line is not None and line.pong is None and not line.code


def _needs_header(facts: Facts, upstream: UpstreamFacts) -> Iterator[Finding]:
    if facts.reply is not None and facts.reply.is_open:
        yield ok("upstream", f"{upstream.target} expects a PROXY header, and the proxy sends it")
        return
    yield error(
        "proxy-protocol-missing",
        f"{upstream.target} expects a PROXY header first, and the proxy does not send it",
        "haproxy: server … send-proxy-v2;  nginx (stream): proxy_protocol on;  or worker: "
        "proxy_protocol=None",
    )


def stand_in(facts: Facts) -> Iterator[Finding]:
    """What the proxy forwarded."""
    seen = facts.seen
    if seen is None:
        return
    kind = software(facts.reply)
    if seen.fault:
        yield error("stand-in", seen.fault, "stop the service first: the doctor takes its place")
    elif not seen.is_reached:
        yield error(
            "proxy-wrong-upstream",
            "the proxy sent nothing to the address of the service",
            "proxy_pass (ProxyPass) must name that host and port; see the proxy's error log",
        )
    elif seen.is_tls:
        yield error(
            "proxy-speaks-tls-to-plain-port",
            "the proxy speaks TLS to the service, which is plain",
            "proxy_pass http://… (not https://)",
        )
    else:
        yield from _headers(facts, seen, kind)


def _headers(facts: Facts, seen: Seen, kind: str) -> Iterator[Finding]:
    upgrade = seen.header("upgrade").lower()
    if upgrade != "websocket" or "upgrade" not in seen.header("connection").lower():
        yield error(
            "upgrade-headers-lost",
            f"the proxy does not forward the upgrade ({seen.version}, Upgrade: "
            f"{upgrade or '(none)'}, Connection: {seen.header('connection') or '(none)'})",
            UPGRADE[kind],
        )
    else:
        arrived = [
            f"{name}: {seen.header(name.lower())}" for name in SHOWN if seen.header(name.lower())
        ]
        yield ok("stand-in", f"the proxy sends {seen.version}; {'; '.join(arrived)}")
    given = [name for name in ADDRESS if seen.header(name.lower())]
    if seen.spoofed:
        yield warning(
            "real-ip-spoofable",
            f"the value that a client writes into {', '.join(seen.spoofed)} reaches the service: a "
            "client may claim any address",
            REAL_IP[kind] + '  and clear the other two: proxy_set_header Forwarded ""; '
            "proxy_set_header X-Forwarded-For $remote_addr;",
        )
    elif not given:
        yield warning(
            "real-ip-missing",
            "the proxy does not send the client's address: every client has the proxy's address",
            REAL_IP[kind],
        )
    if facts.target.authority not in (seen.header("host"), seen.header("x-forwarded-host")):
        yield info(
            "host-header-changed",
            f"the service sees Host: {seen.header('host')} in place of {facts.target.authority}, "
            "so it cannot distinguish the site's own pages from others that bring its cookies",
            "nginx: proxy_set_header Host $http_host;  Apache: ProxyPreserveHost On",
        )


def _quote(reply: HandshakeReply) -> str:
    text = "" if reply.answer is None else excerpt(reply.answer.text)
    return f": {text}" if text else ""


CHECKS = (stand_in, direct)
