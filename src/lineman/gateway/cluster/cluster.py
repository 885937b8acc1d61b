"""The other gateway processes, on this machine and elsewhere, as one of them sees them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lineman.base.loglimit import LogLimit
from lineman.brokers.base import MakeBroker, Subscriber
from lineman.brokers.signing import Signer
from lineman.errors import LinkFullError, NotReachedError, UsageError
from lineman.gateway.cluster.link_reports import LinkReports, ReportCalls
from lineman.gateway.cluster.living_nodes import LivingNodes
from lineman.gateway.cluster.node_channel import NodeChannel
from lineman.gateway.cluster.node_questions import Gathered, Gathering, NodeQuestions
from lineman.gateway.cluster.node_versions import NodeVersions, new_beat
from lineman.gateway.cluster.presence import homes_of
from lineman.gateway.wire import names
from lineman.gateway.wire.merging import BROKER, QUESTION_KINDS, QuestionKind
from lineman.gateway.wire.messages import LinkQuestion, Order
from lineman.gateway.wire.node_messages import (
    AskBeat,
    AskSent,
    NextPart,
    NodeAnswer,
    NodeBeat,
    NodeLeaves,
    NodeMessage,
    NodeQuestion,
    Numbered,
    ReceiverReport,
    Relay,
    SenderReport,
)

logger = logging.getLogger("lineman")

# Seconds within which the others answer the first beat of a node that has reached the broker.
MEETING = 0.3


@dataclass(frozen=True, slots=True)
class ClusterTimes:
    """The times of a cluster, in seconds.

    Attributes:
        beat: between two messages by which a node says that it lives.
        silence: after it a node that says nothing counts as gone, with its clients.
        answer: after it no answer is expected: the node is gone, or it hangs.
    """

    beat: float = 1.0
    silence: float = 3.5
    answer: float = 2.0


DEFAULT_TIMES = ClusterTimes()


@dataclass(frozen=True, slots=True)
class ClusterCalls:
    """The functions that a cluster calls.

    Attributes:
        topics: the topics of the clients held here; read when a broker is reached.
        on_order: carries out an order from another node; gets the order and the node's name.
        on_nodes: called with all live nodes when one has come or gone.
        answer: answers a question about the clients here; raises `UsageError` for an unknown
            question. None in a program that only pushes: it holds no clients and is no node.
        on_missed: called when messages may have been lost in either direction; gets whether the
            broker was away.
        on_gap: called when messages of a node may be lost, or it is gone without having stopped
            normally, or is back after that.
        is_held: whether clients here want messages of this topic.
        on_lost: called with the topics whose messages did not arrive here; None for any.
        on_unheard_end: called with a node that has ended and that this node did not know.
        is_ending: whether this process is stopping; then the state of the broker is not logged.
        handlers: functions for further messages from other nodes, by type.
    """

    topics: Callable[[], Iterable[str]] = tuple
    on_order: Callable[[Order, str], None] = lambda order, origin: None
    on_nodes: Callable[[list[str]], None] = lambda nodes: None
    answer: Callable[[LinkQuestion], Any] | None = None
    on_missed: Callable[[bool], None] = lambda was_away: None
    on_gap: Callable[[], None] = lambda: None
    is_held: Callable[[str], bool] = lambda topic: False
    on_lost: Callable[[set[str] | None], None] = lambda topics: None
    on_unheard_end: Callable[[str], None] = lambda node: None
    is_ending: Callable[[], bool] = lambda: False
    handlers: Mapping[type[NodeMessage], Callable[[Any], None]] = field(default_factory=dict)


class Cluster:
    """Passes orders and questions between nodes, and knows which nodes live.

    Args:
        node: the name of this process.
        make_broker: makes the broker for a subscriber.
        calls: the functions that messages from other nodes call.
        signer: signs messages to other nodes, and checks theirs.
        times: how often nodes say that they live, and how long they are waited for.

    Attributes:
        broker: carries the messages.
        channel: numbers and checks them.
        reports: finds out which of them did not arrive.
        versions: of the wire, which the other nodes speak.
    """

    def __init__(
        self,
        node: str,
        make_broker: MakeBroker,
        calls: ClusterCalls,
        signer: Signer | None = None,
        times: ClusterTimes = DEFAULT_TIMES,
    ) -> None:
        self._node = node
        self._times = times
        self._calls = calls
        self._is_node = calls.answer is not None
        self._is_reached = self._was_reached = self._is_state_told = False
        self._reached_at = self._late_at = 0.0  # a broker that reports nothing by then is away
        self._dropped = 0
        self._loop = asyncio.get_running_loop()
        self._log = LogLimit(logger)
        self._living = LivingNodes(times.silence, self._loop.time())
        self.versions = NodeVersions(self._answer_beat)
        self._questions = NodeQuestions(node, calls.answer, self.tell, times.answer)
        self._ticker: asyncio.TimerHandle | None = None
        self.broker = make_broker(Subscriber(self._on_message, self._on_state, self._topics))
        self.channel = NodeChannel(node, signer or Signer(None), self.broker.publish)
        self.channel.may_hear, self.channel.tell_time = self.versions.may_hear, self._answer_beat
        self._publish = self.channel.publish
        lag = 0.0 if self.broker.keeps_order else times.beat
        report_calls = ReportCalls(self._living.__iter__, calls.is_held, self._on_lost)
        self.reports = LinkReports(node, self.channel, report_calls, self._is_node, lag)
        self._handlers: dict[type[NodeMessage], Callable[[Any], None]] = {
            NodeBeat: self._on_beat,
            NodeLeaves: self._on_node_leaves,
            Relay: self._on_relay,
            NodeQuestion: self._questions.on_question,
            NodeAnswer: self._questions.on_answer,
            NextPart: self._questions.on_next_part,
            SenderReport: self.reports.on_sender_report,
            ReceiverReport: self.reports.on_receiver_report,
            AskSent: self.reports.on_ask_sent,
            AskBeat: lambda asked: self._answer_beat(asked.origin),
            **calls.handlers,
        }

    async def start(self) -> None:
        """Begins to connect to the other nodes."""
        self._late_at = self._loop.time() + self.broker.patience
        await self.broker.start()
        self._tick()

    async def stop(self) -> None:
        """Tells the others that this node ends."""
        if self._ticker is not None:
            self._ticker.cancel()
        if self.broker.is_connected:
            self.reports.report()
        if self._is_node:
            self._publish(names.ALL_NODES, NodeLeaves(self._node))
        await self.broker.close()
        for node in self._living:
            self._questions.leave(node, was_lost=True)  # no answer can come any more

    @property
    def nodes(self) -> list[str]:
        """All live nodes, in the same order on every node."""
        return sorted((self._node, *self._living) if self._is_node else self._living)

    def _topics(self) -> Iterator[str]:
        yield names.ALL_NODES
        yield names.node_topic(self._node)
        yield from self._calls.topics()

    # Which nodes live.

    def _beat(self) -> None:
        if self._is_node and self.broker.is_connected:
            self._publish(names.ALL_NODES, new_beat(self._node))

    def notice_pause(self) -> None:
        """Notices that this process stood still for so long that the others count it as gone.

        A stopped process, a frozen machine and a callback that blocks are alike. To be called
        before this node answers, or gives a message its place in a history: others may have given
        places meanwhile.
        """
        pause = self._living.pause(self._loop.time())
        if pause and self._is_node:
            self._come_back(f"it stood still for {pause:.1f} s")

    def _come_back(self, why: str) -> None:
        """Begins anew as a node that others may have replaced meanwhile."""
        text = "the other nodes count this process as gone: %s; its histories begin a new epoch"
        self._log.log(logging.WARNING, "nodes that counted as gone", text, why)
        self._living.listen_anew(self._loop.time())
        self._beat()  # first: the others give no more places in its stead from then on
        self._calls.on_missed(True)

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(self._times.beat, self._tick)  # what follows may raise
        self.notice_pause()
        self._beat()
        self._questions.sweep()
        if not self._is_state_told and self._loop.time() >= self._late_at:
            self._say_away(logging.WARNING)
        # Silence while the broker was away says nothing about the nodes.
        if self.broker.is_connected:
            for node in self._living.silent(None if self._is_node else self._loop.time()):
                self._lose(node, "was not heard of", was_lost=True)
                # A node that has started since then cannot notice the loss, so it is told.
                self.tell_all(NodeLeaves(node, was_lost=True, teller=self._node))
            self.reports.tick()
            if self._dropped != self.broker.dropped and self.broker.takes_all:
                self._dropped = self.broker.dropped
                self._calls.on_missed(False)
        self.channel.sweep()

    def _on_state(self, is_connected: bool) -> None:
        is_new = is_connected and not self._is_reached
        self._is_reached = is_connected
        if not is_connected:
            self._say_away(logging.INFO if self.broker.is_leaving else logging.WARNING)
            return
        self._is_state_told = True
        if is_new:
            self._reached_at = self._loop.time()
        self._dropped = self.broker.dropped
        self._living.listen_anew(self._loop.time())
        self.channel.run += is_new
        self._beat()
        self.reports.ask_all()
        if is_new and not self._calls.is_ending():
            logger.info("the broker is reached")
        if self._was_reached:
            self._calls.on_missed(is_new)
        self._was_reached = True

    def _say_away(self, level: int) -> None:
        self._is_state_told = True
        if self._calls.is_ending():
            return
        text = "the broker is cut off, only clients of this process are reached: %s"
        where = () if self._was_reached else (self.broker.shown,)
        if where:
            text = "the broker at %s is not reached, only clients of this process are: %s"
        logger.log(level, text, *where, self.broker.trouble)

    def troubles(self) -> list[str]:
        """What separates this node from the others, as texts; empty if nothing does."""
        now = self._loop.time()
        found = [self.broker.partial, self.versions.trouble(now), self.channel.trouble()]
        if self._is_state_told and not self.broker.is_connected:
            found[0] = f"the broker at {self.broker.shown} is not reached: {self.broker.trouble}"
        return [*filter(None, found)]

    def _on_beat(self, beat: NodeBeat) -> None:
        if self._living.on_beat(beat.origin, self._loop.time()):
            self._answer_beat(beat.origin)
            self.reports.on_node(beat.origin)
            if self._living.take_back(beat.origin):
                self._calls.on_gap()
            self._calls.on_nodes(self.nodes)

    def _answer_beat(self, node: str) -> None:
        if self._is_node:  # so that the new node need not wait for the next beat
            self._publish(names.node_topic(node), new_beat(self._node))

    def _on_node_leaves(self, leaving: NodeLeaves) -> None:
        if leaving.origin in self._living:
            why = "is not heard of by another node" if leaving.was_lost else "has ended"
            self._lose(leaving.origin, "was killed" if leaving.has_died else why, leaving.was_lost)
        else:
            self._calls.on_unheard_end(leaving.origin)
        if leaving.has_died or not leaving.was_lost:
            self._living.give_up(leaving.origin)

    def _lose(self, node: str, why: str, was_lost: bool) -> None:
        self._living.on_end(node, was_lost, self._loop.time())
        self.versions.forget(node)
        logger.info("the gateway process %s %s", node, why)
        self.reports.on_gone(node, was_lost)
        self._questions.leave(node, was_lost)
        if was_lost:
            self._calls.on_gap()
        self._calls.on_nodes(self.nodes)

    def _on_lost(self, topics: set[str] | None) -> None:
        """Messages of another node have not arrived here."""
        if topics is None or names.node_topic(self._node) in topics:
            self._calls.on_gap()  # it may have been a message for a history that is kept here
            self._calls.on_missed(False)
        elif names.ALL_NODES in topics:
            self._calls.on_missed(False)
        self._calls.on_lost(topics)

    def tell_all(self, message: Numbered) -> None:
        """Sends a message to all other nodes."""
        self._publish(names.ALL_NODES, message)

    def tell(self, node: str, message: Numbered) -> None:
        """Sends a message to one other node."""
        self._publish(names.node_topic(node), message)

    def note_interest(self, gained: list[str], lost: list[str]) -> None:
        """Subscribes to gained topics, and unsubscribes from lost ones."""
        if gained:
            self.reports.note_gained(gained)
            self.broker.subscribe(gained)
        if lost:
            self.broker.unsubscribe(lost)

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Checks that the broker accepts all that is published within the `with` block.

        Raises:
            LinkFullError: it has dropped some of it.
        """
        before = self.broker.dropped
        yield
        if self.broker.dropped != before:
            raise LinkFullError(
                f"the queue to the broker at {self.broker.shown} is full, because it reads too "
                "slowly; this message was not sent, or not to all; "
                "fix: await drain() between messages"
            )

    # Orders.

    def relay_to(self, topics: Sequence[str], order: Order) -> None:
        """Passes an order on to the nodes that have subscribed to these topics."""
        if topics:
            self.channel.relay(topics, order)

    def _on_message(self, topic: str, data: bytes) -> None:
        self.notice_pause()
        message = self.channel.open(topic, data)
        if message is None:
            return
        if message.origin == self._node:
            if isinstance(message, NodeBeat) and self._living.on_echo(self._loop.time()):
                self._come_back("its own beats did not come back for a while")
            elif isinstance(message, SenderReport):
                self.reports.on_sender_report(message)
            elif isinstance(message, NodeLeaves) and message.was_lost and self._is_node:
                self._come_back("another node did not hear it")
            return
        if not self.versions.takes(message, self._loop.time()):
            return
        try:
            self._handlers[type(message)](message)
        except Exception as error:  # a message of one node must not end the connection to all
            what, why = type(message).__name__, type(error).__name__
            text = "%s from node %s: %s: %s"
            kind = "broker messages not obeyed"
            self._log.log(logging.ERROR, kind, text, what, message.origin, why, error)

    def _on_relay(self, relay: Relay) -> None:
        try:
            self._calls.on_order(relay.order, relay.origin)
        except UsageError as error:
            self._log.log(logging.WARNING, "bad orders", "node %s: %s", relay.origin, error)

    # Questions.

    async def ask(self, asked: LinkQuestion) -> Gathered:
        """The answer of all nodes together; it names those that are missing in it.

        Raises:
            NotReachedError: the only node that can know the answer does not reply in time; or this
                program is no node, and no node replies.
            RefusedError: that node refuses, and says why.
            LinkFullError: the question was not sent, because the queue to the broker is full.
            UsageError: there is no such question.
        """
        kind = QUESTION_KINDS.get(asked.what)
        if kind is None:
            raise UsageError(f"there is no question {asked.what!r}")
        self.notice_pause()
        holder = self._who_knows(kind, asked)
        wanted = set(self._living) if holder is None else set(self._living) & {holder}
        gathering = Gathering(kind, wanted if self.broker.is_connected else (), self._loop)
        is_own = self._calls.answer is not None and not (kind.is_for_home and holder != self._node)
        if self._calls.answer is not None and is_own:
            gathering.take(self._calls.answer(asked))
        if gathering.waits_for:
            await self._ask_others(gathering, asked, holder)
        elif kind.is_for_home and not is_own:
            raise NotReachedError(
                f"the gateway process that knows the answer to {asked.what!r} about "
                f"{asked.names[0]!r} is gone",
                "ask again: another one takes its place",
            )
        missing = tuple(sorted(gathering.missing.union(self.unheard(holder))))
        return Gathered(kind.finish(gathering.merged), missing)

    def unheard(self, holder: str | None = None) -> tuple[str, ...]:
        """The nodes that may hold clients, and cannot be asked; `BROKER` stands for all others.

        Args:
            holder: the only node that counts; None for all.
        """
        if holder == self._node:
            return ()
        now = self._loop.time()
        missing = tuple(node for node in self._living.away(now) if holder in (None, node))
        has_met = self.broker.is_connected and now - self._reached_at >= MEETING
        return missing if has_met else (*missing, BROKER)

    async def _ask_others(
        self, gathering: Gathering, asked: LinkQuestion, holder: str | None
    ) -> None:
        wanted = len(gathering.waits_for)
        topic = names.ALL_NODES if holder is None else names.node_topic(holder)

        def publish(question: NodeQuestion) -> None:
            with self.taking():
                self._publish(topic, question)

        try:
            await self._questions.gather(gathering, asked, publish)
        except LinkFullError:
            if not self._is_node or (holder is not None and holder in self._living):
                raise
            gathering.missing.update(gathering.waits_for)
        if len(gathering.missing) < wanted:
            return
        # Nobody has answered. A node that is gone has lost its clients: nothing is known of them.
        if not self._is_node or (holder is not None and holder in self._living):
            raise gathering.failure(asked.what, self._times.answer)

    def _who_knows(self, kind: QuestionKind, asked: LinkQuestion) -> str | None:
        """The one node that can answer; None where each can answer a part."""
        if kind.is_for_home:
            if not self.broker.is_connected:
                return self._node  # which is the home of all while no other node is reachable
            return homes_of(asked.names[0], self.nodes)[0]
        # A uid may look like a client's id, but does not say where the user's clients are.
        return names.node_of(asked.names[0]) if kind.is_about_client else None
