"""An open websocket: whether it answers, stays open, and accepts large messages."""

from __future__ import annotations

from collections.abc import Iterator

from lineman.base.finding import Finding
from lineman.doctor.checks.check_type import error, info, ok, warning
from lineman.doctor.facts import Facts, LineLook, Outcome
from lineman.protocols.websocket import close

# The products that cut a silent connection after this many seconds, by default.
# Source: the manuals of nginx, AWS and Google; Debian's haproxy.cfg; Cloudflare's forum
_KNOWN_LIMITS = (
    (30.0, "Google's load balancer (a limit on the whole connection: its backend timeout)"),
    (50.0, "HAProxy as Debian configures it (timeout tunnel 1h)"),
    (60.0, "nginx (proxy_read_timeout), Apache (ProxyPass … timeout=), AWS's load balancer"),
    (100.0, "Cloudflare"),
)
_NEAR = 0.05


def stays(facts: Facts) -> Iterator[Finding]:
    """Whether the connection is still open a moment after it opened, and answers a ping."""
    line = facts.line
    if line is None:
        return
    if line.outcome is Outcome.BROKEN:
        yield error(
            "frames-broken",
            f"the server breaks the websocket protocol: {line.reason}",
            "something on the way changes frames, or the server is broken: try another client "
            "(lineman connect), and ask the service without its proxy (--upstream)",
        )
    elif line.code == close.ABNORMAL:
        yield _abnormal(facts, line)
    elif line.code:
        yield _closed(line)
    elif line.pong is None:
        yield error(
            "ping-unanswered",
            "the websocket opens, and a ping is not answered",
            "something on the way delays frames (proxy_buffering off; a CDN, a WAF, an "
            "antivirus), or the service hangs; ask it without the proxy: --upstream",
        )
    else:
        yield ok("ping", f"a ping is answered in {line.pong * 1000:.0f} ms")


def _abnormal(facts: Facts, line: LineLook) -> Finding:
    return error(
        "1006",
        f"the connection opens and is cut {line.after:.1f} s later without a close frame: clients "
        "see "
        "1006",
        "likely causes: the service crashes in on_connect (see its log), a proxy that does not "
        "support websockets cuts it, the process was killed (dmesg | grep -i oom)",
    )


def _closed(line: LineLook) -> Finding:
    words = close.words(line.code)
    reason = f" ({line.reason})" if line.reason else ""
    return error(
        "closed-after-open",
        f"the service closes the connection {line.after:.1f} s after it opened: {words}{reason}",
        "the service does that itself: see its log, and whether it waits for a login or a token",
    )


def idle(facts: Facts) -> Iterator[Finding]:
    """Whether a silent connection is cut, and after how many seconds."""
    look, patience = facts.idle, facts.question.patience
    if look is None:
        return
    pings = f"the server sent {look.pings} pings" if look.pings else "the server sent no ping"
    if look.outcome is Outcome.DONE:
        yield ok("idle", f"a silent connection is open after {patience:g} s; {pings}")
        if not look.pings and patience >= 30:
            yield warning(
                "no-server-ping",
                f"in {patience:g} s the server sent no ping: a dead client is not noticed, and the "
                "next proxy may cut the connection",
                "ping_interval=25 (Lineman's default)",
            )
        return
    if look.code not in (0, close.ABNORMAL):
        yield error(
            "idle-closed",
            f"the service closes a silent connection after {look.after:.1f} s: "
            f"{close.words(look.code)}" + (f" ({look.reason})" if look.reason else ""),
            "it expects messages from its clients: send one more often than that",
        )
        return
    known = [who for limit, who in _KNOWN_LIMITS if abs(look.after - limit) <= limit * _NEAR]
    yield error(
        "idle-cut",
        f"a silent connection is cut after {look.after:.1f} s, without a close frame (1006); "
        f"{pings}" + (f"; that is the limit of {known[0]}" if known else ""),
        f"ping more often: ping_interval={max(1.0, round(look.after * 0.4)):g}; or raise the "
        "limit: proxy_read_timeout 90s; (ProxyPass … timeout=90; timeout tunnel 1h)",
    )


def size(facts: Facts) -> Iterator[Finding]:
    """Whether a large message is accepted."""
    look = facts.size
    if look is None:
        return
    if look.is_taken:
        yield ok("message-size", f"a message of {look.size} bytes is accepted")
        return
    if look.code == close.MESSAGE_TOO_BIG:
        seen = f"a message of {look.size} bytes is refused with 1009" + (
            f" ({look.reason})" if look.reason else ""
        )
        fix = f"raise the limit: Worker(…, max_message_size={look.size}), or send it in parts"
    else:
        seen = (
            f"a message of {look.size} bytes ends the connection"
            f" ({close.words(look.code) if look.code else 'no answer to a ping after it'})"
        )
        fix = "a proxy, WAF or CDN on the way has its own limit; ask without it: --upstream"
    yield error("message-too-big", seen, fix)


def hint(facts: Facts) -> Iterator[Finding]:
    """Names the check that was not made, if nothing else is wrong."""
    line = facts.line
    if line is not None and line.pong is not None and not line.code and facts.idle is None:
        yield info(
            "idle-not-tried",
            "it was not checked whether a silent connection is cut, the most frequent reason for "
            "lost connections",
            "lineman doctor … --patience 130",
        )


CHECKS = (stays, idle, size, hint)
