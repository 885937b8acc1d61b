"""Hands the histories of a node that stops over to their next homes, and takes such ones over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from lineman.gateway.cluster.presence import homes_of
from lineman.gateway.holder.group_histories import Histories
from lineman.gateway.wire.node_messages import HandedGroup, HandOver

logger = logging.getLogger("lineman")

# Bytes in one message to another node, approximately; each group counts for some more.
PART = 200_000
GROUP = 100
# Seconds after which the rest is not handed over: it begins a new epoch elsewhere.
PATIENCE = 3.0
STEP = 0.005
# Groups that are remembered as taken over.
REMEMBERED = 100_000
# Groups that a line of the log names.
SHOWN = 5

Kept = tuple[str, str, int, list[tuple[float, int, str | bytes]]]


def handed(
    node: str, histories: Iterable[Kept], heirs: Sequence[str], size: int = PART
) -> Iterator[tuple[str, HandOver]]:
    """The messages that hand histories over, each with the node that gets it. Pure.

    Args:
        node: the node that stops.
        histories: each group with its epoch, its last offset and its kept messages.
        heirs: the other nodes, at least one.
        size: bytes of a message, approximately; one that was kept is never divided.
    """
    waiting: dict[str, list[HandedGroup]] = {}
    sizes: dict[str, int] = {}
    for group, epoch, offset, messages in histories:
        heir = homes_of(group, heirs)[0]
        for part, is_last in _parts(messages, size):
            found = waiting.setdefault(heir, [])
            found.append((group, epoch, offset, tuple(part), is_last))
            weight = GROUP + sum(GROUP + len(data) for _, _, data in part)
            sizes[heir] = sizes.get(heir, 0) + weight
            if sizes[heir] >= size:
                yield heir, HandOver(node, tuple(found))
                found.clear()
                sizes[heir] = 0
    for heir, found in waiting.items():
        if found:
            yield heir, HandOver(node, tuple(found))


def _parts(
    messages: list[tuple[float, int, str | bytes]], size: int
) -> Iterator[tuple[list[tuple[float, int, str | bytes]], bool]]:
    part: list[tuple[float, int, str | bytes]] = []
    weight = 0
    for message in messages:
        if part and weight + len(message[2]) > size:
            yield part, False
            part, weight = [], 0
        part.append(message)
        weight += len(message[2])
    yield part, True


class HistoryHandover:
    """One node's part in handing histories over.

    Args:
        node: the name of this process.
        kept: its histories.
        tell: sends a message to another node.
        has_room: whether more can be sent without being dropped.
    """

    def __init__(
        self,
        node: str,
        kept: Histories,
        tell: Callable[[str, HandOver], None],
        has_room: Callable[[], bool],
    ) -> None:
        self._node = node
        self._kept = kept
        self._tell = tell
        self._has_room = has_room
        self._taken: dict[str, str] = {}  # epochs of groups that were taken over
        self._unfinished: set[str] = set()

    async def give(self, nodes: Sequence[str]) -> None:
        """Hands everything over to the other nodes; what is published from now on is theirs."""
        heirs = [node for node in nodes if node != self._node]
        if not heirs:
            return
        loop = asyncio.get_running_loop()
        late_at = loop.time() + PATIENCE
        messages = handed(self._node, list(self._kept.all()), heirs)
        for heir, message in messages:
            while not self._has_room() and loop.time() < late_at:
                await asyncio.sleep(STEP)
            if loop.time() >= late_at:
                _tell_rest([message, *(message for _, message in messages)])
                return
            self._tell(heir, message)
            await asyncio.sleep(0)

    def take(self, message: HandOver, nodes: Sequence[str]) -> list[str]:
        """Takes histories over; returns the groups whose history is not whole."""
        others = [node for node in nodes if node != message.origin]
        broken = []
        for group, epoch, offset, messages, is_last in message.groups:
            if not others or homes_of(group, others)[0] != self._node:
                continue
            if not all(isinstance(data, (str, bytes)) for _, _, data in messages):
                continue
            is_ours = self._kept.take_over(group, epoch, offset, messages, is_last)
            if is_ours and not is_last:
                self._unfinished.add(group)
                continue
            self._unfinished.discard(group)
            if is_ours:
                self._taken[group] = epoch
            elif self._kept.epoch_of(group) == epoch:
                broken.append(group)
        while len(self._taken) > REMEMBERED:
            del self._taken[next(iter(self._taken))]
        return broken

    def unfinished(self) -> list[str]:
        """The groups of which parts are missing, now that their home is gone; each only once."""
        found, self._unfinished = list(self._unfinished), set()
        return found

    def goes_on(self, group: str, epoch: str) -> bool:
        """Whether an epoch of another node goes on here without a gap."""
        return self._taken.get(group) == epoch and self._kept.epoch_of(group) == epoch


def _tell_rest(messages: Iterable[HandOver]) -> None:
    """Says which histories were not handed over in time."""
    groups = list(dict.fromkeys(group for message in messages for group, *_ in message.groups))
    more = f" and {len(groups) - SHOWN} more" if len(groups) > SHOWN else ""
    logger.warning(
        "the histories of %d groups were not handed over within %g s, because the broker is away "
        "or reads too slowly; they begin a new epoch elsewhere, and their members are notified of "
        "a gap: %s%s",
        len(groups), PATIENCE, ", ".join(f"{group:.60}" for group in groups[:SHOWN]), more,
    )  # fmt: skip
