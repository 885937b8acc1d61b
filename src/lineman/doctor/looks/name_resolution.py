"""The addresses of a name, and which of them answer."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv6Address, ip_address

from lineman.doctor.facts import Names, Outcome, Reach
from lineman.tls.development.machine import ipv4_addresses

Lookup = Callable[[str], Sequence[str]]
"""A name's addresses; raises `socket.gaierror`."""

_UNKNOWN = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


def system_lookup(name: str) -> list[str]:
    """Asks the system's resolver, which reads the hosts file, DNS and its other sources."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def resolve(name: str, given: Sequence[str], timeout: float, lookup: Lookup) -> Names:
    """The addresses of a name.

    Args:
        name: a name, or an address, which stands for itself.
        given: addresses in place of what the resolver says.
        timeout: seconds for the resolver, which has no deadline of its own.
        lookup: asks it.
    """
    own = own_addresses()
    found = list(given)
    fault = ""
    if not found:
        found, fault = _look_up(name, timeout, lookup)
    addresses = [each.partition("%")[0] for each in dict.fromkeys(found)]
    return Names(
        ipv4=tuple(each for each in addresses if ":" not in each),
        ipv6=tuple(each for each in addresses if ":" in each),
        fault=fault,
        own=own,
        is_given=bool(given),
    )


def _look_up(name: str, timeout: float, lookup: Lookup) -> tuple[list[str], str]:
    try:
        return [str(ip_address(name))], ""
    except ValueError:
        pass
    result: list[tuple[list[str], str]] = []

    def ask() -> None:
        try:
            result.append((list(lookup(name)), ""))
        except socket.gaierror as error:
            is_unknown = error.errno in _UNKNOWN
            result.append(([], "unknown" if is_unknown else str(error.strerror or error)))
        except OSError as error:
            result.append(([], error.strerror or str(error)))

    # A daemon thread, so that the process can end while the resolver hangs for minutes.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout)
    return result[0] if result else ([], f"none within {timeout:g} s")


def own_addresses() -> tuple[str, ...]:
    """This machine's addresses, loopback included."""
    found = ipv4_addresses()
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as file:
            found += [str(IPv6Address(bytes.fromhex(line.split()[0]))) for line in file]
    except (OSError, ValueError):  # no IPv6 here
        pass
    return tuple(dict.fromkeys(found))


def reach(addresses: Sequence[str], port: int, timeout: float) -> tuple[Reach, ...]:
    """A TCP connection to each address, all at once."""
    if not addresses:
        return ()
    with ThreadPoolExecutor(max_workers=min(8, len(addresses))) as pool:
        return tuple(pool.map(lambda ip: _reach(ip, port, timeout), addresses))


def _reach(ip: str, port: int, timeout: float) -> Reach:
    began = time.perf_counter()
    try:
        with socket.create_connection((ip, port), timeout):
            outcome = Outcome.DONE
    except TimeoutError:
        outcome = Outcome.TIMEOUT
    except ConnectionRefusedError:
        outcome = Outcome.REFUSED
    except OSError as error:
        outcome = Outcome.TIMEOUT if error.errno == errno.ETIMEDOUT else Outcome.UNREACHABLE
    return Reach(ip, outcome, time.perf_counter() - began)
