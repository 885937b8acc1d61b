"""Connects as a page of the site does: with its Origin and with a cookie."""

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
    """Whether the Origin is the site's own and not one from the command line."""
    named = any(name.lower() == "origin" for name, _ in ask.headers)
    return question.profile != PROFILE and not named


def origin_of(target: Target) -> str:
    """The Origin of a page on the same host, at the default port."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{'https' if target.is_tls else 'http'}://{host}"


def refused(reply: HandshakeReply, way: Way, ask: Ask) -> PageLook:
    """Looks at a page that was refused, although a program was not.

    Args:
        reply: the answer to the page.
        way: to the service.
        ask: the handshake of a program, without Origin.
    """
    origin = origin_of(way.target)
    headers = [pair for pair in ask.headers if pair[0].lower() != "cookie"]
    bare = _ask(way, replace(ask, headers=(*headers, ("Origin", origin))))
    return PageLook(origin, reply, is_open_without_cookie=bare.is_open)


def believed(way: Way, ask: Ask, is_here: bool) -> tuple[str, ...]:
    """The headers with a false client address that a Lineman service believes.

    Args:
        way: to the service.
        ask: the handshake that it has accepted.
        is_here: whether the proxy is on this machine. The service may then trust the doctor's own
            address, and rightly use the next one of a list. So only the header with a single
            address is tried.
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
