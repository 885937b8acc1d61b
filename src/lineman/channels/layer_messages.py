"""What channel layers and their hub say to each other. Pure.

A channel whose name has a "!" belongs to one layer object, its owner, which has the messages of the
channel and its memberships in groups. The hub has everything else.
"""

from __future__ import annotations

from typing import Literal

from lineman.links.framing import Message, WireFormat

# The name of a hub contains it: layers and hubs of different versions do not meet.
VERSION = 1
# The size of a message, in bytes. NATS takes 1 MiB.
MAX_MESSAGE = 1_000_000

Outcome = Literal["done", "full"]


class LayerHello(Message, tag=1):
    """The first message of a layer.

    Attributes:
        prefix: what the names of its own channels have before the "!".
    """

    prefix: str


class ChannelSend(Message, tag=2):
    """A message for a channel; it is answered.

    Attributes:
        seconds: the time after which the message is no longer delivered.
        capacity: how many messages the channel may have.
    """

    number: int
    channel: str
    payload: bytes
    seconds: float
    capacity: int


class GroupSend(Message, tag=3):
    """A message for the channels of a group, to the hub and from it to layers."""

    group: str
    payload: bytes
    seconds: float


class Receive(Message, tag=4):
    """Asks for one message of a channel; the answer comes when there is one."""

    number: int
    channel: str


class StopReceiving(Message, tag=5):
    """The message is no longer wanted."""

    number: int
    channel: str


class GiveBack(Message, tag=6):
    """A message that was received when it was no longer wanted."""

    channel: str
    payload: bytes
    seconds: float


class GroupJoin(Message, tag=7):
    """The layer has a channel in the group; it is answered."""

    number: int
    group: str


class GroupLeave(Message, tag=8):
    """The layer has no channel in the group any more."""

    group: str


class AddMember(Message, tag=9):
    """Adds a channel that is not the layer's own to a group; it is answered.

    From the hub to the layer that the channel belongs to, with 0 as its number: it is not answered.

    Attributes:
        seconds: the time after which the membership ends.
        capacity: how many messages the channel may have.
    """

    number: int
    group: str
    channel: str
    seconds: float
    capacity: int


class DropMember(Message, tag=10):
    """Removes such a channel from a group, likewise."""

    number: int
    group: str
    channel: str


class Flush(Message, tag=11):
    """Deletes all messages and memberships; to the hub, which answers, and to the other layers."""

    number: int


class Taken(Message, tag=12):
    """A layer's answer to `ChannelDelivery`."""

    ticket: int
    outcome: Outcome


class ChannelDelivery(Message, tag=13):
    """A message for one of the layer's own channels.

    Attributes:
        ticket: the answer has the same; 0 for no answer.
    """

    ticket: int
    channel: str
    payload: bytes
    seconds: float


class HubAnswer(Message, tag=14):
    """The answer to a message with a number."""

    number: int
    outcome: Outcome


class Received(Message, tag=15):
    """The answer to `Receive`."""

    number: int
    channel: str
    payload: bytes
    seconds: float


class Notice(Message, tag=16):
    """Something that the people who run the layer's process should know."""

    text: str


TO_HUB = WireFormat(
    LayerHello
    | ChannelSend
    | GroupSend
    | Receive
    | StopReceiving
    | GiveBack
    | GroupJoin
    | GroupLeave
    | AddMember
    | DropMember
    | Flush
    | Taken
)
TO_LAYER = WireFormat(
    ChannelDelivery | GroupSend | HubAnswer | Received | AddMember | DropMember | Flush | Notice
)


def owner_of(channel: str) -> str:
    """The prefix of the layer that a channel belongs to; empty if it belongs to none."""
    before, mark, _ = channel.partition("!")
    return before.rpartition(".")[2] if mark else ""
