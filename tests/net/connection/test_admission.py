"""Which connections are accepted: in all, from one address, and per second; with a clock."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from lineman.base.loglimit import LogLimit
from lineman.errors import HttpError
from lineman.net.connection.admission import REFUSALS, Admission, DroppedError
from lineman.net.connection.counters import Tally
from lineman.net.connection.limits import Limits
from lineman.net.connection.networks import client_key

STRANGER = "203.0.113.7"
OTHER = "198.51.100.9"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """An admission with its clock, and names in place of connections."""

    def __init__(self, **limits: Any) -> None:
        self.clock = Clock()
        self.tally = Tally()
        log = LogLimit(logging.getLogger("lineman"), self.clock)
        self.admission = Admission(Limits(**limits), self.tally, log, self.clock)

    def come(self, name: str, ip: str, claims: Any = ()) -> HttpError | None:
        refusal = self.admission.check(ip, claims)
        if refusal is None:
            self.admission.count(name, ip, claims)
        return refusal


def status(refusal: HttpError | None) -> int:
    assert refusal is not None
    assert dict(refusal.headers)["Retry-After"] == "5"
    return refusal.status


def test_an_address_has_so_many_connections_and_no_more() -> None:
    rig = Rig(connections_per_ip=2)
    assert rig.come("a", STRANGER) is None
    assert rig.come("b", STRANGER) is None
    assert status(rig.come("c", STRANGER)) == 429
    assert rig.come("d", OTHER) is None
    rig.admission.leave("a")
    rig.admission.leave("a")
    assert rig.come("e", STRANGER) is None
    assert rig.tally.hits == {"connections_per_ip": 1}


def test_the_addresses_of_one_ipv6_network_are_one_client() -> None:
    rig = Rig(connections_per_ip=1)
    assert rig.come("a", "2001:db8:1:2::1") is None
    assert status(rig.come("b", "2001:db8:1:2:ffff::9")) == 429
    assert rig.come("c", "2001:db8:1:3::1") is None
    narrow = Rig(connections_per_ip=1, ipv6_prefix=128)
    assert narrow.come("a", "2001:db8:1:2::1") is None
    assert narrow.come("b", "2001:db8:1:2::2") is None
    wide = Rig(connections_per_ip=1, ipv6_prefix=47)
    assert wide.come("a", "2001:db8:2::1") is None
    assert status(wide.come("b", "2001:db8:3::1")) == 429


def test_an_ipv4_address_is_the_same_in_ipv6s_clothes() -> None:
    rig = Rig(connections_per_ip=1)
    assert rig.come("a", STRANGER) is None
    assert status(rig.come("b", f"::ffff:{STRANGER}")) == 429


@pytest.mark.parametrize(
    "ip",
    [
        *("127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("169.254.1.1", "100.64.0.1", "100.127.255.255", "0.0.0.0"),
        *("::1", "::", "fd00::1", "fe80::1", "fe80::1%eth0", "::ffff:10.0.0.1", "::ffff:127.0.0.1"),
        *("unix", "unknown", ""),
    ],
)
def test_an_address_behind_which_everybody_may_be_is_nobodys(ip: str) -> None:
    rig = Rig(connections_per_ip=1, connects_per_second_per_ip=1)
    for number in range(20):
        assert rig.come(str(number), ip) is None
    assert len(rig.admission) == 0


@pytest.mark.parametrize(
    "ip", ["172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.169.0.1", "2001:db8::1"]
)
def test_the_neighbours_of_private_networks_are_clients(ip: str) -> None:
    assert client_key(ip, 64) is not None


def test_connects_of_an_address_are_limited_by_the_second() -> None:
    rig = Rig(connects_per_second_per_ip=2)
    for number in range(4):
        assert rig.come(str(number), STRANGER) is None
        rig.admission.leave(str(number))
    assert status(rig.come("x", STRANGER)) == 429
    assert rig.come("y", OTHER) is None
    rig.clock.now += 0.5
    assert rig.come("z", STRANGER) is None


def test_connects_in_all_are_limited_by_the_second() -> None:
    rig = Rig(connects_per_second=5)
    assert [rig.admission.arrive() for _ in range(10)] == [None] * 10
    assert status(rig.admission.arrive()) == 503
    rig.clock.now += 0.2
    assert rig.admission.arrive() is None


def test_less_than_a_connect_a_second_is_a_rate_too() -> None:
    rig = Rig(connects_per_second_per_ip=0.1)
    assert rig.come("a", STRANGER) is None
    assert status(rig.come("b", STRANGER)) == 429
    rig.clock.now += 10
    assert rig.come("c", STRANGER) is None


def test_who_comes_on_and_on_is_dropped_without_an_answer_but_never_a_proxy() -> None:
    rig = Rig(connections_per_ip=1)
    assert rig.come("a", STRANGER) is None
    for _ in range(int(2 * REFUSALS)):
        assert status(rig.admission.check(STRANGER, is_droppable=True)) == 429
    with pytest.raises(DroppedError):
        rig.admission.check(STRANGER, is_droppable=True)
    assert status(rig.admission.check(STRANGER)) == 429
    assert rig.admission.check(OTHER, is_droppable=True) is None


def test_an_address_that_nobody_is_at_is_forgotten() -> None:
    rig = Rig(connections_per_ip=5, connects_per_second_per_ip=100)
    for number in range(500):
        name = f"203.0.113.{number % 250}"
        assert rig.come(str(number), name) is None
        rig.admission.leave(str(number))
    assert len(rig.admission) == 250
    rig.clock.now += 60
    assert rig.come("stays", OTHER) is None
    assert len(rig.admission) == 1
    rig.clock.now += 60
    rig.come("later", STRANGER)
    assert len(rig.admission) == 2


def test_who_is_in_doubt_has_no_more_room_than_others_whatever_it_makes_up() -> None:
    rig = Rig(connections_per_ip=2)
    for number in range(2):
        claims = (("x-real-ip", STRANGER), ("x-forwarded-for", f"198.51.100.{number}"))
        assert rig.come(f"a{number}", "unknown", claims) is None
    for number in range(2, 9):
        claims = (("x-real-ip", STRANGER), ("x-forwarded-for", f"198.51.100.{number}"))
        assert status(rig.come(f"a{number}", "unknown", claims)) == 429
    # The other header may be the true one just as well.
    backwards = (("x-real-ip", "192.0.2.1"), ("x-forwarded-for", STRANGER))
    assert rig.come("b", "unknown", backwards) is None


def test_who_is_in_doubt_takes_no_room_of_the_address_that_it_claims() -> None:
    rig = Rig(connections_per_ip=1)
    claims = (("x-real-ip", STRANGER), ("x-forwarded-for", OTHER))
    assert rig.come("a", "unknown", claims) is None
    assert rig.come("victim", OTHER) is None
    rig.admission.leave("a")
    assert rig.come("b", "unknown", claims) is None


def test_there_may_be_so_many_websockets() -> None:
    rig = Rig(max_connections=3)
    assert rig.admission.check_room(2) is None
    assert status(rig.admission.check_room(3)) == 503


def test_what_is_off_costs_nobody_a_question() -> None:
    off = Rig().admission
    assert not off.is_guarded
    assert not off.is_metered
    assert Rig(max_connections=1).admission.is_guarded
    assert Rig(connects_per_second=1).admission.is_guarded
    assert Rig(messages_per_second_per_ip=1).admission.is_guarded
    assert Rig(bytes_per_second=1).admission.is_metered
