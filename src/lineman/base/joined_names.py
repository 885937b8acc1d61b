"""Names that are joined by colons; pure. `joined("a:b", "c")` and `joined("a", "b:c")` differ."""

from __future__ import annotations

_ESCAPES = str.maketrans({each: f"%{ord(each):02X}" for each in "%:{}"})


def joined(name: str, *rest: str) -> str:
    """A name and what belongs to it, with colons between them.

    Only the name is escaped, so no other name gives the same text, whatever the rest is. Braces
    have a meaning in the keys of Redis Cluster.
    """
    return ":".join((name.translate(_ESCAPES), *rest))
