"""What the hubs of several machines say to each other, by a broker that stores nothing.

A group is a topic that the hubs with channels in it subscribe to, and so is a layer, for messages
to its own channels. A message for a general channel stays in the hub that has got it until another
hub, where a layer waits, asks for it; a question that was lost is asked again a second later.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import Protocol

from lineman.base.loglimit import LogLimit
from lineman.brokers.base import MakeBroker, Subscriber
from lineman.channels.layer_messages import AddMember, DropMember, GroupSend, owner_of
from lineman.links.framing import BadMessageError, Message, WireFormat, encode

logger = logging.getLogger("lineman")

ALL = "hubs"


class ToGroup(Message, tag=1):
    """A message for the channels of a group."""

    origin: str
    group: str
    payload: bytes
    seconds: float


class ToChannel(Message, tag=2):
    """A message for a channel that belongs to a layer."""

    origin: str
    channel: str
    payload: bytes
    seconds: float


class HasMessage(Message, tag=3):
    """A general channel has a message at this hub."""

    origin: str
    channel: str


class WantsMessage(Message, tag=4):
    """A layer at this hub waits for a message of the channel."""

    origin: str
    channel: str


class HereItIs(Message, tag=5):
    """A message for a layer that waits."""

    origin: str
    channel: str
    payload: bytes
    seconds: float


class MemberAdded(Message, tag=6):
    """A channel that is not the sender's own was added to a group; see `AddMember`."""

    origin: str
    group: str
    channel: str
    seconds: float
    capacity: int


class MemberDropped(Message, tag=7):
    """A channel was removed from a group."""

    origin: str
    group: str
    channel: str


class Flushed(Message, tag=8):
    """All messages and memberships are deleted."""

    origin: str


class Arrived(Message, tag=9):
    """A hub has reached the broker, and wants to know the memberships of general channels."""

    origin: str


FROM_HUBS = WireFormat(
    ToGroup
    | ToChannel
    | HasMessage
    | WantsMessage
    | HereItIs
    | MemberAdded
    | MemberDropped
    | Flushed
    | Arrived
)


class Here(Protocol):
    """The hub of this machine."""

    def pass_on_to_group(self, send: GroupSend) -> None:
        """Hands a message to the layers that have channels in a group."""

    def deliver(self, owner: str, channel: str, payload: bytes, seconds: float) -> None:
        """Hands a message to the layer that its channel belongs to."""

    def take(self, channel: str) -> tuple[float, bytes] | None:
        """The seconds that the oldest message of a general channel has left, and the message."""

    def accept(self, channel: str, payload: bytes, seconds: float) -> None:
        """Adds a message that another machine has handed over."""

    def wants(self, channel: str) -> bool:
        """Whether a layer waits for a message of this general channel."""

    def add_member(self, add: AddMember) -> None:
        """Adds a channel to a group."""

    def drop_member(self, drop: DropMember) -> None:
        """Removes a channel from a group."""

    def members(self) -> list[AddMember]:
        """The memberships of general channels."""

    def groups(self) -> list[str]:
        """The groups in which layers here have channels."""

    def owners(self) -> list[str]:
        """The prefixes of the layers here."""

    def flush(self) -> None:
        """Deletes all messages and memberships."""

    def tell_all(self, text: str) -> None:
        """Tells every layer something for the log."""


