"""Comes as a page of the site does: with its Origin, and with the cookie of a visitor."""

from __future__ import annotations

from dataclasses import replace

from lineman.doctor.checks.wechat import PROFILE
from lineman.doctor.facts import HandshakeReply, PageLook, Question
from lineman.doctor.looks.probe import Ask, Way, shake_hands
from lineman.doctor.looks.standin import SPOOFED
from lineman.protocols.websocket import checkup
from lineman.protocols.websocket.client.url import Target

COOKIE = ("Cookie", "lineman-doctor=1")
REFUSALS = (400, 401, 403)
"""Statuses of services that do not take a page's handshake."""


def as_page(ask: Ask, question: Question) -> Ask:
    """The handshake with the headers that a browser adds, unless an origin was given.

    Mini-programs are no pages: they send none of these headers.
    """
    if question.profile == PROFILE:
        return ask
    given = {name.lower() for name, _ in ask.headers}
    added = [(checkup.QUESTION, "1")]
    if "origin" not in given:
        added.append(("Origin", origin_of(question.target)))
    if "cookie" not in given:
        added.append(COOKIE)
    return replace(ask, headers=(*ask.headers, *added))


def is_guess(ask: Ask, question: Question) -> bool:
    """Whether the page is ours and not one that was named."""
    named = any(name.lower() == "origin" for name, _ in ask.headers)
    return question.profile != PROFILE and not named


def origin_of(target: Target) -> str:
    """A page of the same host, where sites have theirs: at the default port."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{'https' if target.is_tls else 'http'}://{host}"


def refused(reply: HandshakeReply, way: Way, ask: Ask) -> PageLook:
    """What is known of a page that was refused, where a program was not.

    Args:
        reply: to the page.
        way: how it came.
        ask: as a program asks, without Origin.
    """
    origin = origin_of(way.target)
    headers = [pair for pair in ask.headers if pair[0].lower() != "cookie"]
    bare = _ask(way, replace(ask, headers=(*headers, ("Origin", origin))))
    return PageLook(origin, reply, is_open_without_cookie=bare.is_open)


def believed(way: Way, ask: Ask, is_here: bool) -> tuple[str, ...]:
    """The headers in which a service of Lineman believes that the client is somebody else.

    Args:
        way: to it.
        ask: as the page that it has let in.
        is_here: whether the proxy is on this machine. It may be that the service trusts the address
            from which the doctor itself comes then, and rightly reads on in a list behind it; so
            only the header that is no list says something.
    """
    found = []
    for name, value in SPOOFED[:1] if is_here else SPOOFED:
        reply = _ask(way, replace(ask, headers=(*ask.headers, (name, value))))
        if checkup.read(reply.header(checkup.QUESTION)).get("address") == checkup.BELIEVED:
            found.append(name)
    return tuple(found)


def _ask(way: Way, ask: Ask) -> HandshakeReply:
    reply, line = shake_hands(way, ask)
    if line is not None:
        line.close()
    return reply
