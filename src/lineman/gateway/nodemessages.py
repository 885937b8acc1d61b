"""What gateway processes say to each other by the broker. Pure."""

from __future__ import annotations

from lineman.gateway.messages import Answer, Ask, Message, Order, Wire


class Relay(Message, tag=40):
    """An order from another node.

    Attributes:
        origin: the node that passed it on; it has done its own part.
        number: of the order at its origin: a node that is reached in two ways does it once.
    """

    origin: str
    number: int
    order: Order


class Beat(Message, tag=41):
    """A node lives; it says so every second."""

    origin: str


class NodeAsk(Message, tag=42):
    """A question from another node."""

    origin: str
    ask: Ask


class NodeAnswer(Message, tag=43):
    """The answer of one node to another's question."""

    origin: str
    answer: Answer


class Farewell(Message, tag=44):
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


class Roll(Message, tag=47):
    """All uids that a node holds and whose home another one is, in parts: what is not named is no
    more. It is said when messages may have been missed.
    """

    origin: str
    names: tuple[str, ...]
    part: int
    is_last: bool


class RollCall(Message, tag=48):
    """A node may have missed messages: it asks the others for their rolls."""

    origin: str


# What only those take who tell of users that come and go.
ABOUT_USERS = (Hold, Release, Roll, RollCall)
NodeMessage = Relay | Beat | NodeAsk | NodeAnswer | Farewell | Hold | Release | Roll | RollCall

BETWEEN_NODES = Wire(NodeMessage)
