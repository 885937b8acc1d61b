"""Which addresses are one client's, and which cannot be told to be anybody's. Pure."""

from __future__ import annotations

import socket

_MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96
_LOOPBACK = bytes(15) + b"\x01"


def client_key(ip: str, ipv6_prefix: int) -> bytes | None:
    """What the connections of one client have in common.

    Args:
        ip: an address, as the kernel or a proxy tells it.
        ipv6_prefix: bits of an IPv6 address that belong to one client.

    Returns:
        None where it stands for nobody in particular: it is no address (`unix`, `unknown`), or a
        loopback, private, link-local or carrier's one, behind which everybody may be.
    """
    try:
        if ":" not in ip:
            four = socket.inet_pton(socket.AF_INET, ip)
            return None if _is_private(four) else four
        six = socket.inet_pton(socket.AF_INET6, ip.partition("%")[0])
    except OSError:
        return None
    if six.startswith(_MAPPED):
        four = six[12:]
        return None if _is_private(four) else four
    # Loopback and unspecified; unique local addresses (RFC 4193); link-local ones.
    if six in (_LOOPBACK, bytes(16)) or six[0] & 0xFE == 0xFC:
        return None
    if six[0] == 0xFE and six[1] & 0xC0 == 0x80:
        return None
    kept = int.from_bytes(six) >> (128 - ipv6_prefix) << (128 - ipv6_prefix)
    return kept.to_bytes(16)


def _is_private(four: bytes) -> bool:
    first, second = four[0], four[1]
    return (
        first in (0, 10, 127)
        or (first == 172 and 16 <= second <= 31)
        or (first == 192 and second == 168)
        or (first == 169 and second == 254)
        or (first == 100 and 64 <= second <= 127)  # shared by a carrier's NAT (RFC 6598)
    )
