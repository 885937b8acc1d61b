"""What the configuration for nginx says."""

from __future__ import annotations

import pytest

from lineman.errors import ConfigError
from lineman.webservers import nginx
from lineman.webservers.server_version import Version
from webservers.support import NEWEST, site


@pytest.mark.parametrize(
    ("version", "there", "not_there"),
    [
        ((1, 25, 0), "listen 443 ssl http2;", "http2 on;"),
        ((1, 25, 1), "http2 on;", "ssl http2"),
    ],
)
def test_the_version_changes_the_text(version: Version, there: str, not_there: str) -> None:
    text = nginx.render(site(), version)
    assert there in text
    assert not_there not in text


def test_that_it_sets_no_cookie_is_said() -> None:
    with pytest.raises(ConfigError, match="sets no cookie"):
        nginx.render(site(sticky="cookie"), NEWEST["nginx"])
