"""Where an application makes sense in a worker."""

from __future__ import annotations

from typing import Any

import pytest

from kit.asgi_apps import hello
from lineman import Worker
from lineman.config import checked_options
from lineman.errors import ConfigError


def nothing(*arguments: Any) -> None: ...


def read(address: str, callbacks: tuple[str, ...] = (), **options: Any) -> None:
    worker = Worker(address, **options)
    for name in callbacks:
        setattr(worker, name, nothing)
    checked_options.read(worker)


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_an_application_answers_at_any_address_with_http(scheme: str) -> None:
    read(f"{scheme}://127.0.0.1:0", app=hello, origins=["https://a.example"])
    read(f"{scheme}://127.0.0.1:0", ("on_message", "on_close"), app=hello)


@pytest.mark.parametrize(
    ("address", "callbacks", "options", "told"),
    [
        ("tcp://127.0.0.1:0", (), {"app": hello}, "has no HTTP"),
        ("", (), {"app": hello}, "a worker without an address has no HTTP"),
        ("http://127.0.0.1:0", ("on_request",), {"app": hello}, "both would answer"),
        ("ws://127.0.0.1:0", ("on_close",), {"app": hello}, "the app gets all websockets"),
        ("ws://127.0.0.1:0", (), {"app": hello, "subprotocols": ["a"]}, "chooses them itself"),
        ("ws://127.0.0.1:0", (), {"root_path": "/a"}, "the worker has no app"),
        ("ws://127.0.0.1:0", (), {"lifespan": "on"}, "the worker has no app"),
        ("ws://127.0.0.1:0", (), {"app": hello, "lifespan": "yes"}, "lifespan is 'yes'"),
        ("ws://127.0.0.1:0", (), {"app": "main"}, "app is 'main'"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    address: str, callbacks: tuple[str, ...], options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        read(address, callbacks, **options)
