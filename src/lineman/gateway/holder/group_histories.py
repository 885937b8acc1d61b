"""The histories of the groups whose home a node is."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from lineman.gateway.holder.history import GroupHistory, HistoryOptions
from lineman.gateway.wire.history_page import HistoryPage
from lineman.gateway.wire.messages import Deliver

# (group, epoch, offset, message) -> what the members get.
Frame = Callable[[str, str, int, str | bytes], str | bytes]

SWEEP = 30.0
# The number of groups without a kept message whose places are remembered.
QUIET = 10_000


class Renewed(NamedTuple):
    """A group whose history has begun a new epoch."""

    group: str
    old: str
    new: str


def frame_as_json(group: str, epoch: str, offset: int, message: str | bytes) -> str:
    """The default of `history_frame`: makes what members get of a kept message.

    Returns:
        A JSON object with `group`, `epoch`, `offset`, and the message as `data`; bytes are decoded
        as UTF-8.
    """
    data = message if isinstance(message, str) else message.decode("utf-8", "replace")
    return json.dumps({"group": group, "epoch": epoch, "offset": offset, "data": data})


class Histories:
    """The kept messages of each group.

    Args:
        options: how much is kept of each group.
        clock: seconds that only go forward.
        quiet: the number of groups without a kept message whose places are remembered, so that
            nobody who comes back to a quiet group must start anew.
    """

    def __init__(
        self, options: HistoryOptions, clock: Callable[[], float], quiet: int = QUIET
    ) -> None:
        self._options = options
        self._clock = clock
        self._most_quiet = quiet
        self._groups: dict[str, GroupHistory] = {}
        self._quiet: OrderedDict[str, tuple[str, int]] = OrderedDict()  # epoch and offset
        self._swept_at = clock()

    def _of(self, group: str) -> GroupHistory:
        """The history of a group; it begins now if there is none."""
        history = self._groups.get(group)
        if history is None:
            history = self._groups[group] = GroupHistory(self._options)
            place = self._quiet.pop(group, None)
            if place is not None:
                history.epoch, history.offset = place
                history.is_given = True
        return history

    def add(self, group: str, data: Any) -> Deliver:
        """Keeps a message; returns it with its place, for delivery to the members."""
        history = self._groups.get(group) or self._of(group)
        offset = history.add(data, self._clock())
        return Deliver(data, group, history.epoch, offset)

    def since(self, group: str, epoch: str, offset: int) -> HistoryPage:
        """The messages after a place; see `GroupHistory.since`."""
        if group not in self._groups and group not in self._quiet:
            return HistoryPage("", 0, [], is_complete=not epoch)
        return self._of(group).since(epoch, offset, self._clock())

    def epoch_of(self, group: str) -> str | None:
        """The epoch of a group; None if it has no history here."""
        history = self._groups.get(group)
        if history is not None:
            return history.epoch
        place = self._quiet.get(group)
        return None if place is None else place[0]

    def begin(self, group: str) -> str:
        """The epoch of a group, whose history begins now if it has none."""
        return self._of(group).epoch

    def keep(self, is_kept: Callable[[str], bool]) -> list[tuple[str, str]]:
        """Forgets the groups of which `is_kept` is false; returns these with their epochs."""
        gone = [(group, history.epoch) for group, history in self._groups.items()]
        gone += [(group, place[0]) for group, place in self._quiet.items()]
        gone = [(group, epoch) for group, epoch in gone if not is_kept(group)]
        for group, _ in gone:
            self._groups.pop(group, None)
            self._quiet.pop(group, None)
        return gone

    def renew(self, groups: Iterable[str] | None = None) -> list[Renewed]:
        """Begins a new epoch: messages may be missing behind those that are kept.

        Args:
            groups: those with a history are renewed; None for all.

        Returns:
            The groups whose epoch is another one: it goes on where nobody has a place in it.
        """
        found = []
        for group in [*self._groups, *self._quiet] if groups is None else groups:
            old = self.epoch_of(group)
            if old is not None and (history := self._of(group)).renew():
                found.append(Renewed(group, old, history.epoch))
        return found

    def recent(self, seconds: float) -> list[tuple[str, str]]:
        """The groups with a message that is not older than this, with their epochs."""
        since = self._clock() - seconds
        return [(group, each.epoch) for group, each in self._groups.items() if each.kept_at > since]

    def all(self) -> Iterator[tuple[str, str, int, list[tuple[float, int, str | bytes]]]]:
        """Each group with its epoch, its last offset and its kept messages."""
        now = self._clock()
        for group, history in self._groups.items():
            yield group, history.epoch, history.offset, history.kept(now)
        for group, (epoch, offset) in self._quiet.items():
            yield group, epoch, offset, []

    def take_over(
        self,
        group: str,
        epoch: str,
        offset: int,
        messages: Iterable[tuple[float, int, str | bytes]],
        is_last: bool,
    ) -> bool:
        """Takes over a group's history from its former home, or a further part of it.

        Returns:
            Whether it is the history of the group here; one that has begun here goes on.
        """
        known = self.epoch_of(group)
        if known is not None and known != epoch:
            return False
        if known is None:
            self._quiet[group] = (epoch, offset)
        history = self._of(group)
        history.take_over(messages, self._clock())
        return not is_last or (history.is_whole and history.offset == offset)

    def sweep(self) -> None:
        """Forgets the messages that are too old; called every second."""
        now = self._clock()
        if now - self._swept_at < SWEEP:
            return
        self._swept_at = now
        for group, history in list(self._groups.items()):
            if not history.expire(now):
                del self._groups[group]
                self._quiet[group] = (history.epoch, history.offset)
        while len(self._quiet) > self._most_quiet:
            self._quiet.popitem(last=False)
