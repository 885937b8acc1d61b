"""The messages that gateway processes send each other by the broker. Pure."""

from __future__ import annotations

import enum
from typing import Any

from lineman.gateway.wire.messages import LinkAnswer, LinkQuestion, Order
from lineman.gateway.wire.versions import FIRST
from lineman.links.framing import Message, WireFormat


class Stamped(Message, kw_only=True):
    """The base of what nodes say; a node of the version before leaves these fields out.

    Attributes:
        stamp: when it was sent, by the sender's `ClusterClock`; 0 from the version before.
        run: counts the sender's connections to its broker.
    """

    stamp: int = 0
    run: int = 0


class Numbered(Stamped, kw_only=True):
    """The base of all messages but orders, which have their number in another place.

    Attributes:
        number: counts all messages of the sender.
    """

    number: int = 0


class Relay(Stamped, tag=40):
    """An order from another node.

    Attributes:
        origin: the node that passed it on; it has already carried out its own part.
        number: counts all messages of the sender; a node may get the same one on several topics.
    """

    origin: str
    number: int
    order: Order


class NodeBeat(Numbered, tag=41):
    """A sign of life, which each node sends every second.

    Attributes:
        oldest: the oldest version of the wire that it understands; version 4 does not say it.
        newest: the newest version that it speaks.
    """

    origin: str
    oldest: int = FIRST
    newest: int = FIRST


class NodeQuestion(Numbered, tag=42):
    """A question from another node.

    Attributes:
        takes_parts: whether the asker understands an answer in parts.
    """

    origin: str
    ask: LinkQuestion
    takes_parts: bool = False


class NodeAnswer(Numbered, tag=43):
    """The answer of one node to another's question, or a part of it.

    Attributes:
        part: the number of the part, from 0.
        has_more: whether there is another part, which the asker gets by `NextPart`.
    """

    origin: str
    answer: LinkAnswer
    part: int = 0
    has_more: bool = False


class NextPart(Numbered, tag=60):
    """Asks for the next part of an answer.

    So a node that asks many others has one part of each on its way, however large the answers are.

    Attributes:
        question: the number of the question at its asker, which `origin` is.
        part: the number of the part.
    """

    origin: str
    question: int
    part: int


class NodeLeaves(Numbered, tag=44):
    """A node has gone: the others need not wait until its beats are missing.

    Attributes:
        origin: the node.
        was_lost: whether another node says so, which does not hear its beats any more; False for
            one that stops normally, and has sent all before.
        teller: the node that says so of another; empty for a node that says it of itself.
        has_died: whether its process has ended: the one that takes its place says so.
    """

    origin: str
    was_lost: bool = False
    teller: str = ""
    has_died: bool = False


class Hold(Numbered, tag=45):
    """A node holds these uids, whose home the receiver is.

    Attributes:
        is_news: whether it holds them only now; if not, it held them before, and their homes have
            changed.
        batch: counts these messages of the node, for `HomeWord`; 0 if it wants none.
    """

    origin: str
    names: tuple[str, ...]
    is_news: bool
    batch: int = 0


class Release(Numbered, tag=46):
    """A node no longer holds these uids."""

    origin: str
    names: tuple[str, ...]


class HeldUids(Numbered, tag=47):
    """All uids that a node holds and whose home the receiver is, in parts. The node no longer holds
    other uids. It is sent when messages may have been lost.

    Attributes:
        of_round: what `SharedUids` answers; 0 if the node wants no answer.
    """

    origin: str
    names: tuple[str, ...]
    part: int
    is_last: bool
    of_round: int = 0


class HomeWord(Numbered, tag=61):
    """The first home of uids says to a node that holds them whether others do so too.

    Attributes:
        batch: the `Hold` that it answers; 0 for none.
        alone: of the uids in this batch those that only the receiver holds.
        shared: uids that others hold as well.
    """

    origin: str
    batch: int
    alone: tuple[str, ...]
    shared: tuple[str, ...]


class SharedUids(Numbered, tag=62):
    """Of the uids that the receiver holds and whose first home the sender is, those that others
    hold as well, in parts. It answers `HeldUids`.

    Attributes:
        of_round: that of `HeldUids`.
        view: a checksum of the nodes that the sender knows: homes depend on them.
    """

    origin: str
    of_round: int
    names: tuple[str, ...]
    is_last: bool
    view: int


