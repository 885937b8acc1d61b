"""Histories in the memory of their homes: what a node keeps of the groups whose home it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from lineman.gateway.holder.group_histories import Histories
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.holder.history_gaps import HistoryGaps, Later, OnHistoryGap
from lineman.gateway.holder.history_handover import HistoryHandover
from lineman.gateway.wire.messages import Deliver
from lineman.gateway.wire.node_messages import GapKind, GapSeen, HandOver

# Seconds within which a message was delivered whose loss is noticed now.
LATELY = 10.0


@dataclass(frozen=True, slots=True)
class HomeCalls:
    """The functions by which histories reach the rest of a node.

    Attributes:
        node: the name of this process.
        home_of: the home of a group.
        tell_node: sends a report to another node.
        deliver: gives a message with its place to the members on all nodes.
        on_gap: tells the program of a gap; None if it does not want to know.
        clock: seconds that only go forward.
        later: calls a function after some seconds.
        has_room: whether more can be told other nodes without being dropped.
    """

    node: str
    home_of: Callable[[str], str]
    tell_node: Callable[[str, GapSeen | HandOver], None]
    deliver: Callable[[Deliver], None]
    on_gap: OnHistoryGap | None
    clock: Callable[[], float]
    later: Later = lambda seconds, function: function()
    has_room: Callable[[], bool] = lambda: True


class KeepsHistories(Protocol):
    """What keeps the histories of groups.

    Attributes:
        gaps: watches what the members on this node get.
    """

    gaps: HistoryGaps

    async def start(self) -> None:
        """Begins to keep messages."""

    async def stop(self) -> None:
        """Keeps what was published, then ends."""

    def publish(self, group: str, data: Any) -> None:
        """Keeps a message of a group whose home is this node, and delivers it to all members."""

    async def keep(self, group: str, data: Any) -> None:
        """The same; it returns when the message is kept.

        Raises:
            NotReachedError: it is neither kept nor delivered.
        """

    def on_nodes(self, nodes: list[str]) -> None:
        """Other nodes have come or gone."""

    def on_gap(self) -> None:
        """Messages of another node may be missing, or others may have taken this node's place."""

    def on_missed(self, was_away: bool) -> None:
        """Messages to or from this node may have been lost; or it was cut off, if `was_away`."""

    def on_foreign(self, group: str) -> None:
        """Another node delivers a message of this group with a place, as its home does."""

    def sweep(self) -> None:
        """Forgets what is too old; called every second."""


class HomeHistories:
    """The histories of the groups whose home this node is, in its memory."""

    def __init__(self, options: HistoryOptions, calls: HomeCalls) -> None:
        self._calls = calls
        self._deliver = calls.deliver
        self.kept = Histories(options, calls.clock)
        self.gaps = HistoryGaps(
            calls.node, calls.home_of, calls.tell_node, self._on_seen, calls.on_gap, calls.later
        )
        self._handover = HistoryHandover(calls.node, self.kept, calls.tell_node, calls.has_room)
        self._nodes: list[str] = []

    async def start(self) -> None:
        """Nothing is to be begun."""

    async def stop(self) -> None:
        """Hands what is kept over to the other nodes; without any it goes with the process."""
        await self._handover.give(self._nodes)

    def on_hand_over(self, message: HandOver) -> None:
        """A node that stops hands histories over, whose next home is this node."""
        self.gaps.tell_all(self.kept.renew(self._handover.take(message, self._nodes)))

    def publish(self, group: str, data: Any) -> None:
        """Keeps a message of a group whose home is this node, and delivers it to all members."""
        self._deliver(self.kept.add(group, data))

    async def keep(self, group: str, data: Any) -> None:
        """The same; it is kept at once."""
        self.publish(group, data)

    def on_nodes(self, nodes: list[str]) -> None:
        """Forgets the groups whose home is elsewhere now: they continue there."""
        self._nodes = nodes
        self._give_up()
        self.gaps.tell_all(self.kept.renew(self._handover.unfinished()))
        self.gaps.on_nodes(nodes)

    def _give_up(self) -> None:
        calls = self._calls
        for group, epoch in self.kept.keep(lambda group: calls.home_of(group) == calls.node):
            # Where the new home has a history of it already, neither is complete.
            self.gaps.report(group, epoch, GapKind.REPLACED)

    def on_gap(self) -> None:
        """Begins a new epoch for all that is kept: it may not be complete."""
        self._give_up()
        self.gaps.tell_all(self.kept.renew())

    def on_missed(self, was_away: bool) -> None:
        """Messages to or from this node may have been lost; or it was cut off, if `was_away`."""
        if was_away:
            self.on_gap()
        else:  # what was delivered lately may not have left; it is in the history
            self.gaps.tell_lost(self.kept.recent(LATELY))
        self.gaps.on_missed()

    def on_foreign(self, group: str) -> None:
        """Another node takes itself for the home of a group; both histories may have holes."""
        self.gaps.tell_all(self.kept.renew([group]))

    def _on_seen(self, seen: GapSeen) -> None:
        if seen.kind is GapKind.MOVED and self._handover.goes_on(seen.group, seen.epoch):
            return
        if seen.kind is GapKind.REPLACED:
            self.gaps.tell_all(self.kept.renew([seen.group]))
        else:
            self.gaps.tell(seen, self.kept.begin(seen.group))

    def sweep(self) -> None:
        """Forgets what is too old; called every second."""
        self.kept.sweep()
