"""The addresses of a name, and which of them answer."""

from __future__ import annotations

import socket
import threading

from kit.program import free_ports
from lineman.doctor.facts import Outcome
from lineman.doctor.looks.name_resolution import own_addresses, reach, resolve


def nobody(name: str) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def silent(name: str) -> list[str]:
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def test_addresses_come_once_by_their_family_and_without_a_zone() -> None:
    found = resolve("a.test", (), 20, lambda name: ["8.8.8.8", "fe80::1%eth0", "8.8.8.8", "::2"])
    assert (found.ipv4, found.ipv6) == (("8.8.8.8",), ("fe80::1", "::2"))
    assert (found.fault, found.is_given) == ("", False)


def test_an_address_stands_for_itself_and_nobody_is_asked() -> None:
    assert resolve("192.0.2.1", (), 20, nobody).ipv4 == ("192.0.2.1",)
    given = resolve("a.test", ("192.0.2.1",), 20, nobody)
    assert (given.ipv4, given.is_given) == (("192.0.2.1",), True)


def test_a_name_that_is_not_known_is_told_from_a_resolver_that_fails() -> None:
    assert resolve("a.test", (), 20, nobody).fault == "unknown"
    assert resolve("a.test", (), 20, silent).fault == "Temporary failure in name resolution"


def test_a_resolver_that_hangs_is_not_waited_for() -> None:
    end = threading.Event()

    def hangs(name: str) -> list[str]:
        end.wait(60)
        return []

    assert resolve("a.test", (), 0.05, hangs).fault == "none within 0.05 s"
    end.set()


def test_loopback_is_one_of_our_own_addresses() -> None:
    assert "127.0.0.1" in own_addresses()


def test_each_address_is_reached_or_not() -> None:
    (closed,) = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        [one, other] = reach(["127.0.0.1", "127.0.0.2"], port, 20)
    assert (one.ip, one.outcome) == ("127.0.0.1", Outcome.DONE)
    assert (other.ip, other.outcome) == ("127.0.0.2", Outcome.REFUSED)
    assert reach([], closed, 20) == ()
