"""Messages between nodes on their way out and in: numbers, stamps, signatures."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence

from lineman.base.loglimit import LogLimit
from lineman.brokers.cluster_clock import ClusterClock
from lineman.brokers.heard_senders import HeardSenders
from lineman.brokers.sequences import Freshness, SentLog
from lineman.brokers.signing import Signer
from lineman.gateway.cluster.refused_strangers import RefusedMessages, RefusedStrangers
from lineman.gateway.wire import names
from lineman.gateway.wire.messages import Order
from lineman.gateway.wire.node_messages import (
    BETWEEN_NODES,
    UNREPORTED,
    NodeLeaves,
    NodeMessage,
    Numbered,
    Relay,
)
from lineman.links.framing import BadMessageError, encode

logger = logging.getLogger("lineman")

# Seconds for which `trouble` reports a message that was signed with another secret.
REFUSED_LATELY = 60.0
# Orders of nodes of the version before that are remembered: they may come on several topics.
OLD_ORDERS = 10_000
# Seconds after the start for which nodes of the version before are understood if there is a secret.
OLD_VERSION = 3600.0


class NodeChannel:
    """Gives each message of this process a number and a stamp, and checks those of the others.

    Args:
        node: the name of this process.
        signer: signs messages to other nodes, and verifies theirs.
        publish: hands a topic and bytes to the broker.
        clock: the time that the nodes share; None for a new one.

    Attributes:
        clock: the time that the nodes share.
        may_hear: whether all nodes that have subscribed to a topic know messages of this kind.
        tell_time: called with a process whose clock may be behind; to be answered with any message.
        sent: the numbers and topics of what was sent.
        heard: the numbers that were heard, by sender.
        run: counts the connections to the broker.
        refused: messages that were not signed with this service's secret.
        replayed: messages that were heard before, or are from a session of a sender that is over.
        late: messages that came too late to be delivered: newer ones have overtaken them.
    """

    def __init__(
        self,
        node: str,
        signer: Signer,
        publish: Callable[[str, bytes], None],
        clock: ClusterClock | None = None,
    ) -> None:
        self._node = node
        self._signer = signer
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self.clock = clock or ClusterClock(self._loop.time)
        self._log = LogLimit(logger)
        self.may_hear: Callable[[str, Numbered], bool] = lambda topic, message: True
        self.tell_time: Callable[[str], None] = lambda sender: None
        self.sent = SentLog()
        self._senders: HeardSenders[str] = HeardSenders(
            self.clock, self._note_stranger, self._note_late
        )
        self._strangers = RefusedStrangers()
        self.heard = self._senders.by_sender
        self.run = 0
        self.refused = self.replayed = self.late = 0
        self._refused_at: float | None = None
        self._old: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._old_until = self._loop.time() + OLD_VERSION

    # Out.

    def publish(self, topic: str, message: Numbered) -> None:
        """Sends a message to the nodes that have subscribed to a topic, if all of them know it."""
        if not self.may_hear(topic, message):
            return
        number = message.number = self.sent.next()
        message.stamp, message.run = self.clock.now(), self.run
        if not isinstance(message, UNREPORTED):
            self.sent.note(number, topic)
        self._publish(topic, self._signer.sign(topic, encode(message)))

    def relay(self, topics: Sequence[str], order: Order) -> None:
        """Sends an order to the nodes that have subscribed to any of these topics."""
        number = self.sent.next()
        data = encode(Relay(self._node, number, order, stamp=self.clock.now(), run=self.run))
        for topic in topics:
            self.sent.note(number, topic)
            self._publish(topic, self._signer.sign(topic, data))

    # In.

    def open(self, topic: str, data: bytes) -> NodeMessage | None:
        """The message in these bytes; None, counted and logged, if it is not to be obeyed."""
        opened = self._signer.verify(topic, data)
        try:
            if opened is None:
                self.refused += 1
                self._refused_at = self._loop.time()
                raise BadMessageError("it was not signed with this service's secret")
            message: NodeMessage = BETWEEN_NODES.decode(opened)
            if not names.is_node(message.origin):
                raise BadMessageError(f"it comes from {message.origin!r:.40}, which is no node")
        except BadMessageError as error:
            self._log.log(logging.WARNING, "bad broker messages", "topic %.80r: %s", topic, error)
            return None
        sender = message.origin
        if isinstance(message, NodeLeaves) and message.teller:
            sender = message.teller
        if self._is_fresh(message, sender):
            return message
        if sender not in self.heard and not isinstance(message, UNREPORTED):
            self._strangers.note(sender, message.number, topic)
        return None

    def take_refused(self) -> list[RefusedMessages]:
        """What was refused of processes that are heard now, because their clocks were behind."""
        return self._strangers.take_heard(self.heard)

    def trouble(self) -> str:
        """Why this node may not understand others, as text; empty if it does."""
        refused = self._refused_at
        if refused is None or self._loop.time() - refused >= REFUSED_LATELY:
            return ""
        return (
            "the broker delivers messages that are not signed with this service's secret; fix: "
            "give secret= the same value on every machine, or another name= to the other service"
        )

    def _is_fresh(self, message: NodeMessage, sender: str) -> bool:
        stamp, number = message.stamp, message.number
        if not stamp:
            return self._is_understood(message, sender)
        freshness = self._senders.take(sender, number, stamp, message.run)
        if freshness is Freshness.REPEATED and not (
            isinstance(message, Relay) and len(_topics(message, sender)) > 1
        ):
            self._note_replayed(sender, "it has come before")
        return freshness is Freshness.NEW

    def _note_replayed(self, sender: str, why: str) -> None:
        self.replayed += 1
        kind = "repeated broker messages"
        self._log.log(logging.WARNING, kind, "a message of %s is refused: %s", sender, why)

    def _note_stranger(self, sender: str, why: str) -> None:
        if sender == self._node:
            return  # this clock was behind when it sent it
        self._note_replayed(sender, why)
        if self._strangers.wants_answer(sender, self._loop.time()):
            self.tell_time(sender)

    def _note_late(self, sender: str, age: float) -> None:
        if sender == self._node:
            return  # it came back from the broker, and is for the others
        self.late += 1
        text = "a message of %s came %.1f s late and is not delivered: newer ones came before it"
        self._log.log(logging.WARNING, "late broker messages", text, sender, age)

    def _is_understood(self, message: NodeMessage, sender: str) -> bool:
        """Takes a message of a node of the version before, which has no stamp."""
        if self._signer.has_secret and self._loop.time() > self._old_until:
            self._note_replayed(sender, "it has no stamp, as messages of older versions have none")
            return False
        if not message.number:
            return True
        key = (sender, message.number)
        if key in self._old:
            return False
        self._old[key] = None
        if len(self._old) > OLD_ORDERS:
            self._old.popitem(last=False)
        return True

    def sweep(self) -> None:
        """Forgets senders that were not heard of for long; called every second."""
        self._senders.sweep(self._loop.time())


def _topics(message: Relay, sender: str) -> list[str]:
    return list(names.topics_of(message.order, sender))
