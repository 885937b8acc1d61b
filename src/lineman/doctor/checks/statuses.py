"""The meaning of each HTTP status but 101: those of servers, of Cloudflare and of load balancers.

Source: https://www.iana.org/assignments/http-status-codes,
https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/,
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/
load-balancer-troubleshooting.html, nginx's ngx_http_request.h
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from lineman.base.finding import Finding
from lineman.doctor.checks.check_type import error
from lineman.doctor.facts import Facts, HandshakeReply

# How to find out whether the service answered, or something in front of it.
ASK_DIRECTLY = "--upstream ws://127.0.0.1:8282"

_DIRECTLY = "; ask it directly: "
_EXCERPT = 200  # letters


def is_registered(status: int) -> bool:
    """Whether it is a status of HTTP itself, and not one that a product has made up."""
    return any(status == known for known in HTTPStatus)


def words_of(reply: HandshakeReply) -> str:
    """The answer's text in brackets, after a space; empty for none."""
    text = text_of(reply)
    return f" ({text})" if text else ""


def text_of(reply: HandshakeReply) -> str:
    """The answer's text without markup."""
    if reply.answer is None:
        return ""
    bare = re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", reply.answer.text, flags=re.S | re.I)
    return excerpt(bare)


def excerpt(text: str) -> str:
    """The beginning of a text, in one line and of whole words."""
    text = " ".join(text.split())
    if len(text) <= _EXCERPT:
        return text
    cut = text[:_EXCERPT]
    words = cut[: cut.rfind(" ")] if cut.rfind(" ") > _EXCERPT // 2 else cut
    return f"{words} …"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The finding that a status alone leads to.

    Attributes:
        name: the name of the finding.
        seen: its text; `{words}` is the text of the answer, `{wait}` the time to wait.
        fix: what mends it; `{path}` is the path of the request.
    """

    name: str
    seen: str
    fix: str

    def __call__(self, facts: Facts, reply: HandshakeReply) -> Finding:
        """The finding."""
        wait = reply.header("retry-after")
        when = f"; Retry-After: {wait}" if wait else ""
        seen = self.seen.format(words=words_of(reply), wait=when)
        # If the service was asked directly, another finding has its answer.
        fix = self.fix.partition(_DIRECTLY)[0] if facts.upstream is not None else self.fix
        fix = fix.format(path=facts.target.resource)
        return error(self.name, f"HTTP {reply.status}{seen}", fix)


_UPSTREAM = Refusal(
    "upstream-down",
    ": the proxy cannot reach the service behind it, or the service closes the connection",
    "check that it runs (ss -ltnp), on the port that the proxy names, and that proxy_pass says "
    "http:// if it does not speak TLS. See the proxy's error log; ask it directly: "
    "--upstream ws://127.0.0.1:8282{path}",
)
_UPSTREAM_SLOW = Refusal(
    "upstream-timeout",
    ": the service behind the proxy accepts the connection and does not answer",
    "a callback blocks the service, or the proxy uses a port that drops packets; see "
    "the service's log; ask it directly: --upstream ws://127.0.0.1:8282",
)
_FORBIDDEN = Refusal(
    "forbidden",
    "{words}, for every Origin",
    "the service or a WAF refuses it: send what it demands (--origin, -H 'Cookie: …'), or see "
    "on_websocket_connect and the proxy's deny rules",
)
_LOGIN = Refusal(
    "login-required",
    "{words}: the server demands a login",
    "send it: -H 'Authorization: Bearer …'. A browser cannot set that header: use a cookie, a "
    "token in the query, or one in the first message",
)
_RATE = Refusal(
    "rate-limited",
    "{words}: too many requests from this address{wait}",
    "wait, and raise the limit where clients share an address (limit_req, limit_conn)",
)
_HEAD = Refusal(
    "head-too-large",
    "{words}: the request's head is too large",
    "send fewer cookies or a shorter query; raise the limit: large_client_header_buffers "
    "4 32k; (worker: max_head_size)",
)
_NOT_SERVICE = ". The service was not reached: its log says nothing"
_CDN_REFUSED = Refusal(
    "origin-down",
    ": Cloudflare reaches the machine, and nothing accepts the connection there",
    "check that the service (or the proxy before it) runs, on a port that Cloudflare uses (443, "
    "8443, 2053, 2083, 2087, 2096), and that the firewall accepts Cloudflare's addresses "
    "(https://www.cloudflare.com/ips/). On the server: ss -ltnp; ask it directly: "
    "--upstream ws://127.0.0.1:8282{path}",
)
_CDN_UNREACHED = Refusal(
    "origin-unreachable",
    ": Cloudflare does not reach the machine behind it",
    "check that the A and AAAA records at Cloudflare hold the server's address, and that its "
    "firewall and the cloud's security group accept Cloudflare's addresses "
    "(https://www.cloudflare.com/ips/)",
)
_CDN_ODD = Refusal(
    "origin-answer-broken",
    ": Cloudflare got an invalid answer from the machine behind it (an empty one, a "
    "reset, headers above 32 KB)",
    "ask that machine directly: --upstream ws://127.0.0.1:8282{path}; see its proxy's error log, "
    "and the "
    "service's own: it may crash in on_websocket_connect",
)
_CDN_SLOW = Refusal(
    "upstream-timeout",
    ": the machine behind Cloudflare accepts the connection and does not answer within 100 s",
    "a callback blocks the service, or its proxy uses a port that does not answer; ask it "
    "directly: " + ASK_DIRECTLY,
)
_CDN_TLS = Refusal(
    "origin-tls-fails",
    ": Cloudflare speaks TLS to the machine behind it, and the TLS handshake fails there",
    "make that port speak TLS with a certificate for this name: it may speak plain HTTP, or have "
    "no certificate for the name; or choose SSL/TLS mode Flexible, in which Cloudflare sends plain "
    "HTTP",
)
_CDN_CERTIFICATE = Refusal(
    "origin-certificate",
    ": Cloudflare does not trust the certificate of the machine behind it",
    "give that machine a valid one for this name (Let's Encrypt, or Cloudflare's Origin CA), with "
    "its "
    "chain: lineman cert check; mode Full, without Strict, checks none",
)
_CDN_OWN = Refusal(
    "cdn-error",
    "{words}: an error of Cloudflare itself, whose number (1xxx) stands in the page. The service "
    "was not reached",
    "1016: the record's target has no address; 1033: the tunnel is down (cloudflared); others: "
    "https://developers.cloudflare.com/support/troubleshooting/http-status-codes/"
    "cloudflare-1xxx-errors/",
)
_TOO_LATE = Refusal(
    "handshake-too-slow",
    ": something on the way thinks that the client has closed the connection before there was an "
    "answer",
    "raise its idle and client timeouts above the service's time to answer, and check what "
    "on_websocket_connect waits for; the service itself: " + ASK_DIRECTLY,
)
_FORWARDED = Refusal(
    "forwarded-too-long",
    ": the load balancer takes at most 30 addresses in X-Forwarded-For" + _NOT_SERVICE,
    "let the proxy before it replace X-Forwarded-For, and not append to it; a client that sends "
    "such a header is no browser",
)
_VERSION = Refusal(
    "upgrade-headers-lost",
    ": the load balancer and what is behind it do not agree on a version of HTTP" + _NOT_SERVICE,
    "set its target group to HTTP1: websockets begin with HTTP/1.1",
)
_BALANCER_LOGIN = Refusal(
    "login-required",
    ": the load balancer demands a login, and its own login service fails" + _NOT_SERVICE,
    "exclude the websocket's path from its authentication, or check its settings",
)
_CLIENT_CERTIFICATE = Refusal(
    "tls-client-certificate",
    "{words}: the server demands a certificate of the client, or does not accept it",
    "give clients a certificate, or do not demand it (nginx: ssl_verify_client off;)",
)
_PLAIN = Refusal(
    "plain-on-tls-port",
    ": plain HTTP was sent to a port that speaks TLS",
    "use wss:// in the URL; or let the proxy before it speak TLS to it (proxy_pass https://…)",
)
_MISDIRECTED = Refusal(
    "wrong-host",
    "{words}: this server does not answer for that name on this connection",
    "the name in TLS and the Host header differ, or no site has the name: compare server_name, "
    "ServerName and the certificate with the host in the URL",
)
_CAPTIVE = Refusal(
    "network-login",
    "{words}: this network demands a login first; the service was not reached",
    "log in to the network with a browser, or use another network",
)
_BLOCKED = Refusal(
    "blocked",
    "{words}: this site is blocked on the way for legal reasons",
    "ask the hoster: in mainland China a site needs its ICP number before it is served",
)

# By status. Findings that depend on more than the status are in `handshake_answer.py`.
REFUSALS: dict[int, Refusal] = {
    401: _LOGIN, 403: _FORBIDDEN, 407: _LOGIN, 408: _TOO_LATE, 413: _HEAD, 414: _HEAD,
    421: _MISDIRECTED, 429: _RATE, 431: _HEAD, 440: _LOGIN, 451: _BLOCKED,
    460: _TOO_LATE, 463: _FORWARDED, 464: _VERSION, 561: _BALANCER_LOGIN,  # AWS
    494: _HEAD, 495: _CLIENT_CERTIFICATE, 496: _CLIENT_CERTIFICATE, 497: _PLAIN, 499: _TOO_LATE,
    502: _UPSTREAM, 503: _UPSTREAM, 504: _UPSTREAM_SLOW, 511: _CAPTIVE,
    520: _CDN_ODD, 521: _CDN_REFUSED, 522: _CDN_UNREACHED, 523: _CDN_UNREACHED, 524: _CDN_SLOW,
    525: _CDN_TLS, 526: _CDN_CERTIFICATE, 527: _CDN_ODD, 530: _CDN_OWN,
    529: _RATE, 598: _UPSTREAM_SLOW, 599: _UPSTREAM_SLOW,
}  # fmt: skip
