"""What gateway processes say to each other by the broker. Pure."""

from __future__ import annotations

from lineman.gateway.wire.messages import LinkAnswer, LinkQuestion, Order
from lineman.links.framing import Message, WireFormat


class Relay(Message, tag=40):
    """An order from another node.

    Attributes:
        origin: the node that passed it on; it has done its own part.
        number: of the order at its origin: a node that is reached in two ways does it once.
    """

    origin: str
    number: int
    order: Order


class NodeBeat(Message, tag=41):
    """A node lives; it says so every second."""

    origin: str


class NodeQuestion(Message, tag=42):
    """A question from another node."""

    origin: str
    ask: LinkQuestion


class NodeAnswer(Message, tag=43):
    """The answer of one node to another's question."""

    origin: str
    answer: LinkAnswer


class NodeLeaves(Message, tag=44):
    """A node ends in order: nobody need wait until its beats are missed."""

    origin: str


class Hold(Message, tag=45):
    """A node holds these uids, whose home another one is.

    Attributes:
        is_news: whether it has begun to; if not, it did already, and the homes have changed.
    """

    origin: str
    names: tuple[str, ...]
    is_news: bool


class Release(Message, tag=46):
    """A node holds these uids no more."""

    origin: str
    names: tuple[str, ...]


class HeldUids(Message, tag=47):
    """All uids that a node holds and whose home another one is, in parts: what is not named is no
    more. It is said when messages may have been missed.
    """

    origin: str
    names: tuple[str, ...]
    part: int
    is_last: bool


class AskHeldUids(Message, tag=48):
    """A node may have missed messages: it asks the others which uids they hold."""

    origin: str


# Messages that only the presence part handles.
ABOUT_USERS = (Hold, Release, HeldUids, AskHeldUids)
NodeMessage = (
    Relay
    | NodeBeat
    | NodeQuestion
    | NodeAnswer
    | NodeLeaves
    | Hold
    | Release
    | HeldUids
    | AskHeldUids
)

BETWEEN_NODES = WireFormat(NodeMessage)
