"""Durable histories: the broker keeps them, and gives each message its place."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lineman.base.cancellation import is_cancelled_itself
from lineman.base.loglimit import LogLimit
from lineman.brokers.broker_address import explain
from lineman.brokers.history_store import HistoryStore
from lineman.brokers.signing import Signer
from lineman.errors import NotReachedError
from lineman.gateway.holder.history_gaps import HistoryGaps
from lineman.gateway.holder.home_histories import HomeCalls
from lineman.gateway.wire.history_page import HistoryPage, KeptMessage
from lineman.gateway.wire.messages import Deliver
from lineman.gateway.wire.node_messages import GapKind, GapSeen

logger = logging.getLogger("lineman")

# What may wait to be kept; more is dropped and counted.
MAX_WAITING = 10_000
MAX_WAITING_BYTES = 8 * 1024 * 1024
# Messages that are given to the store at once, and groups among them at the same time.
AT_ONCE = 200
GROUPS_AT_ONCE = 8
# Groups of which the epoch is remembered, to tell the program when it ends.
REMEMBERED = 10_000
# Seconds between attempts to find out whether the store works, while it does not.
RETRY = 5.0
# Seconds for what waits when the process ends.
LAST = 5.0

TEXT, BINARY = b"t", b"b"


class _Waiting(NamedTuple):
    """A message that waits to be kept.

    Attributes:
        data: the message.
        sealed: the same, signed.
        kept: gets why it is not kept, empty if it is; None if nobody wants to know.
    """

    data: str | bytes
    sealed: bytes
    kept: asyncio.Future[str] | None

    def settle(self, why: str = "") -> None:
        """Tells whether it is kept, by why it is not."""
        if self.kept is not None and not self.kept.done():
            self.kept.set_result(why)


class DurableHistories:
    """Keeps what is published to the groups whose home this node is, and then delivers it.

    A message is delivered when the store has given it its place. What the store does not take is
    not sent either, and is counted: so no page is complete with a message missing that members got.

    Args:
        store: keeps the messages.
        signer: signs them, so that nobody without the secret can put one into a history.
        calls: how it reaches the rest of the node.

    Attributes:
        gaps: watches what the members on this node get.
        lost: messages that were published, and neither kept nor sent.
        taken: messages that wait, and all before them.
        settled: those that the store has, or that were counted as lost.
        trouble: why the store takes nothing, as text; empty while it does.
    """

    def __init__(self, store: HistoryStore, signer: Signer, calls: HomeCalls) -> None:
        self._store = store
        self._signer = signer
        self._calls = calls
        self._log = LogLimit(logger)
        self.gaps = HistoryGaps(
            calls.node, calls.home_of, calls.tell_node, self._on_seen, calls.on_gap, calls.later
        )
        self.lost = self.taken = self.settled = 0
        self.trouble = ""
        self._epochs: OrderedDict[str, str] = OrderedDict()
        self._waiting: deque[tuple[str, _Waiting]] = deque()
        self._waiting_bytes = 0
        self._has_work = asyncio.Event()
        self._is_in_doubt = asyncio.Event()  # whether the store works
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._was_lost = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins to keep messages."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._work()), loop.create_task(self._look())]

    async def stop(self) -> None:
        """Keeps what was published, then ends."""
        try:
            await asyncio.wait_for(self._is_idle.wait(), LAST)
        except TimeoutError:
            self._lose([one for _, one in self._waiting], "the process has ended before")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._store.close()
        except Exception as error:  # of its library: everything is kept, and the node must end
            self._log.exception(error, "the connection to the durable histories did not close")

    async def _look(self) -> None:
        """Finds out at the start whether the store works, and when it works again."""
        while True:
            self._is_in_doubt.clear()
            try:
                await self._store.check()
            except (Exception, asyncio.CancelledError) as error:  # the libraries raise many types
                if is_cancelled_itself():
                    raise
                self._note_trouble(error)
            else:
                self._note_success()
            await asyncio.sleep(RETRY)
            await self._is_in_doubt.wait()

    def _note_trouble(self, error: BaseException) -> str:
        why = explain(error)
        self._is_in_doubt.set()
        if not self.trouble:
            text = "durable histories are not kept, and their messages not sent: %s: %s"
            kind = "the state of durable histories"
            self._log.log(logging.WARNING, kind, text, self._store.shown, why)
        self.trouble = why
        return why

    def _note_success(self) -> None:
        if self.trouble:
            kind = "the state of durable histories"
            self._log.log(logging.INFO, kind, "durable histories are kept again")
        self.trouble = ""

    # Publishing.

    def publish(self, group: str, data: Any) -> None:
        """Keeps a message of a group whose home is this node, and delivers it to all members."""
        self._take(group, data, None)

    async def keep(self, group: str, data: Any) -> None:
        """The same; it returns when the message is kept.

        Raises:
            NotReachedError: it is neither kept nor delivered.
        """
        kept: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._take(group, data, kept)
        if why := await kept:
            raise NotReachedError(
                f"the message for {group!r} was neither kept nor sent: {self._store.shown}: {why}",
                "send it again later",
            )

    def _take(self, group: str, data: Any, kept: asyncio.Future[str] | None) -> None:
        is_text = isinstance(data, str)
        content = (TEXT + data.encode()) if is_text else (BINARY + bytes(data))
        sealed = self._signer.sign(_topic(group), content)
        size = self._waiting_bytes + len(sealed)
        waiting = _Waiting(data, sealed, kept)
        if len(self._waiting) >= MAX_WAITING or size > MAX_WAITING_BYTES:
            self._lose([waiting], "too many wait, the store is too slow")
            return
        self._waiting.append((group, waiting))
        self.taken += 1
        self._waiting_bytes = size
        self._is_idle.clear()
        self._has_work.set()

    def _lose(self, its: Sequence[_Waiting], why: str) -> None:
        if its:
            self.lost += len(its)
            text = "%d messages of groups with durable histories were neither kept nor sent: %s"
            self._log.log(logging.ERROR, "messages that were not kept", text, len(its), why)
        for one in its:
            one.settle(why)

    async def _work(self) -> None:
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            while self._waiting:
                await self._keep_some()
            self._is_idle.set()

    async def _keep_some(self) -> None:
        groups: dict[str, list[_Waiting]] = {}
        for _ in range(min(AT_ONCE, len(self._waiting))):
            group, one = self._waiting.popleft()
            self._waiting_bytes -= len(one.sealed)
            groups.setdefault(group, []).append(one)
        limit = asyncio.Semaphore(GROUPS_AT_ONCE)
        await asyncio.gather(*(self._keep(group, its, limit) for group, its in groups.items()))
        self.settled += sum(map(len, groups.values()))

    async def _keep(self, group: str, its: list[_Waiting], limit: asyncio.Semaphore) -> None:
        try:
            async with limit:
                places = await self._store.append(group, [one.sealed for one in its])
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled_itself():
                self._lose(its, "the process has ended before the store had taken them")
                raise
            self._lose(its, self._note_trouble(error))  # the library may cancel what it awaits
            return
        self._note_success()
        for one, (epoch, offset) in zip(its, places, strict=True):
            self._note_epoch(group, epoch)
            try:
                self._calls.deliver(Deliver(one.data, group, epoch, offset))
            except Exception as error:  # of the program's `history_frame`
                self._log.exception(error, "a message with a place could not be delivered")
            one.settle()

    def _note_epoch(self, group: str, epoch: str) -> None:
        before = self._epochs.pop(group, epoch)
        self._epochs[group] = epoch
        if len(self._epochs) > REMEMBERED:
            self._epochs.popitem(last=False)
        if before != epoch:
            self.gaps.tell_all([(group, before, epoch)])

    # Pages.

    async def page(self, group: str, epoch: str, offset: int) -> HistoryPage:
        """The messages after a place, of any group.

        Raises:
            NotReachedError: the store does not answer.
        """
        try:
            found = await self._store.read(group, epoch, offset)
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled_itself():
                raise
            self._is_in_doubt.set()  # it may keep messages all the same
            why = explain(error)
            text = "a page of a durable history could not be read from %s: %s"
            self._log.log(logging.WARNING, "unread histories", text, self._store.shown, why)
            raise NotReachedError(
                f"the history of {group!r} is kept by {self._store.shown}, which does not give it: "
                f"{why}",
                "ask again when it is reached",
            ) from error
        if not found.epoch:
            return HistoryPage("", 0, [], is_complete=not epoch)
        missed = [
            KeptMessage(its_offset, data)
            for its_offset, sealed in found.entries
            if (data := self._open(group, sealed)) is not None
        ]
        is_complete = len(missed) == len(found.entries)
        if epoch:
            is_there = epoch == found.epoch and found.first - 1 <= offset <= found.offset
            is_complete = is_complete and is_there
            missed = missed if is_complete else []
        return HistoryPage(found.epoch, found.offset, missed, is_complete)

    def _open(self, group: str, sealed: bytes) -> str | bytes | None:
        """The message of an entry; None if it was not signed with the secret."""
        content = self._signer.verify(_topic(group), sealed)
        try:
            if content is not None:
                return content[1:].decode() if content[:1] == TEXT else content[1:]
        except UnicodeDecodeError:
            pass  # without a secret anybody may have written it
        where = self._store.shown
        text = "%s has a message in the history of %.80r that was not signed with the secret"
        self._log.log(logging.WARNING, "refused messages of histories", text, where, group)
        return None

    # Gaps.

    def on_nodes(self, nodes: list[str]) -> None:
        """The histories stay; only a home that was lost may have kept what it did not deliver."""
        was_lost, self._was_lost = self._was_lost, False
        self.gaps.on_nodes(nodes, is_news=was_lost)

    def on_gap(self) -> None:
        """A node was lost, or comes back; `on_nodes` follows."""
        self._was_lost = True

    def on_missed(self, was_away: bool) -> None:
        """Messages to or from this node may have been lost."""
        self.gaps.on_missed()

    def on_foreign(self, group: str) -> None:
        """Several nodes may deliver messages of one group: the store numbers them all."""

    def _on_seen(self, seen: GapSeen) -> None:
        if seen.kind is not GapKind.REPLACED:
            self.gaps.tell(seen, self._epochs.get(seen.group, seen.epoch))

    def sweep(self) -> None:
        """The store forgets by itself."""


def _topic(group: str) -> str:
    return f"history:{group}"


MakeStore = Callable[[], HistoryStore]
