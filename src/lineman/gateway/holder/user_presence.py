"""One node's part in the presence of users: what it tells, when it asks, and what it can answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lineman.errors import NotReachedError, RefusedError
from lineman.gateway.cluster.cluster import Cluster
from lineman.gateway.cluster.node_questions import Gathered
from lineman.gateway.cluster.paced_jobs import PacedJobs
from lineman.gateway.cluster.presence import homes_of
from lineman.gateway.cluster.presence_sync import PresenceSync
from lineman.gateway.holder.expected_uids import ExpectedUids
from lineman.gateway.holder.held_client import HeldClient
from lineman.gateway.holder.registry import Registry
from lineman.gateway.wire.messages import LinkQuestion
from lineman.gateway.wire.node_messages import (
    AskHeldUids,
    HeldUids,
    Hold,
    HomeWord,
    Release,
    SharedUids,
)

ASKED_OF_ALL = "is_uid_online"
ASKED_OF_HOME = "is_uid_held"

Told = Hold | Release | HeldUids | AskHeldUids | SharedUids | HomeWord


class UserPresence:
    """Keeps what this node knows of users up to date with the others.

    Args:
        node: this node.
        cluster: returns the other nodes; None before they are there, or where there are none.
        registry: the uids of the clients here.
        on_user: called with a uid and whether it is online now, once over all nodes.
        beat: seconds between two messages by which a node says that it lives.
        at_once: the largest number of uids in one message between nodes.

    Attributes:
        sync: what this node and the others tell each other.
        expected: users that were asked to connect again.
    """

    def __init__(
        self,
        node: str,
        cluster: Callable[[], Cluster | None],
        registry: Registry[HeldClient],
        on_user: Callable[[str, bool], None],
        beat: float,
        at_once: int,
    ) -> None:
        self._node = node
        self._cluster = cluster
        self._registry = registry
        self._beat = beat
        self._loop = asyncio.get_running_loop()
        self._asking_timer: asyncio.TimerHandle | None = None
        self._resync_timer: asyncio.TimerHandle | None = None
        self.expected = ExpectedUids(registry.uids, self._loop.time)
        self._jobs_paced = PacedJobs(self._tell, self._has_room)
        self.sync = PresenceSync(
            node,
            self.expected.with_held,
            self._jobs_paced.add,
            on_user,
            self._loop.time,
            self._tell,
            at_once,
        )

    def handlers(self) -> dict[Any, Callable[[Any], None]]:
        """The functions for messages of other nodes, by their types."""
        return {
            Hold: self.sync.on_hold,
            Release: self.sync.on_release,
            HeldUids: self.sync.on_held_uids,
            AskHeldUids: self.sync.on_ask_held_uids,
            HomeWord: self.sync.on_home_word,
            SharedUids: self.sync.on_shared_uids,
        }

    def stop(self, *, is_alone: bool) -> None:
        """Tells and asks nothing more.

        Args:
            is_alone: whether no node stays that would report the users who are expected.
        """
        if is_alone and (left := self.expected.late(all_of_them=True)):
            self.sync.note([], left)
        for timer in (self._asking_timer, self._resync_timer):
            if timer is not None:
                timer.cancel()
        self._jobs_paced.stop()

    def _has_room(self) -> bool:
        cluster = self._cluster()
        return cluster is None or cluster.broker.has_room

    def _tell(self, node: str, message: Told) -> None:
        cluster = self._cluster()
        if cluster is not None:
            cluster.tell(node, message)

    # Users here.

    def note(self, gained: list[str], lost: list[str], *, is_ending: bool) -> None:
        """Tells the homes which topics this node has begun and ceased to hold.

        Args:
            gained: the topics that have clients here now.
            lost: those that have none any more.
            is_ending: whether this process is stopping: then nobody is expected.
        """
        self.sync.note(gained, lost if is_ending else self.expected.gone(gained, lost))

    def sweep(self) -> None:
        """Takes those offline that are not back in time; called every second."""
        if late := self.expected.late():
            self.sync.note([], late)
        self.sync.sweep()

    # What may be out of date.

    def on_nodes(self, nodes: list[str]) -> None:
        """Nodes have come or gone."""
        self.sync.set_nodes(nodes)
        if self._asking_timer is None:
            # Finds what crossed this change, and uids of a node that was lost for a while.
            self._asking_timer = self._loop.call_later(self._beat, self._ask_all)

    def _ask_all(self) -> None:
        self._asking_timer = None
        cluster = self._cluster()
        # While the broker is away nobody hears it; they are asked when it is back.
        if cluster is not None and cluster.broker.is_connected:
            cluster.tell_all(AskHeldUids(self._node))

    def on_missed(self, was_away: bool) -> None:
        """Messages may have been lost in either direction, perhaps because the broker was away."""
        self.sync.doubt()
        if not was_away:
            self._resync()
        elif self._resync_timer is None:
            # The others may reach the broker a moment later, and would miss it.
            self._resync_timer = self._loop.call_later(self._beat, self._resync)

    def _resync(self) -> None:
        self._resync_timer = None
        cluster = self._cluster()
        if cluster is not None:
            cluster.tell_all(AskHeldUids(self._node))
            self.sync.tell_held_uids()

    # Answers.

    def is_here_only(self, uid: str) -> bool:
        """Whether clients of a user are here, and nowhere else."""
        is_only = self.sync.elsewhere.is_here_only(uid)
        return is_only and bool(self._registry.members_of_uid(uid))

    async def ask(self, asked: LinkQuestion, cluster: Cluster) -> Gathered | None:
        """The answer of the home of a uid; None if all nodes must be asked.

        The home may not know it yet, or not any more.
        """
        if asked.what != ASKED_OF_ALL:
            return None
        uid = asked.names[0]
        if self._registry.members_of_uid(uid):
            return Gathered(True)
        if not cluster.broker.is_connected:
            return None
        if homes_of(uid, cluster.nodes)[0] == self._node:
            is_held = self.sync.knows(uid)
        else:
            try:
                is_held = (await cluster.ask(LinkQuestion(0, ASKED_OF_HOME, (uid,)))).value
            except (NotReachedError, RefusedError):  # it hangs, or runs an older version
                return None
        if is_held is None:
            return None
        return Gathered(is_held, () if is_held else cluster.unheard())
