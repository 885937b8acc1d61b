"""Where an order or a question goes: to the clients here, to other nodes, or to a name's home."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import astuple
from typing import Any

from lineman.brokers.signing import Signer
from lineman.errors import ConfigError, NotReachedError, UsageError
from lineman.gateway.cluster.cluster import MEETING, Cluster, ClusterCalls
from lineman.gateway.cluster.node_questions import Gathered
from lineman.gateway.cluster.presence import homes_of
from lineman.gateway.holder.durable_histories import DurableHistories
from lineman.gateway.holder.held_client import HeldClient
from lineman.gateway.holder.history_gaps import OnHistoryGap
from lineman.gateway.holder.home_histories import HomeCalls, HomeHistories, KeepsHistories
from lineman.gateway.holder.kept_timers import KeptTimers
from lineman.gateway.holder.orders import Orders
from lineman.gateway.holder.questions import answer_of
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.holder.user_presence import ASKED_OF_HOME, UserPresence
from lineman.gateway.wire import names
from lineman.gateway.wire.kept_data import decode_kept
from lineman.gateway.wire.merging import BROKER_STATE, KEEP, QUESTION_KINDS
from lineman.gateway.wire.messages import Deliver, LinkQuestion, Order, PublishToGroup, Send
from lineman.gateway.wire.node_messages import AskHeldUids, GapSeen, HandOver
from lineman.gateway.wire.versions import REMEDY

logger = logging.getLogger("lineman")

# A node that has just started looks so often whether another one has answered.
SETTLE_STEP = 0.02
NO_HISTORY = "no history is kept; give the Gateway history=HistoryOptions(…)"


def _tell_nobody(uid: str, is_online: bool) -> None:
    """In place of callbacks that the program does not have."""


class Routing:
    """Passes orders and questions on, from every sender.

    Args:
        node: the name of this process.
        options: see `RoutingOptions`.
        on_changed: called with a client whose uid, groups or session have changed.
        on_user: called with a uid and whether it is online now, once over all nodes.
        on_history_gap: called with a group and its epochs before and now, on one node, when members
            may have missed messages; None if the program does not want to know.
        timers: the named timers of this process; None where none are kept.

    Attributes:
        orders: the clients here, and the orders on them.
        cluster: the other nodes; None if there are none.
        durable: the histories that the broker keeps; None where it keeps none.
        partial_answers: questions to whose answers some node, or all others, did not contribute.
    """

    def __init__(
        self,
        node: str,
        options: RoutingOptions,
        on_changed: Callable[[HeldClient], None],
        on_user: Callable[[str, bool], None],
        on_history_gap: OnHistoryGap | None = None,
        timers: KeptTimers | None = None,
    ) -> None:
        self._node = node
        self._timers = timers
        self._is_ending = options.is_ending
        self._loop = asyncio.get_running_loop()
        self.cluster: Cluster | None = None
        self._keeper = self._make_keeper(options, on_history_gap)
        self.durable = self._keeper if isinstance(self._keeper, DurableHistories) else None
        kept = self._keeper.kept if isinstance(self._keeper, HomeHistories) else None
        self.orders = Orders(node, on_changed, kept, options.frame)
        if self._keeper is not None and options.make_broker is not None:
            self.orders.accepts = self._keeper.gaps.accept
        self.partial_answers = 0
        self._is_leaving = False
        self._interest_is_due = False
        self._users: UserPresence | None = None
        if options.tells_users or options.make_broker is not None:
            self._users = UserPresence(
                node,
                lambda: self.cluster,
                self.orders.registry,
                on_user if options.tells_users else _tell_nobody,
                options.times.beat,
                options.uids_at_once,
            )
            self.orders.elsewhere = self._users.sync.elsewhere
            self.orders.expected = self._users.expected
        if options.make_broker is not None:
            calls = ClusterCalls(
                topics=self.orders.registry.topics,
                on_order=self.obey,
                on_nodes=self._on_nodes,
                answer=self._answer,
                on_missed=self._on_missed,
                on_gap=self._on_gap,
                is_held=self.orders.registry.is_held,
                on_lost=self._on_lost,
                on_unheard_end=self._on_unheard_end,
                is_ending=options.is_ending,
                handlers=self._handlers(),
            )
            signer = Signer(options.secret, options.service)
            self.cluster = Cluster(node, options.make_broker, calls, signer, options.times)
            if timers is not None:
                timers.cluster = self.cluster

    def _make_keeper(
        self, options: RoutingOptions, on_gap: OnHistoryGap | None
    ) -> KeepsHistories | None:
        if options.history is None:
            return None
        calls = HomeCalls(
            self._node,
            self._home_of,
            self._tell,
            self.carry_out,
            on_gap,
            self._loop.time,
            self._loop.call_later,
            self._has_room,
        )
        if options.make_store is not None:
            signer = Signer(options.secret, options.service)
            return DurableHistories(options.make_store(), signer, calls)
        return HomeHistories(options.history, calls)

    def _handlers(self) -> dict[Any, Callable[[Any], None]]:
        keeper, users = self._keeper, self._users
        found: dict[Any, Callable[[Any], None]] = {
            GapSeen: (lambda _: None) if keeper is None else keeper.gaps.on_report,
            HandOver: keeper.on_hand_over if isinstance(keeper, HomeHistories) else lambda _: None,
        }
        if self._timers is not None:
            found |= self._timers.node_handlers
        return found | (users.handlers() if users is not None else {})

    async def start(self) -> None:
        """Begins to connect to the other nodes."""
        if self.cluster is not None:
            await self.cluster.start()
        if self._keeper is not None:
            await self._keeper.start()

    async def settle(self, timeout: float) -> None:
        """Returns when the others are known, and have told which users they hold.

        A node that admits clients before takes itself for the only one, and reports users online
        who never were away.

        Args:
            timeout: seconds after which it returns all the same; `is_presence_partial` then.

        Raises:
            ConfigError: another node speaks no version of the wire that this one does.
        """
        cluster = self.cluster
        if cluster is None:
            return
        deadline = self._loop.time() + timeout
        await self._meet(cluster, deadline)
        if why := cluster.versions.refusal(self._loop.time()):
            raise ConfigError(why, REMEDY)
        sync = None if self._users is None else self._users.sync
        if sync is not None:
            sync.awaited.update(set(cluster.nodes) - {self._node})
            cluster.tell_all(AskHeldUids(self._node))
            while sync.awaited and self._loop.time() < deadline:
                await asyncio.sleep(SETTLE_STEP)
        if self.is_presence_partial:
            silent = [] if sync is None else sorted(sync.awaited)
            logger.warning(
                "clients are admitted before the other nodes have told their users (%s): presence "
                "may be partial for a while",
                ", ".join(silent) or "the broker is not reached",
            )

    async def _meet(self, cluster: Cluster, deadline: float) -> None:
        """Returns when the broker is reached and no further node answers, or at the deadline."""
        known, quiet_at = -1, 0.0
        while (now := self._loop.time()) < deadline:
            count = len(cluster.nodes) if cluster.broker.is_connected else -1
            if count != known:
                known, quiet_at = count, now + MEETING
            if known >= 0 and now >= quiet_at:
                return
            await asyncio.sleep(SETTLE_STEP)

    @property
    def history_gaps(self) -> int | None:
        """Gaps in the histories whose home is this node; None if it keeps none."""
        return None if self._keeper is None else self._keeper.gaps.count

    @property
    def is_presence_partial(self) -> bool:
        """Whether some node has not told its users, or none can be reached."""
        if self.cluster is None:
            return False
        sync = None if self._users is None else self._users.sync
        return not self.cluster.broker.is_connected or bool(sync is not None and sync.awaited)

    async def stop(self) -> None:
        """Tells the other nodes that this one ends."""
        if self._users is not None:
            self._users.stop(is_alone=not self._is_ending_alone())
        if self._keeper is not None:
            self._is_leaving = True
            try:
                await self._keeper.stop()
            except Exception:  # the others must learn all the same that this node ends
                logger.exception("histories could not be handed over or kept")
        if self.cluster is not None:
            await self.cluster.stop()

    def sweep(self) -> None:
        """Forgets what is too old; called every second."""
        if self._keeper is not None:
            self._keeper.sweep()
        if self._users is not None:
            self._users.sweep()
        if self._timers is not None:
            self._timers.sweep()

    def _has_room(self) -> bool:
        return self.cluster is None or self.cluster.broker.has_room

    def _tell(self, node: str, message: GapSeen | HandOver) -> None:
        if self.cluster is not None:
            self.cluster.tell(node, message)

    # Which names are held where.

    def expect(self, uid: str) -> None:
        """A client of this user is about to leave, because it was asked to connect again."""
        if self._users is not None and not self._is_ending():
            self._users.expected.add(uid)

    def note_change(self) -> None:
        """Announces the names that are held here, after this turn of the event loop."""
        if not self._interest_is_due:
            self._interest_is_due = True
            self._loop.call_soon(self._tell_interest)

    def _tell_interest(self) -> None:
        self._interest_is_due = False
        gained, lost = self.orders.registry.take_interest()
        if self.cluster is not None:
            self.cluster.note_interest(gained, lost)
        if self._keeper is not None:
            self._keeper.gaps.places.forget(names.groups_of(lost))
        if self._users is not None:
            gone = [] if self._is_ending_alone() else lost
            self._users.note(gained, gone, is_ending=self._is_ending())

    def _is_ending_alone(self) -> bool:
        """Whether this process ends and others stay.

        They report its users offline when it has ended: it may be the one that would report a
        user, to a worker that ends as well.
        """
        return self._is_ending() and self.cluster is not None and len(self.cluster.nodes) > 1

    def _on_nodes(self, nodes: list[str]) -> None:
        if self._users is not None:
            self._users.on_nodes(nodes)
        if self._keeper is not None:
            self._keeper.on_nodes(nodes)
        if self._timers is not None:
            self._timers.rehome()

    def _on_unheard_end(self, node: str) -> None:
        if self._users is not None:
            self._users.sync.forget(node)

    def _on_missed(self, was_away: bool) -> None:
        if self._keeper is not None:
            self._keeper.on_missed(was_away)
        if self._users is not None:
            self._users.on_missed(was_away)
        if self._timers is not None:
            self._timers.ask()

    def _on_lost(self, topics: set[str] | None) -> None:
        if self._keeper is not None:
            self._keeper.gaps.on_missed(None if topics is None else names.groups_of(topics))

    def _on_gap(self) -> None:
        if self._keeper is not None:
            self._keeper.on_gap()

    def _home_of(self, group: str) -> str:
        if self.cluster is None or not self.cluster.broker.is_connected:
            return self._node  # no other node is reachable, so the history is kept here
        nodes = self.cluster.nodes
        if self._is_leaving and len(nodes) > 1:  # another one has the history now
            nodes = [node for node in nodes if node != self._node]
        return homes_of(group, nodes)[0]

    # Orders.

    def carry_out(self, order: Order) -> None:
        """Carries out an order of this machine, here and on the other nodes that it concerns.

        Raises:
            UsageError: the order cannot be carried out.
        """
        if isinstance(order, PublishToGroup):
            self._publish(order)
            return
        self.obey(order)
        if self.cluster is not None:
            self.cluster.relay_to(self._topics(order, self.cluster), order)

    def _topics(self, order: Order, cluster: Cluster) -> list[str]:
        """The topics of an order; that of a user whose clients are all here is left out."""
        topics = names.topics_of(order, self._node)
        if (
            self._users is None
            or not isinstance(order, Send)
            or not order.uids
            or self._interest_is_due  # a uid of this turn may be held elsewhere
            or not cluster.broker.is_connected
        ):
            return list(topics)
        is_local = {names.uid_topic(uid) for uid in order.uids if self._users.is_here_only(uid)}
        return [topic for topic in topics if topic not in is_local]

    def obey(self, order: Order, origin: str = "") -> None:
        """Carries out the part of an order that concerns the clients here.

        Args:
            order: the order.
            origin: the node that passed it on; empty for this one.

        Raises:
            UsageError: the order cannot be carried out.
        """
        if isinstance(order, PublishToGroup):
            self._publish(order, origin)
            return
        if origin and self._keeper is not None and isinstance(order, Deliver):
            self._keeper.on_foreign(order.group)
        self.orders.carry_out(order)
        if not isinstance(order, (Send, Deliver)):
            self.note_change()

    def _publish(self, order: PublishToGroup, origin: str = "") -> None:
        if self._keeper is None:
            raise UsageError(NO_HISTORY)
        if self.cluster is not None:
            self.cluster.notice_pause()
        home = self._home_of(order.group)
        if home in (self._node, origin):  # never sent back to its origin: that would loop
            self._keeper.publish(order.group, order.data)
        elif self.cluster is not None:
            self.cluster.relay_to([names.node_topic(home)], order)

    def _keep_here(self, asked: LinkQuestion) -> Awaitable[None]:
        """Does what `_publish` does at the home of a group; it returns when the message is kept."""
        if self._keeper is None:
            raise UsageError(NO_HISTORY)
        if self._is_leaving:
            raise NotReachedError("this gateway process is ending", "send it again")
        group, data = asked.names
        if self.cluster is not None:
            self.cluster.notice_pause()
        return self._keeper.keep(group, decode_kept(data))

    # Questions.

    async def ask(self, asked: LinkQuestion) -> Gathered:
        """The answer of all nodes together.

        Raises:
            UsageError: there is no such question.
            NotReachedError, RefusedError: see `Cluster.ask`.
        """
        if asked.what == BROKER_STATE:
            return Gathered(self.cluster is None or self.cluster.broker.is_connected)
        if asked.what == KEEP and (self._is_leaving or self._home_of(asked.names[0]) == self._node):
            await self._keep_here(asked)
            return Gathered(None)
        if asked.what == "history" and self.durable is not None:
            gathered = Gathered(await self._ask_store(self.durable, asked))
        elif self.cluster is None:
            kind = QUESTION_KINDS.get(asked.what)
            if kind is None:
                raise UsageError(f"there is no question {asked.what!r}")
            gathered = Gathered(kind.merge([self._answer(asked)]))
        else:
            known = None if self._users is None else await self._users.ask(asked, self.cluster)
            gathered = known or await self.cluster.ask(asked)
            self.partial_answers += bool(gathered.missing)
        if asked.what == "history" and gathered.value is not None:
            self._expect(asked.names[0], gathered.value)
        return gathered

    def _expect(self, group: str, page: Any) -> None:
        """A member has asked for a page: it is notified if the epoch of this page ends."""
        if self._keeper is not None and self.orders.registry.members_of_group(group):
            self._keeper.gaps.places.expect(group, page[0])

    @staticmethod
    async def _ask_store(store: DurableHistories, asked: LinkQuestion) -> Any:
        group, epoch, offset = asked.names
        return astuple(await store.page(group, epoch, int(offset)))

    def _answer(self, asked: LinkQuestion) -> Any:
        """The answer for the clients here, or what is awaited for it."""
        if asked.what == "history" and self.durable is not None:
            return self._ask_store(self.durable, asked)
        if asked.what == KEEP:
            return self._keep_here(asked)
        if self._interest_is_due:
            self._tell_interest()
        if asked.what == ASKED_OF_HOME and self._users is not None:
            return self._users.sync.knows(asked.names[0])
        return answer_of(self.orders, asked)

    def troubles(self) -> list[str]:
        """What separates this node from the others and from its histories, as texts."""
        found = [] if self.cluster is None else self.cluster.troubles()
        if self.durable is not None and self.durable.trouble:
            found.append(f"durable histories are not kept: {self.durable.trouble}")
        return found

    @property
    def lost_publications(self) -> int | None:
        """Messages that were neither kept nor sent; None where histories are not durable."""
        return None if self.durable is None else self.durable.lost
