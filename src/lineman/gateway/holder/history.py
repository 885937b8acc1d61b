"""The last messages of a group, for clients that were away. Pure."""

from __future__ import annotations

import math
import secrets
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from lineman.base import option_kinds
from lineman.base.option_kinds import BYTES, COUNT, FLAG, SECONDS, option
from lineman.gateway.wire.history_page import HistoryPage, KeptMessage


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """How much is kept of each group.

    Raises:
        ConfigError: a value that cannot work.
    """

    messages: int = option(100, COUNT)
    """The largest number of kept messages."""
    seconds: float = option(300.0, SECONDS)
    """The greatest age of a kept message, in seconds."""
    max_bytes: int = option(1024 * 1024, BYTES)
    """The largest size of all kept messages of a group together: bytes, or characters of text."""

    durable: bool = option(False, FLAG)
    """Whether the broker keeps the messages (Redis, or NATS with JetStream), over restarts of all
    processes; if not, they are in the memory of the gateway processes."""

    def __post_init__(self) -> None:
        option_kinds.check(HistoryOptions, self, whose=" of history")


def new_epoch() -> str:
    """A name for an epoch that no other has or had."""
    return secrets.token_hex(8)


class GroupHistory:
    """The last messages of one group.

    Args:
        options: how much is kept.

    Attributes:
        epoch: its name.
        offset: the offset of the last message.
        is_given: whether somebody may have a place of this epoch.
    """

    __slots__ = ("_kept", "_options", "_size", "epoch", "is_given", "offset")

    def __init__(self, options: HistoryOptions) -> None:
        self._options = options
        self._kept: deque[tuple[float, KeptMessage]] = deque()
        self._size = 0
        self.epoch = new_epoch()
        self.offset = 0
        self.is_given = False

    def add(self, data: str | bytes, now: float) -> int:
        """Keeps a message; returns its offset: one more than that of the message before."""
        offset = self.offset = self.offset + 1
        self.is_given = True
        kept, options = self._kept, self._options
        size = self._size = self._size + len(data)
        kept.append((now, KeptMessage(offset, data)))
        if (
            len(kept) > options.messages
            or size > options.max_bytes
            or now - kept[0][0] > options.seconds
        ):
            self.expire(now)
        return offset

    def kept(self, now: float) -> list[tuple[float, int, str | bytes]]:
        """The kept messages, each with its age in seconds and its offset."""
        self.expire(now)
        return [(now - at, one.offset, one.data) for at, one in self._kept]

    def take_over(self, messages: Iterable[tuple[float, int, str | bytes]], now: float) -> None:
        """Takes messages of this epoch from the history that it continues.

        Args:
            messages: some of its messages, as `kept` gives them; behind a gap only the later ones
                are kept, so that no page is complete across it.
            now: seconds, by the clock of `add`.
        """
        for age, number, data in messages:
            if self._kept and self._kept[-1][1].offset != number - 1:
                self._kept.clear()
                self._size = 0
            self._kept.append((now - age, KeptMessage(number, data)))
            self._size += len(data)

    @property
    def is_whole(self) -> bool:
        """Whether the last message is kept, if any is."""
        return not self._kept or self._kept[-1][1].offset == self.offset

    def renew(self) -> bool:
        """Begins a new epoch: no place of the old one is complete any more.

        Returns:
            Whether the epoch is another one; if nobody has a place in it, it goes on.
        """
        if not self.is_given:
            return False
        self.epoch = new_epoch()
        self.is_given = False
        return True

    @property
    def kept_at(self) -> float:
        """The time of the last message; minus infinity without one."""
        return self._kept[-1][0] if self._kept else -math.inf

    def expire(self, now: float) -> bool:
        """Drops messages that are too many, too large or too old; returns whether any are left."""
        kept, options = self._kept, self._options
        while kept and (
            len(kept) > options.messages
            or now - kept[0][0] > options.seconds
            or self._size > options.max_bytes
        ):
            self._size -= len(kept.popleft()[1].data)
        return bool(kept)

    def since(self, epoch: str, offset: int, now: float) -> HistoryPage:
        """The kept messages after a place.

        Args:
            epoch: the epoch of the place; empty for all that is kept.
            offset: the offset of the last message that the client has.
            now: seconds, by the clock of `add`.
        """
        self.expire(now)
        self.is_given = True
        first = self._kept[0][1].offset if self._kept else self.offset + 1
        if not epoch:
            offset, is_complete = 0, True
        else:
            is_complete = epoch == self.epoch and first - 1 <= offset <= self.offset
        missed = [one for _, one in self._kept if one.offset > offset] if is_complete else []
        return HistoryPage(self.epoch, self.offset, missed, is_complete)
