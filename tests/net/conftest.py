from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from kit.lines import Lines
from kit.mail import Mail
from kit.recorder import Ends
from kit.site import Serve, Site
from lineman import Worker
from lineman.testing.certificates import IssuedPair


@pytest.fixture(params=[False, True], ids=["ws", "wss"])
def tls(request: pytest.FixtureRequest) -> bool:
    """Whether the service speaks TLS; a test that takes this runs both ways."""
    return bool(request.param)


@pytest.fixture
def serve(
    certificate: IssuedPair, client_tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> Iterator[Serve]:
    """Starts services: `serve(tls, on_message=..., max_message_size=...)`; all end with the test.

    They speak websockets, or what `scheme` says.

    A service that logged a defect of its own, or left a failed task behind, fails the test.
    """
    caplog.set_level("INFO", "lineman")
    sites: list[Site] = []

    with contextlib.ExitStack() as stack:

        def start(tls: bool = False, scheme: str = "ws", **options: Any) -> Site:
            callbacks = {
                name: options.pop(name) for name in list(options) if name.startswith("on_")
            }
            if tls:
                options = {"cert": certificate.cert, "key": certificate.key, **options}
            if scheme == "ws" and tls:
                scheme = "wss"
            worker = Worker(f"{scheme}://127.0.0.1:0", **options)
            for name, function in callbacks.items():
                setattr(worker, name, function)
            site = Site(worker, client_tls if tls else None)
            sites.append(site)
            stack.enter_context(site)
            stack.callback(site.close_clients)
            return site

        yield start
    for site in sites:
        assert not site.faults
        assert not site.worker.connections
    for record in [*caplog.get_records("call"), *caplog.get_records("teardown")]:
        assert "defect in lineman" not in record.getMessage(), caplog.text


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def serve_lines(serve: Serve, tls: bool, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Starts a service that speaks in lines (`kit.lines`), in the clear and in TLS."""
    monkeypatch.setattr(Worker, "_session_factory", Lines)

    def start(**options: Any) -> Site:
        return serve(tls, **options)

    return start


@pytest.fixture
def mail() -> Mail:
    return Mail()


@pytest.fixture
def start(serve: Serve, mail: Mail, certificate: IssuedPair) -> Serve:
    """Starts the service of `mail` in the clear, with a certificate and `start_tls`."""

    def make(scheme: str = "text", **options: Any) -> Site:
        given = {
            "cert": certificate.cert,
            "key": certificate.key,
            "start_tls": True,
            "on_message": mail.on_message,
            "on_close": mail.on_close,
            "on_error": mail.on_error,
        }
        return serve(False, scheme, **{**given, **options})

    return make
