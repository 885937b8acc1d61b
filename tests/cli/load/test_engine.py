"""A load test as a whole, without the command line around it."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from cli.running import Service
from lineman.cli.load import engine as engines
from lineman.cli.load.engine import LoadEngine, resolve
from lineman.cli.load.load_plan import Plan
from lineman.errors import ConfigError
from lineman.protocols.websocket.client.client_handshake import ClientOpening
from lineman.protocols.websocket.client.url import parse


def engine(url: str, *, futile_after: float = 2.0, **options: Any) -> LoadEngine:
    target = parse(url)
    plan = Plan(ClientOpening(target), **options)
    found = resolve(target.host, target.port)
    return LoadEngine(plan, found, None, lambda *_: None, futile_after=futile_after)


def test_a_service_that_answers_something_else_is_found_out(service: Service) -> None:
    result = engine(f"{service.url}/ok", connections=3, duration=30.0, futile_after=0.0).run()
    assert not result.is_good
    assert result.seconds < 30
    [failure] = result.examples.values()
    assert failure.seen.endswith("none of them equals a sent message")
    assert "--any-reply" in failure.fix


def test_a_test_that_was_stopped_before_it_began_sends_nothing(service: Service) -> None:
    made = engine(service.url, connections=2)
    made.stop()
    result = made.run()
    assert (result.count, result.is_good) == (0, False)


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = engine(f"ws://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.2)
        with pytest.raises(ConfigError, match=r"did not open a websocket within 0\.2 s"):
            made.run()


def test_more_connections_than_descriptors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.resource, "getrlimit", lambda _: (100, 100))
    with pytest.raises(ConfigError) as caught:
        engine("ws://127.0.0.1:1/", connections=1000).run()
    assert caught.value.seen == "1000 connections need 1064 file descriptors, 100 are allowed"
    assert "ulimit -Hn 1064" in caught.value.fix
