"""What a running service tells the doctor of its own handshake, where it asks.

A handshake with `Origin` and the header `X-Lineman-Doctor` is answered with that header too. The
answer says how the page stands from which the handshake claims to come (`origins.Standing`), and
whether the service took the client for the address that it claims: nothing about anybody else.
"""

from __future__ import annotations

from lineman.protocols.proxies.forwarded import UNKNOWN
from lineman.protocols.websocket.origins import Standing

QUESTION = "x-lineman-doctor"
CLAIMED = "203.0.113.66"
"""The address that the doctor claims to have; nobody has it (RFC 5737)."""

BELIEVED = "believed"
NOT_TOLD = "unknown"
OTHER = "other"


def answer(standing: Standing, remote_ip: str) -> tuple[str, str]:
    """The header for the 101.

    Args:
        standing: how the handshake was let in.
        remote_ip: the client's address as the service sees it.
    """
    address = {CLAIMED: BELIEVED, UNKNOWN: NOT_TOLD}.get(remote_ip, OTHER)
    return "X-Lineman-Doctor", f"page={standing.value}; address={address}"


def read(value: str) -> dict[str, str]:
    """The answer's parts, such as `page` and `address`; none of what is no answer."""
    parts = (part.partition("=") for part in value.split(";"))
    return {name.strip(): said.strip() for name, equals, said in parts if equals}
