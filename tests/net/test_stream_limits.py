"""Limits, silence and the columns of `text`, as a worker of websockets has them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kit.recorder import Recorder
from kit.site import Serve, Site, echo
from kit.waiting import wait_until
from lineman.runtime import inspection

Start = Callable[..., Site]
HEADER = b"PROXY TCP4 203.0.113.7 198.51.100.1 5000 443\r\n"
PROXIED = {"proxy_protocol": "required", "trusted_proxies": ["127.0.0.1/32"]}


@pytest.fixture
def start(serve: Serve, tls: bool) -> Start:
    """Starts a service of lines, in the clear and in TLS."""
    return lambda **options: serve(tls, **{"scheme": "text", "on_message": echo, **options})


def hits(site: Site) -> dict[str, int]:
    service = site.worker.service
    assert service is not None
    assert not service.tally.refusals  # which are answers of HTTP
    return dict(service.tally.hits)


@pytest.mark.parametrize(
    ("limit", "value"),
    [("max_connections", 1), ("connections_per_ip", 1), ("connects_per_second_per_ip", 0.5)],
)
def test_a_refused_client_gets_an_end_and_no_words(start: Start, limit: str, value: float) -> None:
    site = start(**{limit: value}, **PROXIED)
    first = site.connect(preamble=HEADER)
    first.send_bytes(b"hi\n")
    assert first.receive_bytes() == b"hi\n"
    try:
        answer = site.connect(preamble=HEADER).receive_all()
    except OSError:  # TLS may be refused as a whole
        answer = b""
    assert answer == b""
    assert hits(site) == {limit: 1}
    first.send_bytes(b"on\n")
    assert first.receive_bytes() == b"on\n"


def test_a_silent_client_ends_after_the_idle_timeout_and_one_that_speaks_stays(
    start: Start,
) -> None:
    told = Recorder()
    site = start(idle_timeout=10, on_close=lambda _, code, reason: told(code, reason))
    client = site.connect()
    for _ in range(3):
        client.send_bytes(b"hi\n")
        assert client.receive_bytes() == b"hi\n"
        site.advance_clock(8)
    assert not told.calls
    site.advance_clock(8)
    assert told.wait() == [(1006, "silent for 10 s (idle_timeout)")]
    assert client.receive_all() == b""


def test_the_columns_of_a_connection_name_its_protocol(start: Start, tls: bool) -> None:
    site = start()
    client = site.connect()
    client.send_bytes(b"hi\n")
    assert client.receive_bytes() == b"hi\n"
    wait_until(lambda: len(site.worker.connections) == 1, "it is open")
    read = inspection._READ
    shown = site.call(lambda: {name: read[name](site.connection) for name in read})
    assert shown["protocol"] == ("text+tls" if tls else "text")
    assert (shown["path"], shown["messages_in"], shown["state"]) == ("", 1, "open")
