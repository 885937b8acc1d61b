from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from kit.site import Serve, Site
from lineman import Worker
from lineman.testing.certificates import IssuedPair


@pytest.fixture
def serve_app(
    certificate: IssuedPair, client_tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> Iterator[Serve]:
    """Starts services of applications: `serve_app(app, tls=True, root_path=…)`."""
    caplog.set_level("INFO", "lineman")
    with contextlib.ExitStack() as stack:

        def start(app: Any, tls: bool = False, **options: Any) -> Site:
            callbacks = {name: options.pop(name) for name in list(options) if name[:3] == "on_"}
            if tls:
                options = {"cert": certificate.cert, "key": certificate.key, **options}
            worker = Worker(f"http{'s' if tls else ''}://127.0.0.1:0", app=app, **options)
            for name, function in callbacks.items():
                setattr(worker, name, function)
            site = Site(worker, client_tls if tls else None)
            stack.enter_context(site)
            stack.callback(site.close_clients)
            return site

        yield start
    for record in [*caplog.get_records("call"), *caplog.get_records("teardown")]:
        assert "defect in lineman" not in record.getMessage(), caplog.text
