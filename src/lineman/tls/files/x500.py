"""Distinguished names as Python's `ssl` gives them, in the text form of RFC 4514."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Rdns: TypeAlias = Sequence[Sequence[tuple[str, str]]]

# Source: RFC 4514, section 3; others keep the name that OpenSSL gives them.
_SHORT = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}


def as_text(rdns: Rdns) -> str:
    """`CN=phone 7,O=Example`: the last part first, as RFC 4514 has it; special letters escaped."""
    parts = ("+".join(_pair(*pair) for pair in rdn) for rdn in reversed(rdns))
    return ",".join(parts)


def _pair(kind: str, value: str) -> str:
    escaped = "".join(f"\\{letter}" if letter in '"+,;<>\\' else letter for letter in value)
    if escaped.startswith(("#", " ")):
        escaped = f"\\{escaped}"
    if escaped.endswith(" ") and value != " ":
        escaped = f"{escaped[:-1]}\\ "
    return f"{_SHORT.get(kind, kind)}={escaped.replace(chr(0), chr(92) + '00')}"
