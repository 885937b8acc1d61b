from __future__ import annotations

import pytest

from lineman.net.connection.networks import client_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("203.0.113.7", "::ffff:203.0.113.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
        ("2001:db8:1:2::1%eth0", "2001:DB8:1:2::1"),
    ],
)
def test_these_are_one_client(one: str, other: str) -> None:
    assert client_key(one, 64) == client_key(other, 64) is not None


@pytest.mark.parametrize(
    ("one", "other", "prefix"),
    [
        ("203.0.113.7", "203.0.113.8", 64),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", 64),
        ("2001:db8::1", "2001:db8::2", 128),
        ("203.0.113.7", "2001:db8::1", 64),
    ],
)
def test_these_are_two(one: str, other: str, prefix: int) -> None:
    assert None not in (client_key(one, prefix), client_key(other, prefix))
    assert client_key(one, prefix) != client_key(other, prefix)


def test_a_shorter_prefix_takes_more_for_one() -> None:
    assert client_key("2001:db8:1:2::1", 48) == client_key("2001:db8:1:3::1", 48)


@pytest.mark.parametrize(
    "ip",
    [
        *("unix", "unknown", "", "203.0.113", "2001:db8:::1"),
        *("127.0.0.1", "10.1.2.3", "0.0.0.0", "192.168.0.1", "169.254.1.1"),
        *("172.16.0.1", "172.31.255.255", "100.64.0.1", "100.127.255.255"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "fc00::1", "::ffff:10.0.0.1"),
    ],
)
def test_behind_these_everybody_may_be(ip: str) -> None:
    assert client_key(ip, 64) is None


@pytest.mark.parametrize(
    "ip", ["172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "11.0.0.1"]
)
def test_their_neighbours_are_somebody(ip: str) -> None:
    assert client_key(ip, 64) is not None
