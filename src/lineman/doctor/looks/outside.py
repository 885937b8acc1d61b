"""Looks at a service the way its clients do: step by step, as far as it goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from lineman.doctor.checks.wechat import PROFILE, REFERER
from lineman.doctor.facts import Facts, HandshakeReply, Outcome, Question, UpstreamFacts
from lineman.doctor.looks import line as lines
from lineman.doctor.looks import name_resolution as names
from lineman.doctor.looks import page, tls
from lineman.doctor.looks.probe import Ask, Way, shake_hands
from lineman.doctor.looks.standin import SPOOFED, StandIn
from lineman.protocols.websocket.checkup import QUESTION
from lineman.protocols.websocket.client.url import Target

if TYPE_CHECKING:
    from cryptography import x509

_USUAL_PATHS = ("/", "/ws", "/wss", "/websocket")
_LOOPBACK = "127.0.0.1"
_PATH_STATUSES = (200, 204, 404, 405, 410)


@dataclass(frozen=True, slots=True)
class Tools:
    """What the looks need.

    Args:
        timeout: seconds for each connection.
        roots: authorities that clients trust; empty where none are known.
        own_roots: those of them that are an operator's own.
        headers: to send with each handshake.
        given: addresses in place of the resolver's answer.
        lookup: asks the resolver.
        upstream: where the service can be asked without its proxy.
        stand_in: host and port of the service whose place is taken; None: it is not.
        file: the certificate on disk.
        size: bytes of a message to send; 0 for none.
    """

    timeout: float = 5.0
    roots: tuple[x509.Certificate, ...] = ()
    own_roots: frozenset[x509.Certificate] = frozenset()
    headers: tuple[tuple[str, str], ...] = ()
    given: tuple[str, ...] = ()
    lookup: names.Lookup = names.system_lookup
    upstream: Target | None = None
    stand_in: tuple[str, int] | None = None
    file: Path | None = None
    size: int = 0


def look(question: Question, tools: Tools) -> Facts:
    """Collects all facts that can be seen from here."""
    target = question.target
    found = names.resolve(target.host, tools.given, tools.timeout, tools.lookup)
    facts = Facts(
        question,
        datetime.now(UTC),
        names=found,
        reach=names.reach(found.all, target.port, tools.timeout),
    )
    ask = Ask(_headers(question, tools), question.subprotocols)
    if tools.file is not None:
        fingerprint, fault = tls.file_fingerprint(tools.file)
        facts = replace(facts, file_fingerprint=fingerprint, file_fault=fault)
    if tools.upstream is not None:
        facts = replace(facts, upstream=_upstream(tools.upstream, target, ask, tools))
    open_at = [reach.ip for reach in facts.reach if reach.outcome is Outcome.DONE]
    if not open_at:
        return _loopback(facts, tools.timeout)
    way = Way(target, open_at[0], tools.timeout)
    if target.is_tls:
        facts = _tls(facts, way, ask, tools)
        if facts.tls is None or facts.tls.outcome is not Outcome.DONE:
            return facts
    if tools.stand_in is not None:
        return _stand_in(facts, way, ask, tools.stand_in)
    return _websocket(facts, way, ask, tools)


def _loopback(facts: Facts, timeout: float) -> Facts:
    """Whether the port is open on 127.0.0.1 alone; only tried if the name leads to this machine."""
    refused = [each.ip for each in facts.reach if each.outcome is Outcome.REFUSED]
    if not any(ip in facts.names.own or ip.startswith("127.") for ip in refused):
        return facts
    (found,) = names.reach([_LOOPBACK], facts.target.port, timeout)
    return replace(facts, loopback=found)


def _headers(question: Question, tools: Tools) -> tuple[tuple[str, str], ...]:
    headers = list(tools.headers)
    if question.origin is not None:
        headers.append(("Origin", question.origin))
    if question.profile == PROFILE and not any(name.lower() == "referer" for name, _ in headers):
        headers.append(("Referer", REFERER))
    return tuple(headers)


def _tls(facts: Facts, way: Way, ask: Ask, tools: Tools) -> Facts:
    found = tls.look(way, tools.roots, tools.own_roots)
    facts = replace(facts, tls=found)
    if found.outcome is Outcome.DONE:
        return facts
    facts = replace(facts, other_scheme=_once(way.with_scheme("ws"), ask))
    if found.outcome is Outcome.CLOSED and not facts.speaks_other_scheme:
        facts = replace(facts, proxy_header=_once(replace(way, has_proxy_header=True), ask))
    return facts


def _once(way: Way, ask: Ask) -> HandshakeReply:
    """A handshake, and nothing after it."""
    reply, line = shake_hands(way, ask)
    if line is not None:
        line.close()
    return reply


def _stand_in(facts: Facts, way: Way, ask: Ask, where: tuple[str, int]) -> Facts:
    with StandIn(*where, way.timeout) as stand_in:
        reply = _once(way, replace(ask, headers=(*ask.headers, *SPOOFED), subprotocols=()))
    return replace(facts, reply=reply, seen=stand_in.seen)


def _websocket(facts: Facts, way: Way, ask: Ask, tools: Tools) -> Facts:
    program, ask = ask, page.as_page(ask, facts.question)
    reply, line = shake_hands(way, ask)
    if reply.status in page.REFUSALS and page.is_guess(program, facts.question):
        by_program, line = shake_hands(way, program)
        ask = program
        if line is not None:
            facts = replace(facts, page=page.refused(reply, way, program))
        reply = by_program
    facts = replace(facts, reply=reply, server_clock=_clock(reply))
    if line is None:
        return _why_not(facts, way, ask)
    try:
        facts = replace(facts, line=lines.ping(line, way.timeout))
        is_well = facts.line is not None and facts.line.pong is not None and not facts.line.code
        if is_well:
            facts = _more(facts, way, ask, tools.size)
        if is_well and facts.question.patience:
            facts = replace(facts, idle=lines.silence(line, facts.question.patience))
    finally:
        line.close()
    return facts


def _more(facts: Facts, way: Way, ask: Ask, size: int) -> Facts:
    """Further connections: with compression, with a false address, and with a large message."""
    if facts.reply is not None and facts.reply.header(QUESTION):
        is_here = way.ip in facts.names.own or ip_address(way.ip).is_loopback
        facts = replace(facts, believed=page.believed(way, ask, is_here))
    reply, line = shake_hands(way, replace(ask, has_compression=True))
    facts = replace(facts, with_extension=reply)
    if line is not None:
        with closing(line):
            facts = replace(facts, extension_line=lines.ping(line, way.timeout))
    if size:
        _, line = shake_hands(way, ask)
        if line is not None:
            with closing(line):
                facts = replace(facts, size=lines.large(line, size, way.timeout))
    return facts


def _why_not(facts: Facts, way: Way, ask: Ask) -> Facts:
    """The same request with other values, so that the answers show the cause."""
    reply = facts.reply
    assert reply is not None
    if not way.target.is_tls and reply.status in (0, 400):
        facts = replace(facts, other_scheme=_once(way.with_scheme("wss"), ask))
    if facts.tls is not None and reply.status == 0:
        if reply.outcome is Outcome.CLOSED:
            reply = replace(reply, reason=tls.late_alert(way))
        found = replace(facts.tls, h2_alpn=tls.chosen_alpn(way, "h2"))
        facts = replace(facts, reply=reply, tls=found)
    hangs_up = reply.outcome is Outcome.CLOSED or reply.status == 400
    if hangs_up and not facts.speaks_other_scheme:
        facts = replace(facts, proxy_header=_once(replace(way, has_proxy_header=True), ask))
    if ask.subprotocols and reply.status:
        plain = _once(way, replace(ask, subprotocols=()))
        facts = replace(facts, without_subprotocol=plain)
    if reply.status == 403:
        facts = replace(facts, other_origins=tuple(_origins(facts, way, ask)))
    if reply.status in _PATH_STATUSES:
        facts = replace(facts, other_paths=tuple(_paths(way, ask)))
    return facts


def _origins(facts: Facts, way: Way, ask: Ask) -> Iterator[tuple[str, int]]:
    others = [pair for pair in ask.headers if pair[0].lower() != "origin"]
    for origin in ("", f"https://{way.target.host}", f"http://{way.target.host}"):
        if origin == (facts.question.origin or ""):
            continue
        headers = (*others, *([("Origin", origin)] if origin else []))
        yield origin, _once(way, replace(ask, headers=headers)).status


def _paths(way: Way, ask: Ask) -> Iterator[tuple[str, int]]:
    path = way.target.resource.partition("?")[0]
    slash = path.rstrip("/") if path.endswith("/") else f"{path}/"
    for other in dict.fromkeys((slash or "/", *_USUAL_PATHS)):
        if other != path:
            yield other, _once(way.with_resource(other), ask).status


def _clock(reply: HandshakeReply) -> datetime | None:
    try:
        found = parsedate_to_datetime(reply.header("date"))
    except (ValueError, TypeError, IndexError, OverflowError):  # whatever a server may write
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _upstream(where: Target, public: Target, ask: Ask, tools: Tools) -> UpstreamFacts:
    """The service, asked as its proxy would: the same path and the same Host."""
    resource = where.resource if where.resource != "/" else public.resource
    target = Target(where.scheme, where.host, where.port, resource)
    found = names.resolve(where.host, (), tools.timeout, tools.lookup)
    if not found.all:
        return UpstreamFacts(target, HandshakeReply(Outcome.UNREACHABLE))
    way = Way(target, found.all[0], tools.timeout)
    # The service trusts this machine, and would report its proxy for headers missing here.
    ask = replace(ask, host=public.authority, headers=(*ask.headers, (QUESTION, "1")))
    reply, line = shake_hands(way, ask)
    if line is not None:
        with closing(line):
            return UpstreamFacts(target, reply, line=lines.ping(line, tools.timeout))
    speaks_tls = takes_header = False
    if not where.is_tls and reply.status in (0, 400) and reply.outcome is not Outcome.REFUSED:
        speaks_tls = _once(way.with_scheme("wss"), ask).status > 0
    if (reply.outcome is Outcome.CLOSED or reply.status == 400) and not speaks_tls:
        takes_header = _once(replace(way, has_proxy_header=True), ask).is_open
    return UpstreamFacts(target, reply, speaks_tls, takes_proxy_header=takes_header)
