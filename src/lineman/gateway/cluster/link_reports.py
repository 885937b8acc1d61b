"""Which messages between nodes did not arrive: both sides find out, and tell.

A sender reports the numbers and topics of what it has sent, every second in which it has sent
anything. So a receiver knows which of these it should have got; it reports how many it did not get.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lineman.base.loglimit import LogLimit
from lineman.gateway.cluster.node_channel import NodeChannel
from lineman.gateway.wire import names
from lineman.gateway.wire.node_messages import AskSent, ReceiverReport, SenderReport

logger = logging.getLogger("lineman")

# Entries of one report to all nodes: many nodes that send much do not spend their time on reports.
ENTRIES = 2000
ENTRIES_OF_ALL = 10_000
FEWEST = 100
# Senders in one report of what was received. The others follow in the next ones: with all of them
# in each report, the work would grow with the cube of the number of nodes.
SENDERS = 100
# Entries of one part of an answer.
PART = 1000
# A node that has sent nothing repeats its report after 1, 2, 4, … seconds, and then after so many.
LONGEST_PAUSE = 64
# Seconds for which an answer is awaited before the question is asked again.
ASK_AGAIN = 1.0
# Ticks for which a new topic does not count: its messages may have been sent before.
FRESH = 3
# Names in one line of the log.
SHOWN = 5


@dataclass(frozen=True, slots=True)
class ReportCalls:
    """The functions that the reports call.

    Attributes:
        nodes: the other nodes that live.
        is_held: whether clients here want messages of this topic.
        on_lost: called with the topics of which messages did not arrive; None if they are unknown.
    """

    nodes: Callable[[], Iterable[str]]
    is_held: Callable[[str], bool]
    on_lost: Callable[[set[str] | None], None]


class LinkReports:
    """Finds the messages that were sent and did not arrive.

    Args:
        node: the name of this process.
        channel: the messages to and from the other nodes.
        calls: see `ReportCalls`.
        is_node: whether this process holds clients; else it receives nothing that counts.
        lag: seconds by which reports are looked at later, if the broker does not keep the order of
            messages on different topics.

    Attributes:
        missed: messages of other nodes for this one that have not arrived.
        unreached: messages of this node that others report as not arrived.
        unconfirmed: messages of this node that nodes which are gone had not confirmed.
        lost_nodes: how often a node has gone without having stopped normally.
    """

    def __init__(
        self,
        node: str,
        channel: NodeChannel,
        calls: ReportCalls,
        is_node: bool = True,
        lag: float = 0.0,
    ) -> None:
        self._node = node
        self._channel = channel
        self._calls = calls
        self._is_node = is_node
        self._loop = asyncio.get_running_loop()
        self._log = LogLimit(logger)
        self.missed = self.unreached = self.unconfirmed = self.lost_nodes = 0
        self._lag = lag
        self._reported = 0  # up to this number this node has reported what it has sent
        self._pause = self._idle = 1
        self._asked: dict[str, float] = {}
        self._fresh: list[set[str]] = [set() for _ in range(FRESH)]
        self._told: dict[str, tuple[int, int]] = {}  # what the last receiver reports said
        self._confirmed: dict[str, int] = {}  # by the node that has received
        self._lost_at: dict[str, tuple[int, int]] = {}  # what others have said of this node's

    # As a sender.

    def tick(self) -> None:
        """Reports what is due; called with every beat."""
        self._count_refused()
        self.report()
        self._report_received()
        self._fresh = [set(), *self._fresh[:-1]]
        heard = self._channel.heard
        for known in (self._told, self._lost_at, self._asked):
            for gone in known.keys() - heard.keys():
                del known[gone]

    def report(self) -> None:
        """Tells all nodes what was sent since the last report."""
        sent = self._channel.sent
        entries = sent.since(self._reported + 1)
        self._idle += 1
        if not entries and self._idle < self._pause:
            return
        self._pause = 1 if entries else min(2 * self._pause, LONGEST_PAUSE)
        self._idle = 0
        count = sum(1 for _ in self._calls.nodes())
        most = min(ENTRIES, max(FEWEST, ENTRIES_OF_ALL // max(1, count)))
        upto, since = sent.last, self._reported + 1
        report = SenderReport(
            self._node, since, upto, tuple(entries[-most:]), len(entries) > most, sent.forgotten
        )
        self._reported = upto
        self._channel.publish(names.ALL_NODES, report)

    def on_ask_sent(self, asked: AskSent) -> None:
        """Another node may have missed messages."""
        sent = self._channel.sent
        topic, upto, since = names.node_topic(asked.origin), sent.last, asked.since
        entries = sent.since(since)
        for start in range(0, max(1, len(entries)), PART):
            part = tuple(entries[start : start + PART])
            is_last = start + PART >= len(entries)
            # A number whose topics are in two parts is covered by the later one.
            until = upto if is_last else part[-1][0] - 1
            report = SenderReport(self._node, since, until, part, forgotten=sent.forgotten)
            self._channel.publish(topic, report)
            since = until + 1

    def on_node(self, node: str) -> None:
        """A node has come."""
        self._confirmed.setdefault(node, self._channel.sent.last)

    def on_receiver_report(self, report: ReceiverReport) -> None:
        """Another node says what it has received."""
        for sender, covered, lost in report.received:
            if sender == self._node:
                covered_before, lost_before = self._lost_at.get(report.origin, (0, 0))
                if covered < covered_before:
                    continue  # a newer report has overtaken this one
                if report.origin in self._confirmed:  # else it is gone, and was counted
                    self._confirmed[report.origin] = covered
                self._lost_at[report.origin] = (covered, lost)
                more = lost - lost_before
                if more > 0:
                    self.unreached += more
                    text = "%d messages of this gateway process did not reach %s"
                    self._log.log(logging.WARNING, "unreached nodes", text, more, report.origin)

    def on_gone(self, node: str, was_lost: bool) -> None:
        """A node is gone; what it has not confirmed may be lost with it."""
        self.lost_nodes += was_lost
        covered = self._confirmed.pop(node, None)
        if not was_lost or covered is None:
            return
        sent = self._channel.sent
        own = (names.ALL_NODES, names.node_topic(node))
        found = {
            number: topic
            for number, topic in sent.since(covered + 1)
            if topic in own or not names.is_private(topic)
        }
        count = len(found) + max(0, sent.forgotten - covered)
        if count:
            self.unconfirmed += count
            text = "%d messages that %s had not confirmed may be lost with its clients: %s"
            kind = "unconfirmed messages"
            self._log.log(logging.WARNING, kind, text, count, node, _shown(found))

    # As a receiver.

    def note_gained(self, topics: Iterable[str]) -> None:
        """Clients here want messages of these topics only from now on."""
        self._fresh[0].update(topics)

    def _is_held(self, topic: str) -> bool:
        if topic in (names.ALL_NODES, names.node_topic(self._node)):
            return True
        return self._calls.is_held(topic) and not any(topic in fresh for fresh in self._fresh)

    def ask_all(self) -> None:
        """The broker is reached again: asks all for what they have sent meanwhile."""
        if self._is_node:
            for sender, heard in self._channel.heard.items():
                if sender != self._node:
                    self._ask(sender, heard.covered + 1)

    def _ask(self, sender: str, since: int) -> None:
        now = self._loop.time()
        if now - self._asked.get(sender, -ASK_AGAIN) >= ASK_AGAIN:
            self._asked[sender] = now
            self._channel.publish(names.node_topic(sender), AskSent(self._node, since))

    def on_sender_report(self, report: SenderReport) -> None:
        """Another node says what it has sent."""
        if self._lag:
            self._loop.call_later(self._lag, self._look, report)
        else:
            self._look(report)

    def _look(self, report: SenderReport) -> None:
        heard = self._channel.heard.get(report.origin)
        if heard is None:
            return
        if report.origin == self._node or not self._is_node:
            heard.cover(report.upto)
            return
        if report.since > heard.covered + 1:  # a report is missing
            self._ask(report.origin, heard.covered + 1)
            return
        found = heard.missing(report.sent, self._is_held)
        if not report.is_sample:
            self._asked.pop(report.origin, None)
        elif found or report.origin in self._asked:
            self._ask(report.origin, heard.covered + 1)
            return
        unknown = max(0, min(report.forgotten, report.upto) - heard.covered)
        heard.tell(found)
        heard.lost += unknown
        heard.cover(report.upto)
        if found or unknown:
            self._tell_missed(report.origin, found, unknown)

    def _count_refused(self) -> None:
        """Counts what was refused of a process because its clock was behind."""
        for sender, topics, more in self._channel.take_refused():
            heard = self._channel.heard.get(sender)
            if heard is None or not self._is_node:
                continue
            found = {number: topic for number, topic in topics.items() if self._is_held(topic)}
            heard.tell(found)
            heard.lost += more
            if found or more:
                self._tell_missed(sender, found, more)

    def _tell_missed(self, sender: str, found: Mapping[int, str], unknown: int) -> None:
        self.missed += len(found) + unknown
        more = f", and up to {unknown} more that it does not remember" if unknown else ""
        text = "%d messages of the gateway process %s did not arrive: %s%s"
        kind = "messages that did not arrive"
        self._log.log(
            logging.WARNING, kind, text, len(found), sender, _shown(found) or "none known", more
        )
        self._calls.on_lost(None if unknown else set(found.values()))

    def _report_received(self) -> None:
        if not self._is_node:
            return
        changed = [
            (sender, heard.covered, heard.lost)
            for sender, heard in self._channel.heard.items()
            if sender != self._node and self._told.get(sender) != (heard.covered, heard.lost)
        ]
        if len(changed) > SENDERS:  # first those who miss something, and who have waited longest
            turn = {sender: number for number, sender in enumerate(self._told, 1)}
            changed.sort(key=lambda one: (self._lost_told(one[0]) == one[2], turn.get(one[0], 0)))
            del changed[SENDERS:]
        for sender, *now in changed:
            self._told.pop(sender, None)
            self._told[sender] = (now[0], now[1])
        if changed:
            self._channel.publish(names.ALL_NODES, ReceiverReport(self._node, tuple(changed)))

    def _lost_told(self, sender: str) -> int:
        return self._told.get(sender, (0, 0))[1]


def _shown(found: Mapping[int, str]) -> str:
    """The topics of messages, for a line in the log."""
    topics = list(dict.fromkeys(found.values()))
    more = f" and {len(topics) - SHOWN} more" if len(topics) > SHOWN else ""
    return ", ".join(f"{topic:.60}" for topic in topics[:SHOWN]) + more
