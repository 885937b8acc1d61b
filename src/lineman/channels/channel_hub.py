"""The hub of channel layers: it keeps general channels, and passes messages on to layers."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import Any, cast

from lineman.brokers.base import MakeBroker
from lineman.channels.general_channels import GeneralChannels, Handed
from lineman.channels.layer_messages import (
    TO_HUB,
    AddMember,
    ChannelDelivery,
    ChannelSend,
    DropMember,
    Flush,
    GiveBack,
    GroupJoin,
    GroupLeave,
    GroupSend,
    HubAnswer,
    LayerHello,
    Notice,
    Outcome,
    Receive,
    Received,
    StopReceiving,
    Taken,
    owner_of,
)
from lineman.channels.memberships import Memberships
from lineman.channels.other_hubs import OtherHubs
from lineman.links.framing import Message
from lineman.links.link import Link

logger = logging.getLogger("lineman")

# Seconds between two looks at what has expired, and at whether the hub is still needed.
LOOK = 1.0
BACKLOG = 512


class LayerEnd:
    """A layer as the hub knows it.

    Attributes:
        prefix: its prefix; empty before its `LayerHello`.
        groups: the groups in which it has channels.
        lost: messages that it has not got, because it reads too slowly.
    """

    __slots__ = ("groups", "lost", "prefix")

    def __init__(self) -> None:
        self.prefix = ""
        self.groups: set[str] = set()
        self.lost = 0


class ChannelHub:
    """Serves the layers of one machine.

    Args:
        make_broker: makes the broker to the hubs of other machines; None for one machine.
    """

    def __init__(self, make_broker: MakeBroker | None = None) -> None:
        self._layers: dict[Link, LayerEnd] = {}
        self._owners: dict[str, Link] = {}
        self._groups: dict[str, set[Link]] = {}
        self._members = Memberships()  # general channels, with their capacities
        self._channels: GeneralChannels[Link] = GeneralChannels()
        self._tickets: dict[int, tuple[Link, Link, int]] = {}  # owner, sender, the sender's number
        self._next_ticket = count(1)
        self._server: asyncio.Server | None = None
        self._used_at = time.monotonic()
        self._others = None if make_broker is None else OtherHubs(self, make_broker)
        self._do: dict[type[Message], Callable[[Link, Any], None]] = {
            ChannelSend: self._send,
            GroupSend: self._group_send,
            Receive: self._receive,
            StopReceiving: self._stop_receiving,
            GiveBack: lambda link, back: self.put_back(back.channel, back.payload, back.seconds),
            GroupJoin: self._join,
            GroupLeave: lambda link, leave: self._leave(link, leave.group),
            AddMember: self._add_member,
            DropMember: self._drop_member,
            Flush: self._flush,
            Taken: self._taken,
        }

    async def start(self, end: socket.socket) -> None:
        """Listens at a unix socket that has its address.

        Raises:
            ConfigError: the broker can never work.
        """
        make = cast(Any, lambda: Link(TO_HUB, self._on_batch, self._on_end))
        if self._others is not None:
            await self._others.start()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(make, sock=end, backlog=BACKLOG)

    async def run(self, patience: float) -> None:
        """Returns when it was not needed for some seconds."""
        while True:
            await asyncio.sleep(LOOK)
            now = time.monotonic()
            has_messages = self._channels.expire(now)
            if self._layers or has_messages or self._members.groups(now):
                self._used_at = now
            elif now - self._used_at > patience:
                return
            if self._others is not None:
                self._others.ask_for(self._channels.wanted)
            for link, layer in self._layers.items():
                if layer.lost and not link.is_clogged:
                    lost, layer.lost = layer.lost, 0
                    self._tell(link, f"it read too slowly, and {lost} messages for it were lost")

    async def stop(self) -> None:
        """Accepts no more layers, and ends the links of the others."""
        if self._server is not None:
            self._server.close()
        for link in list(self._layers):
            link.close()
        if self._others is not None:
            await self._others.close()

    # Layers come and go.

    def _on_batch(self, link: Link, batch: list[Any]) -> None:
        layer = self._layers.get(link)
        if layer is None:
            if link.peer_uid() not in (None, 0, os.getuid()):
                link.fail(f"it runs as user {link.peer_uid()}, not as {os.getuid()}")
                return
            layer = self._layers[link] = LayerEnd()
        for message in batch:
            if type(message) is LayerHello:
                self._hello(link, layer, message.prefix)
            else:
                self._do[type(message)](link, message)

    def _hello(self, link: Link, layer: LayerEnd, prefix: str) -> None:
        layer.prefix = prefix
        self._owners[prefix] = link  # a layer that comes back before its old link has ended
        if self._others is not None:
            self._others.own(prefix)
            if trouble := self._others.trouble:
                self._tell(link, trouble)

    def _on_end(self, link: Link, reason: str) -> None:
        layer = self._layers.pop(link, None)
        if layer is None:
            return
        for group in list(layer.groups):
            self._forget_group(link, group)
        self._channels.forget(link)
        if self._owners.get(layer.prefix) is link:
            del self._owners[layer.prefix]
            if self._others is not None:
                self._others.disown(layer.prefix)
        for ticket, (owner, sender, number) in list(self._tickets.items()):
            if owner is link:
                del self._tickets[ticket]
                sender.post(HubAnswer(number, "done"))  # at most once: the message went with it

    def _tell(self, link: Link, text: str) -> None:
        link.post(Notice(text))

    def tell_all(self, text: str) -> None:
        """Tells every layer something that belongs in the log of its process."""
        for link in self._layers:
            self._tell(link, text)

    # Messages for one channel.

    def _send(self, link: Link, send: ChannelSend) -> None:
        owner = owner_of(send.channel)
        if not owner:
            outcome = self.put(send.channel, send.payload, send.seconds, send.capacity)
            link.post(HubAnswer(send.number, outcome))
            return
        to = self._owners.get(owner)
        if to is None:
            if self._others is not None:
                self._others.deliver(owner, send.channel, send.payload, send.seconds)
            link.post(HubAnswer(send.number, "done"))
        elif to.is_clogged:
            link.post(HubAnswer(send.number, "full"))
        else:
            ticket = next(self._next_ticket)
            self._tickets[ticket] = (to, link, send.number)
            deliver = ChannelDelivery(ticket, send.channel, send.payload, send.seconds)
            to.post(deliver, len(send.payload))

    def _taken(self, link: Link, taken: Taken) -> None:
        _, sender, number = self._tickets.pop(taken.ticket, (None, None, 0))
        if sender is not None:
            sender.post(HubAnswer(number, taken.outcome))

    def put(self, channel: str, payload: bytes, seconds: float, capacity: int) -> Outcome:
        """Adds a message to a general channel."""
        now = time.monotonic()
        put = self._channels.put(channel, payload, now + seconds, now, capacity)
        if isinstance(put, Handed):
            self._hand(put, channel, payload, seconds)
        elif put and self._others is not None:
            self._others.offer(channel)
        return "done" if put else "full"

    def put_back(self, channel: str, payload: bytes, seconds: float) -> None:
        """Adds a message that nobody has got; it is the next one to be received."""
        handed = self._channels.put_back(channel, payload, time.monotonic() + seconds)
        if handed is not None:
            self._hand(handed, channel, payload, seconds)

    def accept(self, channel: str, payload: bytes, seconds: float) -> None:
        """Adds a message that another machine has handed over, behind those that it has before."""
        now = time.monotonic()
        put = self._channels.put(channel, payload, now + seconds, now, sys.maxsize)
        if isinstance(put, Handed):
            self._hand(put, channel, payload, seconds)

    def take(self, channel: str) -> tuple[float, bytes] | None:
        """The seconds that the oldest message of a general channel has left, and the message."""
        now = time.monotonic()
        found = self._channels.take(channel, now)
        return None if found is None else (found[0] - now, found[1])

    def wants(self, channel: str) -> bool:
        """Whether a layer waits for a message of this general channel."""
        return self._channels.has_waiting(channel)

    def _hand(self, handed: Handed[Link], channel: str, payload: bytes, seconds: float) -> None:
        handed.layer.post(Received(handed.number, channel, payload, seconds), len(payload))

    def _receive(self, link: Link, receive: Receive) -> None:
        found = self.take(receive.channel)
        if found is not None:
            self._hand(Handed(link, receive.number), receive.channel, found[1], found[0])
            return
        self._channels.wait(receive.channel, link, receive.number)
        if self._others is not None:
            self._others.ask_for([receive.channel])

    def _stop_receiving(self, link: Link, stop: StopReceiving) -> None:
        self._channels.stop_waiting(stop.channel, link, stop.number)

    def deliver(self, owner: str, channel: str, payload: bytes, seconds: float) -> None:
        """Hands a message from another machine to the layer that its channel belongs to."""
        link = self._owners.get(owner)
        if link is not None:
            self._pass_on(link, ChannelDelivery(0, channel, payload, seconds), len(payload))

    def _pass_on(self, link: Link, message: Message, size: int) -> None:
        if link.is_clogged:
            self._layers[link].lost += 1
        else:
            link.post(message, size)

    # Groups.

    def _join(self, link: Link, join: GroupJoin) -> None:
        self._layers[link].groups.add(join.group)
        links = self._groups.get(join.group)
        if links is None:
            links = self._groups[join.group] = set()
            if self._others is not None:
                self._others.join(join.group)
        links.add(link)
        link.post(HubAnswer(join.number, "done"))

    def _leave(self, link: Link, group: str) -> None:
        layer = self._layers.get(link)
        if layer is not None and group in layer.groups:
            layer.groups.discard(group)
            self._forget_group(link, group)

    def _forget_group(self, link: Link, group: str) -> None:
        links = self._groups[group]
        links.discard(link)
        if not links:
            del self._groups[group]
            if self._others is not None:
                self._others.leave(group)

    def _group_send(self, link: Link, send: GroupSend) -> None:
        self.pass_on_to_group(send, link)
        for channel, capacity in self._members.of(send.group, time.monotonic()):
            self.put(channel, send.payload, send.seconds, capacity)
        if self._others is not None:
            self._others.group_send(send)

    def pass_on_to_group(self, send: GroupSend, sender: Link | None = None) -> None:
        """Hands a message to the layers that have channels in a group, the sender excepted."""
        for link in self._groups.get(send.group, ()):
            if link is not sender:
                self._pass_on(link, send, len(send.payload))

    def _add_member(self, link: Link, add: AddMember) -> None:
        self.add_member(add)
        if self._others is not None:
            self._others.change_member(add)
        link.post(HubAnswer(add.number, "done"))

    def add_member(self, add: AddMember) -> None:
        """Adds a general channel, or one of a layer here, to a group."""
        owner = owner_of(add.channel)
        if not owner:
            until = time.monotonic() + add.seconds
            self._members.add(add.group, add.channel, until, add.capacity)
        elif to := self._owners.get(owner):
            to.post(AddMember(0, add.group, add.channel, add.seconds, add.capacity))

    def _drop_member(self, link: Link, drop: DropMember) -> None:
        self.drop_member(drop)
        if self._others is not None:
            self._others.change_member(drop)
        link.post(HubAnswer(drop.number, "done"))

    def drop_member(self, drop: DropMember) -> None:
        """Removes a general channel, or one of a layer here, from a group."""
        owner = owner_of(drop.channel)
        if not owner:
            self._members.drop(drop.group, drop.channel)
        elif to := self._owners.get(owner):
            to.post(DropMember(0, drop.group, drop.channel))

    def members(self) -> list[AddMember]:
        """The memberships of general channels, for a hub that has just come."""
        now = time.monotonic()
        return [
            AddMember(0, group, channel, until - now, capacity)
            for group, channel, until, capacity in self._members.all(now)
        ]

    # What other hubs need to know, and flushing.

    def groups(self) -> list[str]:
        """The groups in which layers here have channels."""
        return list(self._groups)

    def owners(self) -> list[str]:
        """The prefixes of the layers here."""
        return list(self._owners)

    def _flush(self, link: Link, flush: Flush) -> None:
        self.flush(link)
        if self._others is not None:
            self._others.flush()
        link.post(HubAnswer(flush.number, "done"))

    def flush(self, sender: Link | None = None) -> None:
        """Deletes all messages and memberships, in layers too."""
        self._channels.clear()
        self._members.clear()
        for link, layer in self._layers.items():
            for group in list(layer.groups):
                self._leave(link, group)
            if link is not sender:
                link.post(Flush(0))
