"""The interface of what keeps histories durably, at the server of the broker."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, field

from lineman.brokers.broker_address import without_login


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """How much is kept of each group.

    Attributes:
        messages: the largest number of entries.
        seconds: the greatest age of an entry.
        max_bytes: the largest size of all entries together.
        timeout: seconds after which a server that does not answer counts as away.
    """

    messages: int
    seconds: float
    max_bytes: int
    timeout: float = 5.0


@dataclass(slots=True)
class StoredEntries:
    """What is kept of a group.

    Attributes:
        epoch: the name of the history to which the offsets belong; empty if there is none.
        offset: the offset of the last entry, also if it is no longer kept.
        first: the offset of the first entry that is kept; `offset + 1` if none is.
        entries: offsets and contents of the entries behind the place that was asked for.
    """

    epoch: str = ""
    offset: int = 0
    first: int = 1
    entries: list[tuple[int, bytes]] = field(default_factory=list)


class HistoryStore(abc.ABC):
    """Keeps the histories of the groups of a service, numbered by the server.

    Two nodes that append to one group at the same time get different offsets. An epoch ends when
    the server may have lost entries: then a new one begins, with the same or other offsets.

    Args:
        url: the server's address.
        limits: how much is kept.

    Attributes:
        shown: the address without its password.
    """

    def __init__(self, url: str, limits: StoreLimits) -> None:
        self._url = url
        self._limits = limits
        self.shown = without_login(url)

    @abc.abstractmethod
    async def check(self) -> None:
        """Returns if entries can be kept.

        Raises:
            Exception: the reason why not, for `broker_address.explain`; any of the library's, as by
                the other methods.
        """

    @abc.abstractmethod
    async def append(self, group: str, contents: Sequence[bytes]) -> list[tuple[str, int]]:
        """Keeps entries of a group, in order; returns the epoch and the offset of each.

        If it raises, some of them may have been kept all the same.
        """

    @abc.abstractmethod
    async def read(self, group: str, epoch: str, offset: int) -> StoredEntries:
        """The entries of a group behind a place; all if the epoch is another one."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Closes the connections."""