class AskHeldUids(Numbered, tag=48):
    """A node may have missed messages: it asks the others which uids they hold."""

    origin: str


class GapKind(enum.StrEnum):
    """Why members may have missed messages of a group's history."""

    MISSED = "missed"  # on their way to one node
    MOVED = "moved"  # the history begins anew: another home, or another epoch
    REPLACED = "replaced"  # two homes had a history of the group at the same time


class GapSeen(Numbered, tag=80):
    """A node tells the home of a group that members may have missed messages.

    Attributes:
        epoch: the epoch that its members know.
    """

    origin: str
    group: str
    epoch: str
    kind: GapKind


# Of one group: its name, its epoch, its last offset, some of its kept messages, and whether these
# are the last ones. Of each message: its age in seconds, its offset, and the message.
HandedGroup = tuple[str, str, int, tuple[tuple[float, int, Any], ...], bool]


class HandOver(Numbered, tag=81):
    """A node that stops hands histories over to their next home, in parts."""

    origin: str
    groups: tuple[HandedGroup, ...]


class SenderReport(Numbered, tag=50):
    """What a node has sent, every second in which it has sent anything (RFC 3550 has the word).

    Attributes:
        since: the first number that it is about.
        upto: the last one. Beats and reports are left out.
        sent: numbers and topics.
        is_sample: whether `sent` has only the last ones, because there are so many.
        forgotten: up to this number the node does not know any more what it has sent.
    """

    origin: str
    since: int
    upto: int
    sent: tuple[tuple[int, str], ...]
    is_sample: bool = False
    forgotten: int = 0


class ReceiverReport(Numbered, tag=51):
    """What a node has received, whenever that has changed.

    Attributes:
        received: senders, the numbers up to which it has looked at what they sent, and how many of
            their messages for it have not arrived, in all.
    """

    origin: str
    received: tuple[tuple[str, int, int], ...]


class AskSent(Numbered, tag=52):
    """A node asks another what it has sent since a number."""

    origin: str
    since: int


class AskBeat(Numbered, tag=53):
    """A program that only pushes asks all nodes for a beat, from which it learns their time."""

    origin: str


class KeepTimer(Numbered, tag=95):
    """A timer whose home the receiver is.

    Attributes:
        id: of this setting of the timer; a successor with the same key has another.
        seconds: until the next call; negative if it is overdue.
        interval: from one call to the next; 0 for one call.
        set_at: when it was set: of two settings of one key the later one counts.
        is_new: whether it was set just now; if not, its homes have changed.
    """

    origin: str
    key: str
    id: str
    name: str
    args: bytes
    seconds: float
    interval: float
    set_at: int
    is_new: bool


class AskTimers(Numbered, tag=97):
    """A node may have missed messages: it asks another for the timers whose home it is."""

    origin: str


class DropTimer(Numbered, tag=96):
    """A timer was cancelled, or its only call has ended.

    Attributes:
        id: the setting that is meant; empty for any.
    """

    origin: str
    key: str
    id: str = ""


# What needs no report about itself.
UNREPORTED = (NodeBeat, SenderReport, ReceiverReport, AskSent, AskBeat)
# What a node of version 4 does not know: a new kind of message belongs here.
SINCE_VERSION_5 = (
    SenderReport,
    ReceiverReport,
    AskSent,
    AskBeat,
    NextPart,
    HomeWord,
    SharedUids,
    GapSeen,
    HandOver,
    KeepTimer,
    DropTimer,
    AskTimers,
)
# Messages that only `presence_sync` handles.
ABOUT_USERS = (Hold, Release, HeldUids, AskHeldUids, HomeWord, SharedUids)
NodeMessage = (
    Relay
    | KeepTimer
    | DropTimer
    | AskTimers
    | NodeBeat
    | NodeQuestion
    | NodeAnswer
    | NextPart
    | NodeLeaves
    | Hold
    | Release
    | HeldUids
    | AskHeldUids
    | HomeWord
    | SharedUids
    | GapSeen
    | HandOver
    | SenderReport
    | ReceiverReport
    | AskSent
    | AskBeat
)

BETWEEN_NODES = WireFormat(NodeMessage)
