"""What a worker for plain requests may have, and what nobody would ever call there."""

from __future__ import annotations

from typing import Any

import pytest

from lineman import ConfigError, Worker
from lineman.config import checked_options
from lineman.testing.certificates import IssuedPair

HTTP, WS = "http://127.0.0.1:1", "ws://127.0.0.1:2"


def worker(*addresses: str, **given: Any) -> Worker:
    callbacks = {name: given.pop(name) for name in list(given) if name.startswith("on_")}
    one = Worker(list(addresses), **given)
    for name, function in callbacks.items():
        setattr(one, name, function)
    return one


def refusal(*addresses: str, **given: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        checked_options.read(worker(*addresses, **given))
    return caught.value


@pytest.mark.parametrize("addresses", [(HTTP,), (HTTP, WS)], ids=len)
def test_requests_that_nobody_answers_are_refused_at_the_start(addresses: tuple[str, ...]) -> None:
    error = refusal(*addresses, on_connect=print)
    assert "http://127.0.0.1:1 is for requests" in error.seen
    assert "@worker.on_request" in error.fix


def test_on_request_may_come_when_the_worker_starts() -> None:
    assert checked_options.read(worker(HTTP, on_worker_start=print)).urls == [HTTP]


@pytest.mark.parametrize("name", ["on_message", "on_websocket_connect"])
def test_a_callback_that_no_request_calls_is_refused(name: str) -> None:
    given = {"on_request": str, name: print}
    error = refusal(HTTP, **given)
    assert f"{name} is set, and {HTTP} has no websockets" in error.seen
    assert "ws:// in place of" in error.fix
    assert checked_options.read(worker(HTTP, WS, **given)).urls == [HTTP, WS]


@pytest.mark.parametrize(
    ("name", "value"), [("origins", ["https://a.example"]), ("subprotocols", ["chat"])]
)
def test_an_option_of_websockets_alone_is_refused(name: str, value: Any) -> None:
    error = refusal(HTTP, on_request=str, **{name: value})
    assert f"{HTTP} has no websockets" in error.seen


def test_tls_is_said_by_the_scheme(certificate: IssuedPair) -> None:
    pair = {"cert": certificate.cert, "key": certificate.key}
    assert "http://127.0.0.1:1 speaks no TLS" in refusal(HTTP, on_request=str, **pair).seen
    assert "write https://" in refusal(HTTP, on_request=str, **pair).fix
    assert checked_options.read(worker(HTTP, on_request=str, transport="ssl", **pair)).urls == [
        "https://127.0.0.1:1"
    ]
    assert "https://127.0.0.1:1 speaks TLS, but no certificate" in (
        refusal("https://127.0.0.1:1", on_request=str).seen
    )
