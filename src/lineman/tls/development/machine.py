"""The directory of development certificates, and the addresses of this machine for them."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from ipaddress import ip_address
from pathlib import Path

from lineman.base.home import home
from lineman.tls.development.issuing import is_permitted

_SIOCGIFADDR = 0x8915  # linux/sockios.h: the IPv4 address of a network interface


def dev_directory() -> Path:
    """The directory of this user's development authority: one for all programs."""
    data = os.environ.get("XDG_DATA_HOME")
    shared = Path(data) if data else home("XDG_DATA_HOME") / ".local" / "share"
    return shared / "lineman" / "dev"


def private_addresses() -> list[str]:
    """The addresses by which others in the same network reach this machine; may be empty."""
    return [each for each in ipv4_addresses() if is_permitted(each)]


def ipv4_addresses() -> list[str]:
    """Every IPv4 address of this machine, loopback included."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:  # it has none
                continue
            found.append(str(ip_address(answer[20:24])))
    return list(dict.fromkeys(found))
