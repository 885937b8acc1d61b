"""What a silent client sees of a service without HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lineman import Worker
from lineman.base.address import parse
from lineman.doctor.facts import Outcome
from lineman.doctor.looks.outside import Tools
from lineman.doctor.looks.stream_look import look
from lineman.testing.certificates import IssuedPair
from lineman.testing.serving import Serving

TOOLS = Tools(timeout=10.0)


def watched(address: str, silence: float = 10.0, **options: Any) -> Any:
    """What the doctor sees of a worker."""
    callbacks = {name: options.pop(name) for name in list(options) if name.startswith("on_")}
    worker = Worker(address, **options)
    for name, function in callbacks.items():
        setattr(worker, name, function)
    with Serving(worker) as site:
        url = address if "unix" in address else f"{address.rpartition(':')[0]}:{site.port}"
        return look(parse(url), TOOLS, silence)


def test_a_silent_service_keeps_a_silent_client() -> None:
    seen = watched("text://127.0.0.1:0", silence=0.2)
    assert seen.outcome is Outcome.TIMEOUT
    assert [each.outcome for each in seen.facts.reach] == [Outcome.DONE]


def test_the_first_words_of_a_service_are_kept() -> None:
    seen = watched("text://127.0.0.1:0", on_connect=lambda connection: connection.send("hello"))
    assert (seen.outcome, seen.first) == (Outcome.DONE, b"hello\n")


def test_a_service_that_closes_is_seen() -> None:
    seen = watched("frame://127.0.0.1:0", on_connect=lambda connection: connection.close())
    assert seen.outcome is Outcome.CLOSED


def test_tls_is_looked_at_as_for_a_websocket(certificate: IssuedPair) -> None:
    seen = watched(
        "tcp+tls://localhost:0",
        cert=certificate.cert,
        key=certificate.key,
        on_connect=lambda connection: connection.send(b"hello"),
    )
    assert seen.facts.tls.outcome is Outcome.DONE
    assert seen.facts.tls.fingerprint
    assert (seen.outcome, seen.first) == (Outcome.DONE, b"hello")


def test_a_unix_socket_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "s"
    assert watched(f"tcp+unix://{path}", silence=0.2).outcome is Outcome.TIMEOUT
    assert look(parse(f"tcp+unix://{path}"), TOOLS).outcome is Outcome.UNREACHABLE


@pytest.mark.parametrize("scheme", ["tcp", "text+tls"])
def test_a_port_where_nothing_listens_is_not_watched(scheme: str) -> None:
    seen = look(parse(f"{scheme}://127.0.0.1:1"), TOOLS)
    assert seen.outcome is None
    assert [each.outcome for each in seen.facts.reach] == [Outcome.REFUSED]
