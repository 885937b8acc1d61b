"""Which versions of the wire two processes have in common. Pure.

The wire is what gateway processes, business workers and programs that push say to each other on
links, and gateway processes by the broker. Each end names the oldest version that it understands
and the newest one that it speaks. They use the newest that both have.

Version 4: the first that others may meet; its ends compare the oldest version alone.
Version 5: both numbers are said, and there are named timers.
Version 6: gateway processes confirm on links how far they have handled what was said, and pass
requests and clients to applications.
Version 7: business workers say when they have handled news about users and groups.
"""

from __future__ import annotations

from typing import NamedTuple


class WireVersions(NamedTuple):
    """The versions that one end understands."""

    oldest: int
    newest: int

    def __str__(self) -> str:
        if self.oldest == self.newest:
            return f"version {self.newest}"
        return f"versions {self.oldest} to {self.newest}"


# The versions of this Lineman. A test program sets others, to be an older or a newer one.
own = WireVersions(4, 7)

TIMERS_SINCE = 5
CONFIRMED_SINCE = 6
NEWS_DONE_SINCE = 7
# The version of an end that does not say which.
FIRST = 4


def of_peer(oldest: int, newest: int) -> WireVersions:
    """The versions of another end by its two numbers; an end of version 4 says no second one."""
    return WireVersions(oldest, max(oldest, newest))


def agreed_with(peer: WireVersions) -> int:
    """The version that this end and another use; 0 if they have none in common."""
    found = min(own.newest, peer.newest)
    return found if found >= max(own.oldest, peer.oldest) else 0


def refusal(peer: WireVersions) -> str:
    """Says that there is no common version."""
    return f"it speaks {peer} of Lineman's wire, and this process {own}"


REMEDY = (
    "first install a version of Lineman that both understand; or stop all processes of the service "
    "and start it"
)
