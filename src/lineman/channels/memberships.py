"""Which channels are in which groups, and since when. Pure."""

from __future__ import annotations

from collections.abc import Iterable


class Memberships:
    """Channels by their groups; a membership ends after a time unless it is renewed.

    A channel may have a number with it, such as its capacity.
    """

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, tuple[float, int]]] = {}

    def add(self, group: str, channel: str, until: float, number: int = 0) -> None:
        """Adds a channel to a group, or renews its membership."""
        self._groups.setdefault(group, {})[channel] = (until, number)

    def drop(self, group: str, channel: str) -> bool:
        """Removes a channel from a group; returns whether the group is empty now, and was not."""
        members = self._groups.get(group)
        if members is None or members.pop(channel, None) is None or members:
            return False
        del self._groups[group]
        return True

    def of(self, group: str, now: float) -> list[tuple[str, int]]:
        """The channels of a group, each with its number."""
        members = self._groups.get(group)
        if members is None:
            return []
        if any(until <= now for until, _ in members.values()):
            members = {name: each for name, each in members.items() if each[0] > now}
            if members:
                self._groups[group] = members
            else:
                del self._groups[group]
        return [(channel, number) for channel, (_, number) in members.items()]

    def groups(self, now: float) -> list[str]:
        """The groups that have channels."""
        return [group for group in list(self._groups) if self.of(group, now)]

    def all(self, now: float) -> Iterable[tuple[str, str, float, int]]:
        """Each membership: the group, the channel, until when it lasts, and the number."""
        for group, members in self._groups.items():
            for channel, (until, number) in members.items():
                if until > now:
                    yield group, channel, until, number

    def clear(self) -> None:
        """Removes all channels from all groups."""
        self._groups.clear()
