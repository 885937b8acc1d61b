"""What a WeChat mini-program demands of the server of `wx.connectSocket`.

Source: developers.weixin.qq.com/miniprogram/dev/framework/ability/network.html and
…/dev/api/network/websocket/wx.connectSocket.html; docs/howto/wechat.md has each rule with its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from lineman.base.finding import Finding, Level
from lineman.doctor.checks.check_type import error, info, ok, warning
from lineman.doctor.facts import Facts, Outcome
from lineman.tls.advice import verdict

PROFILE = "wechat"
REFERER = "https://servicewechat.com/touristappid/0/page-frame.html"
_USUAL_PORT = 443
_FORBIDDEN = "api.weixin.qq.com"
_CONNECT_TIMEOUT = 60.0  # seconds, networkTimeout.connectSocket
# Source: Apple, App Transport Security: AES-GCM or AES-CBC with an ephemeral key exchange
_MODERN = ("TLSv1.2", "TLSv1.3")


def address(facts: Facts) -> Iterator[Finding]:
    """The URL itself."""
    target = facts.target
    if not target.is_tls:
        yield error(
            "wechat-wss-only",
            "wx.connectSocket takes wss:// only",
            f"use {target.with_scheme('wss')}",
        )
    try:
        ip_address(target.host)
    except ValueError:
        is_ip = target.host == "localhost"
    else:
        is_ip = True
    if is_ip:
        yield error(
            "wechat-name-needed",
            f"{target.host} cannot be entered in the console: a domain name is needed",
            "use your own domain name, with an ICP filing where the program is published in "
            "mainland China",
        )
    elif target.host == _FORBIDDEN:
        yield error(
            "wechat-name-needed",
            f"{_FORBIDDEN} cannot be entered in the console",
            "call it from your server, and let the program connect to your server",
        )
    else:
        yield info(
            "wechat-console",
            "only domains that are entered in the console are allowed: 开发管理 → 开发设置 → "
            "服务器域名 → socket 合法域名",
            f"enter wss://{target.host} there (no path; a parent domain does not cover it)",
        )
    if target.port != _USUAL_PORT and not is_ip:
        yield info(
            "wechat-port",
            f"the URL has port {target.port}: WeChat allows every port of a wss domain, which is "
            "entered without one (copies of its page from before 2023 forbid it, as for https)",
            "a URL without a port, through a web server at 443, works by either rule",
        )


def tls(facts: Facts) -> Iterator[Finding]:
    """Version and certificate, as phones judge them: they fetch nothing that is missing."""
    look = facts.tls
    if look is None:
        return
    if look.versions is not None and not set(look.versions) & set(_MODERN):
        yield error(
            "wechat-tls12", "WeChat demands TLS 1.2 or newer", "ssl_protocols TLSv1.2 TLSv1.3;"
        )
    elif look.versions is not None and "TLSv1.2" not in look.versions:
        yield warning(
            "wechat-tls12",
            "TLS 1.2 is off, and Android below 10 has no 1.3",
            "ssl_protocols TLSv1.2 TLSv1.3;",
        )
    if look.certificate is None:
        return
    found = verdict.judge(look.certificate, [facts.target.host], facts.now)
    said = [each for each in found if each.wechat and each.name != "cert-for-addresses"]
    for each in said:
        yield Finding(
            Level.ERROR,
            "wechat-certificate",
            f"wx.connectSocket says {each.wechat!r}: {each.seen}",
            each.fix,
        )
    if not said:
        yield ok("wechat-certificate", "phones accept the certificate and its chain")


def handshake(facts: Facts) -> Iterator[Finding]:
    """A mini-program sends a Referer of its own, no Origin, and offers no compression."""
    reply = facts.reply
    if reply is None:
        return
    own = [origin for origin, status in facts.other_origins if status == 101 and origin]
    if reply.status == 403 and own and not facts.question.origin:
        yield error(
            "wechat-origin",
            "without an Origin the handshake is refused, and mini-programs send none",
            "accept a handshake without Origin (Lineman does); recognize mini-programs by their "
            "Referer, https://servicewechat.com/{appid}/…",
        )
    if reply.is_open and facts.question.subprotocols:
        chosen = reply.header("sec-websocket-protocol")
        if chosen not in facts.question.subprotocols:
            yield error(
                "wechat-subprotocol",
                "the server does not answer with one of the subprotocols: SocketTask.onError",
                f'Worker(…, subprotocols=["{facts.question.subprotocols[0]}"])',
            )
    if reply.is_open and reply.seconds > _CONNECT_TIMEOUT / 2:
        yield warning(
            "handshake-slow",
            f"the handshake took {reply.seconds:.0f} s; wx.connectSocket gives up after "
            f"{_CONNECT_TIMEOUT:.0f}",
            "answer the handshake first, and query other services after it",
        )


def background(facts: Facts) -> Iterator[Finding]:
    """What happens to the connection when the user switches to another program."""
    yield info(
        "wechat-background",
        "in the background a mini-program loses its connection after about 5 s, often without a "
        "close "
        "event on either side; 5 sockets at most are open at once",
        "ping at the server (ping_interval=25), reconnect in App.onShow: examples/wechat/line.js",
    )
    if facts.idle is not None and facts.idle.outcome is Outcome.DONE and not facts.idle.pings:
        yield warning(
            "no-server-ping",
            "the server sends no pings, so it keeps dead clients",
            "ping_interval=25, ping_timeout=20",
        )


_RULES = (address, tls, handshake, background)


def rules(facts: Facts) -> Iterator[Finding]:
    """All of these checks, if the profile is asked for."""
    if facts.question.profile == PROFILE:
        for rule in _RULES:
            yield from rule(facts)


CHECKS = (rules,)
