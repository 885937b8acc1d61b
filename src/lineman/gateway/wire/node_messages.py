"""The messages that gateway processes send each other by the broker. Pure."""

from __future__ import annotations

import enum

from lineman.gateway.wire.messages import LinkAnswer, LinkQuestion, Order
from lineman.links.framing import Message, WireFormat


class Relay(Message, tag=40):
    """An order from another node.

    Attributes:
        origin: the node that passed it on; it has already carried out its own part.
        number: the order's number at its origin, so that a node that gets it twice acts once.
    """

    origin: str
    number: int
    order: Order


class NodeBeat(Message, tag=41):
    """A sign of life, which each node sends every second."""

    origin: str


class NodeQuestion(Message, tag=42):
    """A question from another node.

    Attributes:
        takes_parts: whether the asker understands an answer in parts.
    """

    origin: str
    ask: LinkQuestion
    takes_parts: bool = False


class NodeAnswer(Message, tag=43):
    """The answer of one node to another's question, or a part of it.

    Attributes:
        part: the number of the part, from 0.
        has_more: whether there is another part, which the asker gets by `NextPart`.
    """

    origin: str
    answer: LinkAnswer
    part: int = 0
    has_more: bool = False


class NextPart(Message, tag=60):
    """Asks for the next part of an answer.

    So a node that asks many others has one part of each on its way, however large the answers are.

    Attributes:
        number: the number of the question at its asker, which `origin` is.
        part: the number of the part.
    """

    origin: str
    number: int
    part: int


class NodeLeaves(Message, tag=44):
    """A node has gone: the others need not wait until its beats are missing.

    Attributes:
        origin: the node.
        was_lost: whether another node says so, which does not hear its beats any more; False for
            one that stops normally, and has sent all before.
    """

    origin: str
    was_lost: bool = False


class Hold(Message, tag=45):
    """A node holds these uids, whose home the receiver is.

    Attributes:
        is_news: whether it holds them only now; if not, it held them before, and their homes have
            changed.
    """

    origin: str
    names: tuple[str, ...]
    is_news: bool


class Release(Message, tag=46):
    """A node no longer holds these uids."""

    origin: str
    names: tuple[str, ...]


class HeldUids(Message, tag=47):
    """All uids that a node holds and whose home the receiver is, in parts. The node no longer holds
    other uids. It is sent when messages may have been lost.
    """

    origin: str
    names: tuple[str, ...]
    part: int
    is_last: bool


class AskHeldUids(Message, tag=48):
    """A node may have missed messages: it asks the others which uids they hold."""

    origin: str


class GapKind(enum.StrEnum):
    """Why members may have missed messages of a group's history."""

    MISSED = "missed"  # on their way to one node
    MOVED = "moved"  # the history begins anew: another home, or another epoch
    REPLACED = "replaced"  # two homes had a history of the group at the same time


class GapSeen(Message, tag=80):
    """A node tells the home of a group that members may have missed messages.

    Attributes:
        epoch: the epoch that its members know.
    """

    origin: str
    group: str
    epoch: str
    kind: GapKind


# Messages that only `presence_sync` handles.
ABOUT_USERS = (Hold, Release, HeldUids, AskHeldUids)
NodeMessage = (
    Relay
    | NodeBeat
    | NodeQuestion
    | NodeAnswer
    | NextPart
    | NodeLeaves
    | Hold
    | Release
    | HeldUids
    | AskHeldUids
    | GapSeen
)

BETWEEN_NODES = WireFormat(NodeMessage)
