"""The histories of the groups whose home a node is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lineman.gateway.holder.history import GroupHistory, HistoryOptions
from lineman.gateway.wire.history_page import HistoryPage
from lineman.gateway.wire.messages import Deliver

# (group, epoch, offset, message) -> what the members get.
Frame = Callable[[str, str, int, str | bytes], str | bytes]

SWEEP = 30.0


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
    """

    def __init__(self, options: HistoryOptions, clock: Callable[[], float]) -> None:
        self._options = options
        self._clock = clock
        self._groups: dict[str, GroupHistory] = {}
        self._swept_at = clock()

    def add(self, group: str, data: Any) -> Deliver:
        """Keeps a message; returns it with its place, for delivery to the members."""
        history = self._groups.get(group)
        if history is None:
            history = self._groups[group] = GroupHistory(self._options)
        offset = history.add(data, self._clock())
        return Deliver(data, group, history.epoch, offset)

    def since(self, group: str, epoch: str, offset: int) -> HistoryPage:
        """The messages after a place; see `GroupHistory.since`."""
        history = self._groups.get(group)
        if history is None:
            return HistoryPage("", 0, [], is_complete=not epoch)
        return history.since(epoch, offset, self._clock())

    def keep(self, is_kept: Callable[[str], bool]) -> None:
        """Forgets the groups of which `is_kept` is false."""
        self._groups = {group: history for group, history in self._groups.items() if is_kept(group)}

    def renew(self) -> None:
        """Begins a new epoch for all: messages may be missing behind those that are kept."""
        for history in self._groups.values():
            history.renew()

    def sweep(self) -> None:
        """Forgets groups whose messages are all too old; called every second."""
        now = self._clock()
        if now - self._swept_at < SWEEP:
            return
        self._swept_at = now
        self._groups = {
            group: history for group, history in self._groups.items() if history.expire(now)
        }
