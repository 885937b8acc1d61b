"""Which certificate a client gets for the name that it asks for (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Generic, TypeVar

from lineman.errors import ConfigError

T = TypeVar("T")

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


def plain_name(name: str) -> str:
    """A name as clients send it: in lower case, without a dot at the end, in `xn--` form.

    Raises:
        ConfigError: it is not a host name; `*` may only stand for the whole first label.

    Source: RFC 6066, section 3; RFC 5890
    """
    plain = name.strip().lower().removesuffix(".")
    star, _, rest = plain.partition(".") if plain.startswith("*.") else ("", "", plain)
    try:
        ascii_name = rest if rest.isascii() else rest.encode("idna").decode()
    except UnicodeError:
        ascii_name = ""
    labels = ascii_name.split(".")
    if len(ascii_name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ConfigError(
            f"{name!r} is no host name that a certificate could be for",
            'give names such as "chat.example.com" or "*.example.com"',
        )
    return f"{star}.{ascii_name}" if star else ascii_name


class NameTable(Generic[T]):
    """Finds the entry of a name: first by the name itself, then by the wildcard one label above.

    Args:
        entries: names (as `plain_name` writes them) and their values; of two with the same name the
            first counts.
    """

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        self._exact: dict[str, T] = {}
        self._wild: dict[str, T] = {}
        for name, value in entries:
            if name.startswith("*."):
                self._wild.setdefault(name[2:], value)
            else:
                self._exact.setdefault(name, value)

    def find(self, name: str) -> T | None:
        """The value for a client's name; None if there is none. A wildcard covers one label."""
        plain = name.lower().removesuffix(".")
        found = self._exact.get(plain)
        if found is None and self._wild:
            first, _, rest = plain.partition(".")
            found = self._wild.get(rest) if first else None
        return found
