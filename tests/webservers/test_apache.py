"""What the configuration for apache says."""

from __future__ import annotations

import pytest

from lineman.errors import ConfigError
from lineman.webservers import apache
from lineman.webservers.server_version import Version
from webservers.support import NEWEST, site


@pytest.mark.parametrize(
    ("version", "there", "not_there"),
    [
        ((2, 4, 57), "Protocols h2 http/1.1", "H2WebSockets"),
        ((2, 4, 58), "H2WebSockets on", "Protocols http/1.1"),
    ],
)
def test_the_version_changes_the_text(version: Version, there: str, not_there: str) -> None:
    text = apache.render(site(), version)
    assert there in text
    assert not_there not in text


def test_that_it_does_not_choose_by_address_is_said() -> None:
    with pytest.raises(ConfigError, match="by the client's address"):
        apache.render(site(sticky="ip"), NEWEST["apache"])


def test_that_it_sends_no_proxy_header_is_said() -> None:
    with pytest.raises(ConfigError, match="sends no PROXY protocol"):
        apache.render(site(is_tcp=True), NEWEST["apache"])
