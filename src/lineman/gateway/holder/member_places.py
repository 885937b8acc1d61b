"""What the members of groups on this node got last of each group's history. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

# The number of earlier epochs of a group that are remembered: their messages come too late.
REMEMBERED = 8


class MemberPlace:
    """Where the members of one group are.

    Attributes:
        epoch: of the last message that they got.
        offset: of that message; -1 if it is not known, and any may be the next.
        over: the epochs before.
    """

    __slots__ = ("epoch", "offset", "over")

    def __init__(self, epoch: str, offset: int) -> None:
        self.epoch = epoch
        self.offset = offset
        self.over: tuple[str, ...] = ()


class MemberPlaces:
    """The places of all groups that have members here and a history.

    Members never get a message of an epoch that is over, nor one before the last that they got: a
    node that stood still, or was cut off, may send it late. It is still in the history.

    Attributes:
        by_group: the places.
    """

    def __init__(self) -> None:
        self.by_group: dict[str, MemberPlace] = {}

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter([(group, place.epoch) for group, place in self.by_group.items()])

    def accept(self, group: str, epoch: str, offset: int) -> str | None:
        """Takes a message on its way to the members of a group.

        Returns:
            The epoch behind whose last message some may be missing; empty if none is missing. None
            if the message comes too late, and the members must not get it.
        """
        place = self.by_group.get(group)
        if place is None:
            self.by_group[group] = MemberPlace(epoch, offset)
            return ""
        before, last = place.epoch, place.offset
        if epoch != before:
            if epoch in place.over:
                return None
            place.over = (*place.over, before)[-REMEMBERED:]
            place.epoch, place.offset = epoch, offset
            return before
        if offset <= last:
            return None
        place.offset = offset
        return "" if last < 0 or offset == last + 1 else before

    def is_over(self, group: str, epoch: str) -> bool:
        """Whether the members have got messages of a later epoch."""
        place = self.by_group.get(group)
        return place is not None and epoch in place.over

    def expect(self, group: str, epoch: str) -> None:
        """A member knows this epoch from a page; its next message may have any offset."""
        if epoch and group not in self.by_group:
            self.by_group[group] = MemberPlace(epoch, -1)

    def forget(self, groups: Iterable[str]) -> None:
        """Forgets groups that have no members here any more."""
        for group in groups:
            self.by_group.pop(group, None)
