"""Looks at a service without HTTP as its clients do: name, port, TLS, and a silent connection."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from lineman.base.address import Address
from lineman.doctor.facts import Facts, Outcome, Question
from lineman.doctor.looks import name_resolution as names
from lineman.doctor.looks import tls
from lineman.doctor.looks.outside import Tools
from lineman.doctor.looks.probe import Way, connect, outcome_of
from lineman.doctor.stream_facts import StreamLook

# Seconds for which the doctor is silent, and looks whether the connection stays open.
SILENCE = 1.0
# Bytes of what a service says first that are kept.
FIRST = 200


def look(address: Address, tools: Tools, silence: float = SILENCE) -> StreamLook:
    """Collects what can be seen from here without sending a byte of the service's protocol.

    Args:
        address: of the service.
        tools: as for a websocket.
        silence: seconds for which the connection is watched.
    """
    # The parts of a URL that the looks below need are the address's too.
    target: Any = cast(Any, address)
    if address.path:
        return _watch(StreamLook(address, Facts(Question(target), datetime.now(UTC))), silence)
    found = names.resolve(address.host, tools.given, tools.timeout, tools.lookup)
    reach = names.reach(found.all, address.port, tools.timeout)
    facts = Facts(Question(target), datetime.now(UTC), names=found, reach=reach)
    if tools.file is not None:
        fingerprint, fault = tls.file_fingerprint(tools.file)
        facts = replace(facts, file_fingerprint=fingerprint, file_fault=fault)
    open_at = [each.ip for each in reach if each.outcome is Outcome.DONE]
    if not open_at:
        return StreamLook(address, facts)
    way = Way(target, open_at[0], tools.timeout)
    if address.is_tls:
        facts = replace(facts, tls=tls.look(way, tools.roots, tools.own_roots))
        if facts.tls is None or facts.tls.outcome is not Outcome.DONE:
            return StreamLook(address, facts)
    return _watch(StreamLook(address, facts), silence, [way])


def _watch(seen: StreamLook, silence: float, ways: Sequence[Way] = ()) -> StreamLook:
    """Opens a connection, sends nothing, and waits for what the service does."""
    began = time.monotonic()
    try:
        with connect(ways[0]) if ways else _connect_file(seen.address.path, silence) as link:
            began = time.monotonic()
            link.settimeout(silence)
            first = link.recv(FIRST)
            outcome = Outcome.DONE if first else Outcome.CLOSED
    except OSError as error:
        outcome, first = outcome_of(error)[0], b""
    return replace(seen, outcome=outcome, first=first, after=time.monotonic() - began)


def _connect_file(path: str, timeout: float) -> socket.socket:
    link = socket.socket(socket.AF_UNIX)
    try:
        link.settimeout(timeout)
        link.connect(path)
    except BaseException:
        link.close()
        raise
    return link
