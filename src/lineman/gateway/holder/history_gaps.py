"""Tells the program that members may have missed messages of a group's history."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from lineman.gateway.cluster.presence import homes_of
from lineman.gateway.holder.member_places import MemberPlaces
from lineman.gateway.wire.node_messages import GapKind, GapSeen

# (group, the epoch that the members know, the epoch now) -> nothing.
OnHistoryGap = Callable[[str, str, str], None]

Later = Callable[[float, Callable[[], None]], object]

# Seconds for which gaps of one group are collected.
PAUSE = 0.2
# The number of groups of which a home remembers what it has told; and of epochs of each.
GROUPS = 10_000
EPOCHS = 8


class ToldGaps:
    """Which changes of epochs a home has told the program already. Pure."""

    def __init__(self, limit: int = GROUPS) -> None:
        self._limit = limit
        self._told: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def is_new(self, group: str, epoch: str) -> bool:
        """Notes that the program learns of the end of an epoch; returns whether it is news."""
        told = self._told.pop(group, ())
        is_new = epoch not in told
        self._told[group] = (*told, epoch)[-EPOCHS:] if is_new else told
        if len(self._told) > self._limit:
            self._told.popitem(last=False)
        return is_new


class HistoryGaps:
    """Watches what the members on this node get, and tells of gaps in it.

    A node that sees a gap tells the home of the group, and the home tells the program, so that the
    program is told once for all nodes.

    Args:
        node: the name of this process.
        home_of: the home of a group.
        tell_node: sends a report to another node.
        on_seen: called with each report about a group whose home is this node; it calls `tell`.
        on_gap: tells the program; None if it does not want to know.
        later: calls a function after some seconds.

    Attributes:
        count: gaps in the histories whose home is this node, whether the program is told or not.
    """

    def __init__(
        self,
        node: str,
        home_of: Callable[[str], str],
        tell_node: Callable[[str, GapSeen], None],
        on_seen: Callable[[GapSeen], None],
        on_gap: OnHistoryGap | None,
        later: Later = lambda seconds, function: function(),
    ) -> None:
        self._node = node
        self._home_of = home_of
        self._tell_node = tell_node
        self._on_seen = on_seen
        self._on_gap = on_gap
        self._told = ToldGaps()
        self._nodes: list[str] = []
        self._later = later
        self._due: dict[str, tuple[str, str]] = {}
        self.places = MemberPlaces()
        self._places = self.places.by_group
        self.count = 0

    def accept(self, group: str, epoch: str, offset: int) -> bool:
        """Whether the members here get a message with this place; see `MemberPlaces.accept`."""
        place = self._places.get(group)
        if place is not None and place.offset + 1 == offset and place.epoch == epoch:
            place.offset = offset  # nearly always
            return True
        before = self.places.accept(group, epoch, offset)
        if before == "":
            return True
        if before is None:
            if self.places.is_over(group, epoch):
                self.report(group, epoch, GapKind.REPLACED)
            return False
        self.report(group, before, GapKind.MISSED if before == epoch else GapKind.MOVED)
        return True

    def report(self, group: str, epoch: str, kind: GapKind) -> None:
        """Tells the home of a group that members may have missed messages behind an epoch."""
        if self._on_gap is None and kind is not GapKind.REPLACED:
            return
        home = self._home_of(group)
        if home == self._node:
            self._on_seen(GapSeen(self._node, group, epoch, kind))
        else:
            self._tell_node(home, GapSeen(self._node, group, epoch, kind))

    def on_report(self, seen: GapSeen) -> None:
        """Another node reports a gap in a group whose home is this one."""
        if self._home_of(seen.group) == self._node:
            self._on_seen(seen)

    def on_nodes(self, nodes: list[str], is_news: bool = True) -> None:
        """Reports the groups whose home has changed, if that `is_news` for their members."""
        before, self._nodes = self._nodes, nodes
        if not before or self._on_gap is None or not is_news:
            return
        for group, epoch in self.places:
            if homes_of(group, before)[0] != homes_of(group, nodes)[0]:
                self.report(group, epoch, GapKind.MOVED)

    def on_missed(self, groups: Iterable[str] | None = None) -> None:
        """Reports groups with members here: messages may not have reached them.

        Args:
            groups: which ones; None for all.
        """
        if self._on_gap is None:
            return
        wanted = None if groups is None else set(groups)
        for group, epoch in self.places:
            if wanted is None or group in wanted:
                self.report(group, epoch, GapKind.MISSED)

    def tell_all(self, gaps: Iterable[tuple[str, str, str]]) -> None:
        """Tells the program of groups whose home this node is: group, old epoch, new epoch."""
        for group, old, new in gaps:
            self._told.is_new(group, old)
            self._say(group, old, new)

    def tell_lost(self, places: Iterable[tuple[str, str]]) -> None:
        """Tells the program of groups whose last messages may not have reached all members."""
        for group, epoch in places:
            self._say(group, epoch, epoch)

    def tell(self, seen: GapSeen, epoch: str) -> None:
        """Tells the program of a report, unless it was told of this change already.

        Args:
            seen: the report.
            epoch: the epoch now; if it is that of the report, messages have been lost on their way,
                and are in the history.
        """
        is_new = seen.epoch == epoch or self._told.is_new(seen.group, seen.epoch)
        if is_new or seen.kind is GapKind.MISSED:
            self._say(seen.group, seen.epoch, epoch)

    def _say(self, group: str, old: str, new: str) -> None:
        """Tells the program a moment later: several nodes may report what one fault has done."""
        self.count += 1
        known = self._due.get(group)
        is_first = not self._due
        self._due[group] = (old if known is None else known[0], new)
        if is_first:
            self._later(PAUSE, self._tell_due)

    def _tell_due(self) -> None:
        due, self._due = self._due, {}
        if self._on_gap is not None:
            for group, (old, new) in due.items():
                self._on_gap(group, old, new)
