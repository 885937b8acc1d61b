"""What the server answered to the handshake."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lineman.base.finding import Finding
from lineman.doctor.checks.check_type import error, info, ok, warning
from lineman.doctor.checks.statuses import (
    ASK_DIRECTLY,
    REFUSALS,
    is_registered,
    text_of,
    words_of,
)
from lineman.doctor.checks.upstream import UPGRADE, software
from lineman.doctor.facts import Facts, HandshakeReply, Outcome

SLOW = 5.0  # seconds


def opened(facts: Facts) -> Iterator[Finding]:
    """Whether a websocket opened, and if not, why."""
    reply = facts.reply
    if reply is None or facts.speaks_other_scheme:
        return
    if reply.status == 101:
        yield from _judge_101(facts, reply)
    elif reply.status:
        yield from _refused(facts, reply)
    else:
        yield from _no_answer(facts, reply)


def _judge_101(facts: Facts, reply: HandshakeReply) -> Iterator[Finding]:
    objection = reply.objection
    if "Accept" in objection:
        yield error(
            "accept-wrong",
            f"{objection}: a cache or a broken device on the way answers in place of the service",
            "make sure that nothing on the way answers or caches this path; in a CDN, turn caching "
            "off for it",
        )
    elif "extension" in objection:
        yield error(
            "extension-unasked",
            f"the server chose an extension that was not offered "
            f"({reply.header('sec-websocket-extensions')})",
            "the server must choose from what the client offers: turn compression off there, or "
            "look for a proxy that adds the header",
        )
    elif "subprotocol" in objection:
        yield error(
            "subprotocol-not-offered",
            f"the server chose the subprotocol {reply.header('sec-websocket-protocol')!r}, and the "
            f"client offered {', '.join(facts.question.subprotocols) or 'none'}",
            "offer it (--subprotocol; new WebSocket(url, [name])), or take it from the server",
        )
    elif objection:
        yield error(
            "handshake-broken",
            f"the server's answer opens no websocket: {objection}",
            "a proxy has removed Upgrade or Connection from the answer: "
            + UPGRADE[software(reply)],
        )
    else:
        yield from _judge_open(facts, reply)


def _judge_open(facts: Facts, reply: HandshakeReply) -> Iterator[Finding]:
    offered, chosen = facts.question.subprotocols, reply.header("sec-websocket-protocol")
    if offered and not chosen:
        yield error(
            "subprotocol-not-chosen",
            f"the server chose none of the subprotocols {', '.join(offered)}: then browsers close "
            "the connection",
            f'name one there: Worker(…, subprotocols=["{offered[0]}"]); if the worker has it, '
            "let the proxy forward Sec-WebSocket-Protocol",
        )
    words = f", subprotocol {chosen}" if chosen else ""
    yield ok("handshake", f"the websocket opens in {reply.seconds * 1000:.0f} ms{words}")
    if reply.seconds > SLOW:
        yield warning(
            "handshake-slow",
            f"the handshake took {reply.seconds:.1f} s",
            "check what on_websocket_connect waits for, and the service's CPU",
        )


def _refused(facts: Facts, reply: HandshakeReply) -> Iterator[Finding]:
    if facts.proxy_header is not None and facts.proxy_header.is_open:
        yield needs_proxy_header(facts)
        return
    by_subprotocol = facts.without_subprotocol
    if by_subprotocol is not None and by_subprotocol.is_open:
        yield error(
            "subprotocol-refused",
            f"the handshake fails with the subprotocols {', '.join(facts.question.subprotocols)} "
            f"(HTTP {reply.status}), and works without them",
            "name one that the server has, or add it there: Worker(…, subprotocols=[…])",
        )
        return
    if any(status == 101 for _, status in facts.other_origins):
        yield _origin(facts, reply)
        return
    upstream = facts.upstream
    if reply.status in (502, 503) and upstream and upstream.reply.outcome is Outcome.REFUSED:
        return  # `direct` reports the port that nothing listens on
    special = _BY_STATUS.get(reply.status)
    if special is None:
        special = _redirect if 300 <= reply.status < 400 else _other
    yield special(facts, reply)


def _origin(facts: Facts, reply: HandshakeReply) -> Finding:
    good = [origin or "none" for origin, status in facts.other_origins if status == 101]
    sent = facts.question.origin or "none"
    return error(
        "origin-refused",
        f"HTTP {reply.status} with the Origin {sent}; the handshake works with: {', '.join(good)}",
        f'add the page\'s origin to the list of the service: Worker(…, origins=["{sent}"])',
    )


def _redirect(facts: Facts, reply: HandshakeReply) -> Finding:
    to = reply.header("location")
    instead = re.sub(r"^http", "ws", to)[:200]
    return error(
        "redirect",
        f"HTTP {reply.status}: the server sends clients to {to[:200] or '(nowhere)'}, and "
        "websocket clients do not follow",
        f"use {instead} in the URL, or leave the redirect out for this path (a missing or extra "
        "slash at the end? http to https? a login page?)",
    )


def _wrong_path(facts: Facts, reply: HandshakeReply) -> Finding:
    good = [path for path, status in facts.other_paths if status == 101]
    fix = (
        f"use the path {good[0]}"
        if good
        else "compare the URL's path with location in nginx (ProxyPass in Apache): location = "
        f"{facts.target.resource.partition('?')[0]} {{ … }}"
    )
    words = f"; a websocket opens at {', '.join(good)}" if good else ""
    return error("wrong-path", f"HTTP {reply.status} for {facts.target.resource}{words}", fix)


def _page(facts: Facts, reply: HandshakeReply) -> Finding:
    good = [path for path, status in facts.other_paths if status == 101]
    kind = reply.header("content-type").partition(";")[0]
    return error(
        "not-a-websocket",
        f"{facts.target.resource} answers with HTTP {reply.status} and {kind or 'a page'}: the "
        "path serves pages",
        f"use the path {good[0]}"
        if good
        else "give the websocket's path; a catch-all for a single-page app must come after its "
        "location",
    )


def _upgrade(facts: Facts, reply: HandshakeReply) -> Finding:
    text = text_of(reply)
    status = f"HTTP {reply.status}{f' ({text})' if text else ''}"
    if reply.status == 400 and re.search("wss://|https|SSL|TLS", text):
        return error(
            "upstream-speaks-tls",
            f"{status}: the proxy ends TLS and sends plain HTTP to a service that speaks TLS too",
            "only one of them may do it: let the worker listen on ws://127.0.0.1:…, or let the "
            "proxy speak TLS to it (proxy_pass https://…)",
        )
    if reply.status == 400 and not re.search("upgrade|websocket|connection", text, re.I):
        return error(
            "bad-request",
            f"{status} for a correct handshake",
            "look at the service's log; a WAF or a proxy may refuse the request's headers",
        )
    if facts.upstream is not None and facts.upstream.reply.status == reply.status:
        return error(
            "not-a-websocket", f"the service itself answers {status}", "give the websocket's path"
        )
    return error(
        "upgrade-headers-lost",
        f"{status}, although the request asked for an upgrade: the proxy does not forward Upgrade "
        "and "
        "Connection, or speaks HTTP/1.0 to the service",
        UPGRADE[software(reply)],
    )


def _other(facts: Facts, reply: HandshakeReply) -> Finding:
    seen = f"HTTP {reply.status}{words_of(reply)}"
    if not is_registered(reply.status):
        whose = reply.header("server")[:60]
        return error(
            "handshake-refused",
            f"{seen}: HTTP does not define this status; something on the way"
            f"{f' ({whose})' if whose else ''} has invented it",
            "look it up in the manual of the load balancer, CDN or firewall in front; to see "
            f"whether the service was reached: {ASK_DIRECTLY}",
        )
    where = "the service's log" if reply.status >= 500 else "the service and its proxy"
    return error("handshake-refused", seen, f"look at {where}")


_BY_STATUS: dict[int, Callable[[Facts, HandshakeReply], Finding]] = {
    **REFUSALS,
    200: _page, 204: _page, 400: _upgrade, 404: _wrong_path, 405: _page, 410: _wrong_path,
    426: _upgrade, 501: _upgrade, 505: _upgrade,
}  # fmt: skip


def needs_proxy_header(facts: Facts) -> Finding:
    """The port is for a proxy in front, not for clients."""
    return error(
        "proxy-protocol-required",
        f"{facts.place}, refuses clients, and accepts them after a PROXY header",
        "let clients connect to the proxy in front of it, or turn it off there (worker: "
        "proxy_protocol=None;  nginx: listen … without proxy_protocol)",
    )


def only_h2(facts: Facts) -> Finding:
    """Websockets begin with HTTP/1.1, and the port speaks something newer."""
    return error(
        "alpn-h2-only",
        f"{facts.place}, speaks HTTP/2 only, and websockets begin with HTTP/1.1",
        "offer both: nginx: listen 443 ssl; http2 on;  Apache: Protocols h2 http/1.1;  haproxy: "
        "alpn h2,http/1.1",
    )


def _no_answer(facts: Facts, reply: HandshakeReply) -> Iterator[Finding]:
    if facts.proxy_header is not None and facts.proxy_header.status:
        yield needs_proxy_header(facts)
    elif "CERTIFICATE" in reply.reason:
        yield error(
            "tls-client-certificate",
            f"the server demands a certificate of the client ({reply.reason})",
            "give clients a certificate, or do not demand it (nginx: ssl_verify_client off;)",
        )
    elif facts.tls is not None and facts.tls.h2_alpn:
        yield only_h2(facts)
    elif reply.outcome is Outcome.NOT_HTTP:
        yield error(
            "not-http",
            f"{facts.place}, answers the handshake with something that is not HTTP "
            f"({reply.start!r})",
            f"another service listens there: ss -ltnp 'sport = :{facts.target.port}'",
        )
    elif reply.outcome is Outcome.TIMEOUT:
        yield error(
            "handshake-timeout",
            f"{facts.target} accepts the request and does not answer it",
            "a callback blocks the service (see its log and CPU), or the port belongs to a service "
            "that expects another protocol",
        )
    else:
        yield error(
            "handshake-dropped",
            f"{facts.target} closes the connection without an answer",
            "see the service's log: it may crash in on_websocket_connect; or something on the way "
            "refuses websockets",
        )


def extension(facts: Facts) -> Iterator[Finding]:
    """Every browser offers compression: the handshake must work with it as well."""
    reply = facts.with_extension
    if reply is None:
        return
    off = "turn it off at the server: Worker(…, compression=False)"
    line = facts.extension_line
    if not reply.is_open:
        how = f"HTTP {reply.status}" if reply.status else reply.outcome.value
        yield error(
            "extension-trouble",
            "the handshake works, but fails when the client offers compression, as every browser "
            "does "
            f"({reply.objection or how})",
            off,
        )
    elif line is not None and (line.outcome is not Outcome.DONE or line.pong is None):
        yield error(
            "extension-trouble",
            "with compression (permessage-deflate) the connection breaks: "
            f"{line.reason or 'a ping is not answered'}",
            off + "; or a proxy on the way changes frames",
        )
    elif chosen := reply.header("sec-websocket-extensions"):
        yield ok("compression", f"compression is on: {chosen}")


def network(facts: Facts) -> Iterator[Finding]:
    """A content delivery network on the way has rules of its own."""
    reply = facts.reply
    if reply is None:
        return
    if reply.header("cf-ray") or "cloudflare" in reply.header("server").lower():
        yield info(
            "cdn-on-the-way",
            "Cloudflare is on the way: it cuts a connection after 100 s of silence, and at its "
            "restarts",
            "turn WebSockets on (Network tab); ping more often than every 100 s; let clients "
            "reconnect",
        )


CHECKS = (opened, extension, network)
