"""What the configuration for haproxy says."""

from __future__ import annotations

import pytest

from lineman.webservers import haproxy
from lineman.webservers.server_version import Version
from lineman.webservers.site import Upstream
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


@pytest.mark.parametrize("is_tcp", [False, True])
@pytest.mark.parametrize("sticky", [None, "ip"])
def test_a_client_of_a_worker_that_is_gone_is_served_by_another(
    is_tcp: bool, sticky: str | None
) -> None:
    def text(workers: int) -> str:
        upstreams = tuple(Upstream("127.0.0.1", 8282 + n) for n in range(workers))
        return haproxy.render(site(upstreams=upstreams, is_tcp=is_tcp, sticky=sticky), (2, 6, 12))

    assert "redispatch" not in text(1)
    assert "    retries 2\n" in text(2)
    assert "    option redispatch 1\n" in text(2)
    assert "mark-down" not in text(2)  # the only other one would be waited for by a second
    assert text(3).count(" check rise 1 observe layer4 error-limit 1 on-error mark-down\n") == 3
