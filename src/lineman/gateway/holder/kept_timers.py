"""Keeps named timers in a gateway process, and has business workers call them, at least once.

Each timer has two homes among the nodes, as users and histories have. The first home has it called,
and the second one has a copy: it becomes the first one when that dies. A call that a worker has not
reported as done when it dies is given to another one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from lineman.base.loglimit import LogLimit
from lineman.gateway.cluster.cluster import Cluster
from lineman.gateway.cluster.paced_jobs import Job, PacedJobs
from lineman.gateway.cluster.timer_homes import check_timer, for_homes, timer_homes
from lineman.gateway.holder.timer_table import KeptTimer, TimerTable, following
from lineman.gateway.wire.node_messages import AskTimers, DropTimer, KeepTimer
from lineman.gateway.wire.timer_messages import (
    CancelTimer,
    SetTimer,
    TimerDone,
    TimerDue,
    TimerOrder,
    TimersFull,
)
from lineman.gateway.wire.versions import TIMERS_SINCE
from lineman.links.link import Link
from lineman.scheduling.owned_tasks import counted

logger = logging.getLogger("lineman")

# A call is dropped after this number of workers in a row have died with it.
MAX_DEATHS = 3
# A timer whose function no worker knows is tried again after so many seconds, and so often: while
# new code is put in place, some workers do not have it yet.
UNKNOWN_PAUSE = 5.0
MAX_UNKNOWN = 12
# Seconds after which the copy of a call is dropped that its first home, which lives, has made.
COPY_TIME = 60.0
# Seconds for which a node keeps a timer that has other homes now: the message to them may be lost,
# and they ask for it then.
LEAVING_TIME = 10.0
# Seconds before a node asks the others: those that were cut off too are back by then.
ASK_PAUSE = 0.5
# Timers that are handled in one turn of the event loop.
AT_ONCE = 500


class KeptTimers:
    """The timers of one gateway process.

    Args:
        node: the name of this process.
        worker_for: the link to the worker that calls a timer, by its key; None while there is none.
        links: all links that understand timers.
        table: where the timers are kept.

    Attributes:
        cluster: the other nodes; None if there are none.
        refused: timers that found no room.
        dropped: calls that were given up.
        link_handlers: functions for messages of links, by type.
        node_handlers: functions for messages of other nodes, by type.
    """

    def __init__(
        self,
        node: str,
        worker_for: Callable[[str], Link | None],
        links: Callable[[], Iterable[Link]],
        table: TimerTable | None = None,
    ) -> None:
        self._node = node
        self._worker_for = worker_for
        self._links = links
        self._table = TimerTable() if table is None else table
        self._loop = asyncio.get_running_loop()
        self._log = LogLimit(logger)
        self._running: dict[str, tuple[KeptTimer, Link]] = {}
        self._waiting: dict[KeptTimer, None] = {}  # they are due, and there is no worker
        self._retiring: set[Link] = set()
        self._copies: dict[KeptTimer, None] = {}  # they are due, and another node has them called
        self._handle: asyncio.TimerHandle | None = None
        self._asking: asyncio.TimerHandle | None = None
        self._leaving: dict[KeptTimer, float] = {}  # they have other homes since then
        self._will_move = False
        self._was_full = False
        self._jobs = PacedJobs(self._tell, self._has_room)
        self.cluster: Cluster | None = None
        self.refused = self.dropped = 0
        self.link_handlers: dict[Any, Callable[[Link, Any], None]] = {
            SetTimer: self._on_order,
            CancelTimer: self._on_order,
            TimerDone: self._on_done,
        }
        self.node_handlers: dict[Any, Callable[[Any], None]] = {
            KeepTimer: self._on_keep,
            DropTimer: self._on_drop,
            AskTimers: self._on_ask,
        }

    def __len__(self) -> int:
        return len(self._table)

    @property
    def running(self) -> int:
        """How many calls workers have now."""
        return len(self._running)

    def stop(self) -> None:
        """Has no more timers called; the other homes do, once they know that this node ends."""
        lost = [timer.name for timer in self._table if self._homes(timer.key) == (self._node,)]
        if lost:
            text = (
                "%d named timers end with this process, since no other gateway process keeps them: "
                "%s; fix: gateways=2, or another machine, keeps them while one process ends"
            )
            kind = "timers that end with their process"
            self._log.log(logging.WARNING, kind, text, len(lost), counted(lost))
        self._jobs.stop()
        for handle in (self._handle, self._asking):
            if handle is not None:
                handle.cancel()

    # What is kept, and where.

    def _homes(self, key: str) -> tuple[str, ...]:
        if self.cluster is None or not self.cluster.broker.is_connected:
            return (self._node,)
        return timer_homes(self.cluster, key, self._node)

    def _tell(self, node: str, message: Any) -> None:
        if self.cluster is not None:
            self.cluster.tell(node, message)

    def _has_room(self) -> bool:
        return self.cluster is None or self.cluster.broker.has_room

    def _on_order(self, link: Link, order: TimerOrder) -> None:
        now = 0 if self.cluster is None else self.cluster.channel.clock.now()
        told = for_homes(self._node, order, now)
        for home in self._homes(order.key):
            if home != self._node:
                self._tell(home, told)
            elif isinstance(told, KeepTimer):
                self._keep(told)
            else:
                self._on_drop(told)

    def _on_keep(self, told: KeepTimer) -> None:
        check_timer(told)
        self._keep(told)

    def _keep(self, told: KeepTimer) -> None:
        before = self._table.get(told.key)
        if before is not None:
            is_older = not told.is_new and before.stamp >= told.set_at
            if before.id == told.id or is_older:
                return
        homes = self._homes(told.key)
        if self._node not in homes:  # the sender knows other nodes than this one: better twice
            homes = (self._node, *homes[:1])
        due = self._loop.time() + told.seconds
        timer = KeptTimer(
            told.key, told.id, told.name, told.args, due, told.interval, told.set_at, homes
        )
        if not self._table.put(timer):
            self.refused += 1
            text = "%d timers are kept in this process, and no more: %s was refused"
            kind = "timers that found no room"
            self._log.log(logging.ERROR, kind, text, len(self._table), told.name)
        if before is not None:
            self._forget(before)
        self._after_change()

    def _on_drop(self, told: DropTimer) -> None:
        timer = self._table.drop(told.key, told.id)
        if timer is not None:
            self._forget(timer)
            self._after_change()

    def _forget(self, timer: KeptTimer) -> None:
        self._waiting.pop(timer, None)
        self._copies.pop(timer, None)
        self._leaving.pop(timer, None)

    def _after_change(self) -> None:
        is_full = self._table.is_full
        if is_full is not self._was_full:
            self._was_full = is_full
            for link in self._links():
                link.post(TimersFull(is_full))
        self._arm()

    def greet(self, link: Link) -> None:
        """Tells a new link whether there is room; a worker gets the calls that wait for one."""
        if self._was_full:
            link.post(TimersFull(True))
        self._give_waiting()

    def rehome(self) -> None:
        """Nodes have come or gone: gives the timers to their new homes."""
        if len(self._table) and not self._will_move:
            self._will_move = True
            self._jobs.add(self._moves())

    def _moves(self) -> Job:
        self._will_move = False
        for timer in self._table:
            homes = self._homes(timer.key)
            is_under_way = not timer.interval and (timer.is_running or timer in self._waiting)
            if timer.is_gone or homes == timer.homes or is_under_way:
                yield None
                continue
            before, timer.homes = timer.homes, homes
            for home in homes:
                if home not in before and home != self._node:
                    yield home, self._copy(timer)
            if self._node not in homes:
                self._leaving[timer] = self._loop.time()
            else:
                self._leaving.pop(timer, None)
                if timer in self._copies and homes[0] == self._node:
                    del self._copies[timer]
                    self._give(timer)
            yield None

    def _copy(self, timer: KeptTimer) -> KeepTimer:
        left = timer.due - self._loop.time()
        return KeepTimer(
            self._node, timer.key, timer.id, timer.name, timer.args, left, timer.interval,
            timer.stamp, False,
        )  # fmt: skip

    def ask(self) -> None:
        """Asks the other nodes for timers, soon: messages may have been lost, in any direction."""
        if self._asking is None:
            self._asking = self._loop.call_later(ASK_PAUSE, self._ask)

    def _ask(self) -> None:
        self._asking = None
        self.rehome()
        cluster = self.cluster
        if cluster is None:
            return
        for node in cluster.nodes:
            if node != self._node and cluster.versions.of(node) >= TIMERS_SINCE:
                cluster.tell(node, AskTimers(self._node))

    def _on_ask(self, asked: AskTimers) -> None:
        if len(self._table):
            self._jobs.add(self._copies_for(asked.origin))

    def _copies_for(self, node: str) -> Job:
        for timer in self._table:
            is_wanted = not timer.is_gone and node in timer.homes
            yield (node, self._copy(timer)) if is_wanted else None

    # Calls.

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        due = self._table.next_due
        self._handle = None if due is None else self._loop.call_at(due, self._wake)

    def _wake(self) -> None:
        now = self._loop.time()
        for _ in range(AT_ONCE):
            timer = self._table.take_due(now)
            if timer is None:
                break
            self._come_due(timer, now)
        self._arm()

    def _come_due(self, timer: KeptTimer, now: float) -> None:
        if timer.interval:
            self._table.schedule(timer, following(timer, now))
        if timer.homes[0] == self._node:
            if not timer.is_running and timer not in self._waiting:
                self._give(timer)
        elif not timer.interval:
            self._copies[timer] = None

    def _give(self, timer: KeptTimer) -> None:
        link = self._worker_for(timer.key)
        if link is None:
            self._waiting[timer] = None
            return
        timer.is_running = True
        self._running[timer.id] = (timer, link)
        link.post(TimerDue(timer.id, timer.name, timer.args), len(timer.args))

    def _give_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for timer in waiting:
            self._give(timer)

    def _take_back(self, id: str, link: Link) -> KeptTimer | None:
        """The timer that a link had; None if that is over."""
        timer, caller = self._running.get(id, (None, None))
        if timer is None or caller is not link:
            return None
        del self._running[id]
        timer.is_running = False
        return timer

    def _on_done(self, link: Link, done: TimerDone) -> None:
        timer = self._take_back(done.id, link)
        if timer is None:
            return
        timer.deaths = 0
        if done.is_unknown:
            self._on_unknown(timer)
            return
        timer.unknown = 0
        if not timer.interval:
            self._finish(timer)

    def _finish(self, timer: KeptTimer) -> None:
        told = DropTimer(self._node, timer.key, timer.id)
        self._on_drop(told)
        for home in self._homes(timer.key):
            if home != self._node:
                self._tell(home, told)

    def _on_unknown(self, timer: KeptTimer) -> None:
        timer.unknown += 1
        if timer.unknown >= MAX_UNKNOWN:
            self._give_up(timer, "no worker knows this function")
            self._finish(timer)
        elif not timer.is_gone:
            again = self._loop.time() + UNKNOWN_PAUSE
            if not timer.interval:
                self._table.schedule(timer, again)
            elif timer.due < again:
                self._table.schedule(timer, following(timer, again))
            self._arm()

    def _give_up(self, timer: KeptTimer, why: str) -> None:
        self.dropped += 1
        text = "the call of the timer %s (key %s) is given up: %s"
        self._log.log(logging.ERROR, f"timers: {why}", text, timer.name, timer.key, why)

    def retire(self, link: Link) -> None:
        """A worker retires: the calls that it cuts off say nothing against their functions."""
        self._retiring.add(link)

    def leave(self, link: Link) -> None:
        """A link is over: other workers get the calls that it had."""
        died = link not in self._retiring
        self._retiring.discard(link)
        for id in [id for id, (_, caller) in self._running.items() if caller is link]:
            timer = self._take_back(id, link)
            if timer is None or timer.is_gone:
                continue
            timer.deaths += died
            if timer.deaths < MAX_DEATHS:
                self._give(timer)
                continue
            timer.deaths = 0
            self._give_up(timer, f"{MAX_DEATHS} workers in a row have died with it")
            if not timer.interval:
                self._finish(timer)

    def sweep(self) -> None:
        """Tries again what waits, and drops copies of calls that were made; called every second."""
        self._give_waiting()
        now = self._loop.time()
        for timer in [each for each, since in self._leaving.items() if since < now - LEAVING_TIME]:
            self._on_drop(DropTimer(self._node, timer.key, timer.id))
        late = now - COPY_TIME
        for timer in [timer for timer in self._copies if timer.due < late]:
            self._on_drop(DropTimer(self._node, timer.key, timer.id))
