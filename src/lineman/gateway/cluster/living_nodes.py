"""Which other nodes live, by their beats, and whether they count this one as gone. Pure."""

from __future__ import annotations

from collections.abc import Iterator

# Seconds for which a node that was lost may still hold clients: a network that is cut in two for
# longer is known to its operators. After that it counts as ended.
MAX_ABSENCE = 300.0
# The number of lost nodes that are remembered.
REMEMBERED = 1000


class LivingNodes:
    """What a node knows of the others from the clock.

    Args:
        silence: seconds without a beat after which a node counts as gone.
        now: seconds on a clock that only goes forward, as everywhere here.
    """

    def __init__(self, silence: float, now: float) -> None:
        self._silence = silence
        self._heard: dict[str, float] = {}  # the time of the last beat of each
        # They did not stop normally, and may come back; with the time at which they were lost.
        self._lost: dict[str, float] = {}
        self._looked_at = now
        self._echoed = 0.0  # when this node last received one of its own messages

    def __contains__(self, node: str) -> bool:
        return node in self._heard

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._heard))

    def on_beat(self, node: str, now: float) -> bool:
        """Notes a beat; returns whether the node was not known to live."""
        is_new = node not in self._heard
        self._heard[node] = now
        return is_new

    def take_back(self, node: str) -> bool:
        """Whether a node lives again that had not stopped normally; true only once."""
        return self._lost.pop(node, None) is not None

    def on_end(self, node: str, was_lost: bool, now: float) -> None:
        """Notes that a living node is gone.

        Args:
            node: which.
            was_lost: whether it went without having stopped normally.
            now: the time.
        """
        del self._heard[node]
        if was_lost:
            self._lost[node] = now
            if len(self._lost) > REMEMBERED:
                del self._lost[next(iter(self._lost))]

    def away(self, now: float) -> list[str]:
        """The nodes that were lost within `MAX_ABSENCE`: perhaps they still hold clients."""
        return [node for node, lost in self._lost.items() if now - lost <= MAX_ABSENCE]

    def give_up(self, node: str) -> None:
        """Notes that a lost node has really ended, with its clients."""
        self._lost.pop(node, None)

    def silent(self, now: float | None) -> list[str]:
        """The nodes that count as gone now.

        Args:
            now: None for a node that receives its own messages as well: if these do not come
                either, the broker is away, and silence says nothing about the others.
        """
        until = self._echoed if now is None else now
        return [node for node, heard in self._heard.items() if until - heard > self._silence]

    def listen_anew(self, now: float) -> None:
        """Counts silence from now on: nothing could be heard before."""
        self._echoed = now
        self._heard = dict.fromkeys(self._heard, now)

    def on_echo(self, now: float) -> bool:
        """Notes that this node received its own beat.

        Returns:
            Whether none came for so long that the others may count this node as gone.
        """
        was_silent = now - self._echoed > self._silence
        if was_silent:
            self.listen_anew(now)
        self._echoed = now
        return was_silent

    def pause(self, now: float) -> float:
        """Seconds since the last call; 0 if they are too few to count as gone for the others."""
        pause, self._looked_at = now - self._looked_at, now
        return pause if pause > self._silence else 0.0
