"""Addresses with several hosts, and their parts."""

from __future__ import annotations

import pytest

from lineman.brokers.several_hosts import SeveralHosts, place_of
from lineman.errors import ConfigError

EXAMPLE = "x://host:1,host2:1"


def test_an_address_is_taken_apart_and_put_together() -> None:
    parts = SeveralHosts.read("x+y://me:a%40b@h1,[::1]:7000,h3:1/service?a=b&c=d", 9, EXAMPLE)
    assert parts.scheme == "x+y"
    assert parts.hosts == (("h1", 9), ("::1", 7000), ("h3", 1))
    assert (parts.login, parts.path, parts.query) == ("me:a%40b@", "service", "?a=b&c=d")
    assert parts.url_of(("::1", 7000), "x") == "x://me:a%40b@[::1]:7000?a=b&c=d"
    assert place_of(("h1", 9)) == "h1:9"


def test_one_host_without_anything_else_is_enough() -> None:
    parts = SeveralHosts.read("x://h", 9, EXAMPLE)
    assert (parts.hosts, parts.login, parts.path, parts.query) == ((("h", 9),), "", "", "")


@pytest.mark.parametrize("hosts", ["", "a,", ",a", "a:port", "a:0", "a:1,b:99999", "[::1"])
def test_what_names_no_host_is_refused(hosts: str) -> None:
    with pytest.raises(ConfigError, match=r"names no node: .*; fix: give x://host:1,host2:1"):
        SeveralHosts.read(f"x://{hosts}", 9, EXAMPLE)
