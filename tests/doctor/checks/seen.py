"""Facts that are good, and what is said of others that differ in one thing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lineman.base.finding import Level
from lineman.doctor.checks import judge
from lineman.doctor.facts import (
    Facts,
    HandshakeReply,
    LineLook,
    Names,
    Outcome,
    Question,
    Reach,
    TlsLook,
)
from lineman.protocols.http.http_messages import Headers
from lineman.protocols.websocket.client.server_answer import Answer
from lineman.protocols.websocket.client.url import parse

E, W, INFO = Level.ERROR, Level.WARNING, Level.INFO
DIRECT = parse("ws://127.0.0.1:8282/wss")


def answer(status: int, text: str = "", **headers: str) -> HandshakeReply:
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return HandshakeReply(Outcome.DONE, Answer(status, Headers(lines), text))


OPEN = answer(101, upgrade="websocket")


def told(words: str) -> HandshakeReply:
    """A service that says how it took the handshake."""
    return answer(101, upgrade="websocket", x_lineman_doctor=words)


GOOD = Facts(
    Question(parse("wss://chat.test/wss"), patience=60.0),
    datetime(2026, 11, 25, tzinfo=UTC),
    names=Names(ipv4=("8.8.8.8",), own=("127.0.0.1", "8.8.8.8")),
    reach=(Reach("8.8.8.8", Outcome.DONE),),
    tls=TlsLook(Outcome.DONE, version="TLSv1.3", versions=("TLSv1.2", "TLSv1.3")),
    reply=OPEN,
    line=LineLook(pong=0.01),
    idle=LineLook(pings=2),
)


def worst(facts: Facts) -> tuple[Level, str]:
    found = judge(facts)[0]
    assert found.fix or found.level in (Level.OK, Level.INFO), found
    return found.level, found.name


def asked(url: str = "wss://chat.test/wss", **options: Any) -> Question:
    return Question(parse(url), **options)