class OtherHubs:
    """Sends to the hubs of other machines, and hands theirs to the hub of this one.

    Args:
        here: the hub of this machine.
        make_broker: makes the broker.
    """

    def __init__(self, here: Here, make_broker: MakeBroker) -> None:
        self._here = here
        self._origin = os.urandom(8).hex()
        self._log = LogLimit(logger)
        self._was_away = False
        self._broker = make_broker(Subscriber(self._on_message, self._on_state, self._topics))

    async def start(self) -> None:
        """Connects to the broker, and keeps trying.

        Raises:
            ConfigError: the broker can never work.
        """
        await self._broker.start()

    async def close(self) -> None:
        """Sends what was published, then ends."""
        await self._broker.close()

    @property
    def trouble(self) -> str:
        """Why other machines are not reached, as a sentence; empty if they are."""
        if self._broker.is_connected or self._broker.trouble == "it has not answered yet":
            return ""
        return (
            "messages do not reach other machines, because the broker "
            f"{self._broker.shown} is away: {self._broker.trouble}"
        )

    def _topics(self) -> Iterable[str]:
        here = self._here
        groups = [f"group:{each}" for each in here.groups()]
        return [ALL, f"hub:{self._origin}", *groups, *(f"layer:{each}" for each in here.owners())]

    def _on_state(self, is_connected: bool) -> None:
        if is_connected:
            self._publish(ALL, Arrived(self._origin))
            if self._was_away:
                self._here.tell_all("the broker is back: messages reach other machines again")
        else:
            self._here.tell_all(self.trouble)
        self._was_away = not is_connected

    def _publish(self, topic: str, message: Message) -> None:
        self._broker.publish(topic, encode(message))

    # What this machine does.

    def own(self, prefix: str) -> None:
        """A layer is here."""
        self._broker.subscribe([f"layer:{prefix}"])

    def disown(self, prefix: str) -> None:
        """A layer has gone."""
        self._broker.unsubscribe([f"layer:{prefix}"])

    def join(self, group: str) -> None:
        """A layer here has a channel in a group."""
        self._broker.subscribe([f"group:{group}"])

    def leave(self, group: str) -> None:
        """No layer here has a channel in a group."""
        self._broker.unsubscribe([f"group:{group}"])

    def group_send(self, send: GroupSend) -> None:
        """Sends a message to the channels of a group at other machines."""
        message = ToGroup(self._origin, send.group, send.payload, send.seconds)
        self._publish(f"group:{send.group}", message)

    def deliver(self, owner: str, channel: str, payload: bytes, seconds: float) -> None:
        """Sends a message to a channel of a layer at another machine."""
        self._publish(f"layer:{owner}", ToChannel(self._origin, channel, payload, seconds))

    def offer(self, channel: str) -> None:
        """Says that a general channel has a message here."""
        self._publish(ALL, HasMessage(self._origin, channel))

    def ask_for(self, channels: Iterable[str]) -> None:
        """Asks for a message of each general channel, for a layer that waits here."""
        for channel in channels:
            self._publish(ALL, WantsMessage(self._origin, channel))

    def change_member(self, change: AddMember | DropMember) -> None:
        """Says that a channel, which is general or of a layer elsewhere, was added or removed."""
        owner = owner_of(change.channel)
        self._publish(f"layer:{owner}" if owner else ALL, self._member(change))

    def _member(self, change: AddMember | DropMember) -> Message:
        group, channel = change.group, change.channel
        if isinstance(change, DropMember):
            return MemberDropped(self._origin, group, channel)
        return MemberAdded(self._origin, group, channel, change.seconds, change.capacity)

    def flush(self) -> None:
        """Has all machines delete everything."""
        self._publish(ALL, Flushed(self._origin))

    # What other machines do.

    def _on_message(self, topic: str, payload: bytes) -> None:
        try:
            message = FROM_HUBS.decode(payload)
        except BadMessageError as error:
            text = "topic %.80r: no message of a hub: %s"
            self._log.log(logging.WARNING, "bad messages of hubs", text, topic, error)
            return
        if message.origin == self._origin:
            return
        here = self._here
        match message:
            case ToGroup():
                send = GroupSend(message.group, message.payload, message.seconds)
                here.pass_on_to_group(send)
            case ToChannel():
                owner = owner_of(message.channel)
                here.deliver(owner, message.channel, message.payload, message.seconds)
            case HasMessage():
                if here.wants(message.channel):
                    self._ask(message.origin, message.channel)
            case WantsMessage():
                self._give(message.origin, message.channel)
            case HereItIs():
                here.accept(message.channel, message.payload, message.seconds)
            case MemberAdded(_, group, channel, seconds, capacity):
                here.add_member(AddMember(0, group, channel, seconds, capacity))
            case MemberDropped(_, group, channel):
                here.drop_member(DropMember(0, group, channel))
            case Flushed():
                here.flush()
            case Arrived():
                for add in here.members():
                    self._publish(f"hub:{message.origin}", self._member(add))

    def _ask(self, hub: str, channel: str) -> None:
        self._publish(f"hub:{hub}", WantsMessage(self._origin, channel))

    def _give(self, hub: str, channel: str) -> None:
        if not self._broker.is_connected:
            return
        found = self._here.take(channel)
        if found is not None:
            seconds, payload = found
            self._publish(f"hub:{hub}", HereItIs(self._origin, channel, payload, seconds))
