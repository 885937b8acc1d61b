"""What was refused of processes whose clocks seem to be behind, until they are heard. Pure.

A process that was never heard of must not begin with an old message: somebody may have recorded it.
If the process lives, its clock is behind. It hears the time in an answer and is heard from then on,
and then what was refused before counts as missing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple

# Processes that are remembered, and messages of each; more messages are only counted.
STRANGERS = 50
MESSAGES = 2_000
# Seconds between two answers to the same process.
ANSWER_AGAIN = 0.2


class RefusedMessages(NamedTuple):
    """What was refused of a process that is heard now.

    Attributes:
        sender: the process.
        topics: a topic by number.
        more: further messages, whose topics were not kept.
    """

    sender: str
    topics: dict[int, str]
    more: int


@dataclass(slots=True)
class _Stranger:
    answered_at: float
    topics: dict[int, str] = field(default_factory=dict)
    more: int = 0


class RefusedStrangers:
    """The processes of which only old messages have come."""

    def __init__(self) -> None:
        self._strangers: OrderedDict[str, _Stranger] = OrderedDict()

    def wants_answer(self, sender: str, now: float) -> bool:
        """Notes that a message of a process was refused.

        Returns:
            Whether the process is to be told the time: at most once in `ANSWER_AGAIN`.
        """
        stranger = self._strangers.get(sender)
        if stranger is None:
            self._strangers[sender] = _Stranger(now)
            if len(self._strangers) > STRANGERS:
                self._strangers.popitem(last=False)
            return True
        if now - stranger.answered_at < ANSWER_AGAIN:
            return False
        stranger.answered_at = now
        return True

    def note(self, sender: str, number: int, topic: str) -> None:
        """Notes a refused message that counts as missing if its sender is heard later."""
        stranger = self._strangers.get(sender)
        if stranger is None or number in stranger.topics:
            return
        if len(stranger.topics) < MESSAGES:
            stranger.topics[number] = topic
        else:
            stranger.more += 1

    def take_heard(self, heard: Container[str]) -> list[RefusedMessages]:
        """What was refused of the processes that are heard now; each time only once."""
        found = [sender for sender in self._strangers if sender in heard]
        taken = ((sender, self._strangers.pop(sender)) for sender in found)
        return [RefusedMessages(sender, one.topics, one.more) for sender, one in taken]
