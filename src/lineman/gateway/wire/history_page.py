"""What a client has missed of a group, as a program is told. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class KeptMessage(NamedTuple):
    """One message and its place."""

    offset: int
    data: str | bytes


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """What a client has missed.

    Attributes:
        epoch: says which history the offsets belong to: another one began if it is another.
        offset: of the last message; 0 before the first.
        missed: what came after the place that was asked for, oldest first.
        is_complete: whether that is all; if not, the client must start anew.
    """

    epoch: str
    offset: int
    missed: list[KeptMessage]
    is_complete: bool
