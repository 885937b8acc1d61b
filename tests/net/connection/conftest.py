from __future__ import annotations

import pytest

from kit.recorder import Recorder
from kit.site import Serve, Site
from kit.slow_readers import LIMIT, Slow, block
from lineman import Connection
from lineman.testing.client import RawClient


@pytest.fixture
def told() -> Recorder:
    return Recorder()


@pytest.fixture
def slow(serve: Serve, tls: bool, told: Recorder) -> Slow:
    """A site with one client whose socket is full."""

    def start(policy: str, **options: object) -> tuple[Site, RawClient, Connection]:
        options.setdefault("max_send_buffer_size", LIMIT)
        site = serve(
            tls,
            slow_readers=policy,
            on_buffer_full=lambda connection: told("full"),
            on_buffer_drain=lambda connection: told("drain"),
            on_error=lambda connection, code, error: told(f"error {error}"),
            **options,
        )
        client = site.open(receive_buffer=4096)
        block(site, site.connection)
        return site, client, site.connection

    return start
