"""What the configuration for caddy says."""

from __future__ import annotations

import pytest

from lineman.errors import ConfigError
from lineman.webservers import caddy
from lineman.webservers.server_version import Version
from webservers.support import NEWEST, site


@pytest.mark.parametrize(
    ("version", "there", "not_there"),
    [
        ((2, 6, 2), "from 2.7 on", "stream_close_delay 1h"),
        ((2, 7, 0), "stream_close_delay 1h", "from 2.7 on"),
    ],
)
def test_the_version_changes_the_text(version: Version, there: str, not_there: str) -> None:
    text = caddy.render(site(), version)
    assert there in text
    assert not_there not in text


def test_that_it_forwards_no_plain_tcp_is_said() -> None:
    with pytest.raises(ConfigError, match="forwards no plain TCP"):
        caddy.render(site(is_tcp=True), NEWEST["caddy"])
