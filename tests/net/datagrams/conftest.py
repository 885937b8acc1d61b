from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from kit.datagrams import DatagramSite, ServeDatagrams
from lineman import Worker


@pytest.fixture
def serve(caplog: pytest.LogCaptureFixture) -> Iterator[ServeDatagrams]:
    """Starts `udp://` workers; all end with the test.

    One that logged a defect of its own, or left a failed task behind, fails the test.
    """
    caplog.set_level("INFO", "lineman")
    sites: list[DatagramSite] = []
    with contextlib.ExitStack() as stack:

        def start(host: str = "127.0.0.1", **options: Any) -> DatagramSite:
            on_message = options.pop("on_message", None)
            worker = Worker(f"udp://{host}:0", **options)
            worker.on_message = on_message
            site = DatagramSite(worker)
            sites.append(site)
            stack.enter_context(site)
            stack.callback(site.close_clients)
            return site

        yield start
    for site in sites:
        assert not site.faults
    for record in [*caplog.get_records("call"), *caplog.get_records("teardown")]:
        assert "defect in lineman" not in record.getMessage(), caplog.text
