"""The messages of a group that a client has missed, as a program gets them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class KeptMessage(NamedTuple):
    """One message and its place in the history."""

    offset: int
    data: str | bytes


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """The messages that a client has missed.

    Attributes:
        epoch: the name of the history to which the offsets belong; a new history has a new one.
        offset: the offset of the last message; 0 before the first.
        missed: the messages after the given place, the oldest first.
        is_complete: whether none is missing; if not, the client must start anew.
    """

    epoch: str
    offset: int
    missed: list[KeptMessage]
    is_complete: bool
