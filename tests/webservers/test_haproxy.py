"""What the configuration for haproxy says."""

from __future__ import annotations

import pytest

from lineman.webservers import haproxy
from lineman.webservers.server_version import Version
from webservers.support import site


@pytest.mark.parametrize(
    ("version", "there", "not_there"),
    [
        ((2, 9, 9), "crt /etc/haproxy/chat.example.com.pem", "crt-store"),
        ((3, 0, 0), "load crt /etc/ssl/a.pem key /etc/ssl/b.pem", "/etc/haproxy/chat"),
    ],
)
def test_the_version_changes_the_text(version: Version, there: str, not_there: str) -> None:
    text = haproxy.render(site(), version)
    assert there in text
    assert not_there not in text
