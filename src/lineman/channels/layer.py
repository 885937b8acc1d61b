"""`CHANNEL_LAYERS = {"default": {"BACKEND": "lineman.channels.Layer"}}`."""

from __future__ import annotations

import logging
import os
import secrets
import time
import weakref
from collections.abc import Mapping
from typing import Any

from channels.exceptions import ChannelFull
from channels.layers import BaseChannelLayer

from lineman.channels import layer_options
from lineman.channels.hub_line import HubLine
from lineman.channels.hub_place import HubPlace
from lineman.channels.layer_messages import (
    MAX_MESSAGE,
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
    Outcome,
    Receive,
    Received,
    StopReceiving,
    Taken,
    owner_of,
)
from lineman.channels.memberships import Memberships
from lineman.channels.own_channels import OwnChannels
from lineman.errors import UsageError
from lineman.links.framing import Message
from lineman.links.plain_values import decode_plain, encode_plain

logger = logging.getLogger("lineman")


class ForeignChannelError(UsageError, AssertionError):
    """A channel that belongs to another process cannot be received from here."""


class Layer(BaseChannelLayer):  # type: ignore[misc]
    """A channel layer for Django Channels whose processes talk through a hub of their own.

    The hub is a process that the first layer starts, and that ends when nothing uses it. Messages
    are delivered at most once. One layer may be used in all event loops and threads of its process.

    Args:
        name: what all processes of the service have in common; None for one that is made from
            Django's `SECRET_KEY`.
        broker: the broker to other machines: `redis://…` or `nats://…`, in all forms that
            `Gateway.broker` takes; None for one machine.
        path: the path of the hub's unix socket, for processes in several containers that share a
            directory; empty for an abstract socket, which needs none.
        expiry: seconds after which a message that nobody has received is dropped.
        group_expiry: seconds after which a membership in a group ends, unless it is renewed.
        capacity: messages that a channel may have; further ones raise `ChannelFull`.
        channel_capacity: other capacities for channels by their names: globs, or compiled regular
            expressions; the first that matches counts.

    Raises:
        ConfigError: an option cannot work.
    """

    extensions = ["groups", "flush"]  # noqa: RUF012 - as every layer has it

    def __init__(
        self,
        name: str | None = None,
        broker: str | None = None,
        path: str = "",
        expiry: float = 60,
        group_expiry: float = 86400,
        capacity: int = 100,
        channel_capacity: Mapping[Any, int] | None = None,
        **unknown: object,
    ) -> None:
        layer_options.check(
            name, broker, path, expiry, group_expiry, capacity, channel_capacity, unknown
        )
        super().__init__(expiry=expiry, capacity=capacity)
        self.channel_capacity = self.compile_capacities(dict(channel_capacity or {}))
        self.group_expiry = group_expiry
        self._name = name
        self._broker = broker
        self._path = path
        self._begin()
        _layers.add(self)

    def _begin(self) -> None:
        self.client_prefix = secrets.token_hex(12)
        self._own = OwnChannels(self.get_capacity)
        self._members = Memberships()  # its own channels, with line.lock held
        self._joined: set[str] = set()  # groups that the hub has put it in
        self._line = HubLine(self._place, self._greeting, self._on_message, self._is_needed)

    def _begin_in_child(self) -> None:
        """A forked process is another one: it has channels and a connection of its own."""
        self._line.forget()
        self._begin()

    def _place(self) -> HubPlace:
        if self._name is None:
            self._name = layer_options.name_from_django()
        return HubPlace(self._name, self._broker, self._path)

    # Channels.

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Sends a message to a channel.

        Raises:
            ChannelFull: the channel has as many messages as it may have.
            TypeError: the channel's name is invalid.
            UsageError: the message is no dictionary, or cannot be sent.
            ConfigError: the hub is not reached.
        """
        payload = _encode(message)
        self.require_valid_channel_name(channel)
        if owner_of(channel) == self.client_prefix:
            outcome = self._put(channel, payload, self.expiry)
        else:
            capacity = self.get_capacity(channel)
            answer = await self._line.ask(
                lambda number: ChannelSend(number, channel, payload, self.expiry, capacity)
            )
            outcome = answer.outcome
        if outcome == "full":
            raise ChannelFull(channel)

    def _put(self, channel: str, payload: bytes, seconds: float) -> Outcome:
        return "done" if self._own.put(channel, payload, seconds) else "full"

    async def receive(self, channel: str) -> dict[str, Any]:
        """Receives the oldest message of a channel, and waits until there is one.

        Raises:
            TypeError: the channel's name is invalid.
            ForeignChannelError: the channel belongs to another process.
            ConfigError: the hub is not reached.
        """
        self.require_valid_channel_name(channel)
        owner = owner_of(channel)
        if owner == self.client_prefix:
            payload = self._own.take(channel)
            if payload is None:
                await self._line.watch()
                payload = await self._own.get(channel)
        elif "!" in channel:
            raise ForeignChannelError(
                f"the channel {channel!r} belongs to another process, or to another layer of "
                "this one; receive from channels that new_channel() of this layer has named"
            )
        else:
            payload = await self._receive(channel)
        message: dict[str, Any] = decode_plain(payload)
        return message

    async def _receive(self, channel: str) -> bytes:
        number = 0

        def make(its_number: int) -> Receive:
            nonlocal number
            number = its_number
            return Receive(number, channel)

        try:
            received = await self._line.ask(make, again=True)
        except BaseException:
            if number:
                self._line.post(StopReceiving(number, channel))
            raise
        payload: bytes = received.payload
        return payload

    async def new_channel(self, prefix: str = "specific") -> str:
        """A new name for a channel that only this process can receive from."""
        return f"{prefix}.{self.client_prefix}!{secrets.token_hex(8)}"

    # Groups.

    async def group_add(self, group: str, channel: str) -> None:
        """Adds a channel to a group; if it is there, its membership is renewed.

        Raises:
            TypeError: a name is invalid.
            ConfigError: the hub is not reached.
        """
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        seconds = self.group_expiry
        if owner_of(channel) != self.client_prefix:
            capacity = self.get_capacity(channel)
            await self._line.ask(
                lambda number: AddMember(number, group, channel, seconds, capacity), again=True
            )
            return
        with self._line.lock:
            self._members.add(group, channel, time.monotonic() + seconds)
            if group in self._joined:
                return
        await self._line.ask(lambda number: GroupJoin(number, group), again=True)
        with self._line.lock:
            if self._members.of(group, time.monotonic()):
                self._joined.add(group)
            else:
                self._line.post(GroupLeave(group))  # another thread has removed it meanwhile

    async def group_discard(self, group: str, channel: str) -> None:
        """Removes a channel from a group, if it is there.

        Raises:
            TypeError: a name is invalid.
            ConfigError: the hub is not reached.
        """
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        if owner_of(channel) != self.client_prefix:
            await self._line.ask(lambda number: DropMember(number, group, channel), again=True)
            return
        self._drop(group, channel)

    def _drop(self, group: str, channel: str) -> None:
        with self._line.lock:
            if self._members.drop(group, channel) and group in self._joined:
                self._joined.discard(group)
                self._line.post(GroupLeave(group))

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Sends a message to each channel of a group; those that are full do not get it.

        Raises:
            TypeError: the group's name is invalid.
            UsageError: the message is no dictionary, or cannot be sent.
            ConfigError: the hub is not reached.
        """
        payload = _encode(message)
        self.require_valid_group_name(group)
        self._put_to_group(group, payload, self.expiry)
        await self._line.send(GroupSend(group, payload, self.expiry))

    def _put_to_group(self, group: str, payload: bytes, seconds: float) -> None:
        with self._line.lock:
            members = self._members.of(group, time.monotonic())
        full = sum(not self._own.put(channel, payload, seconds) for channel, _ in members)
        if full:
            logger.info("%s of %s channels over capacity in group %s", full, len(members), group)

    # Flushing and closing.

    async def flush(self) -> None:
        """Deletes all messages and memberships of the service, in all its processes."""
        self._clear()
        await self._line.ask(Flush, again=True)

    def _clear(self) -> None:
        with self._line.lock:
            self._own.clear()
            self._members.clear()
            self._joined.clear()

    async def close(self) -> None:
        """Ends the connection to the hub, and forgets memberships; the next call connects again."""
        self._clear()
        self._line.cut()

    # What the hub sends.

    def _greeting(self) -> list[Message]:
        groups = self._members.groups(time.monotonic())
        return [LayerHello(self.client_prefix), *(GroupJoin(0, group) for group in groups)]

    def _is_needed(self) -> bool:
        return bool(self._joined) or self._own.is_awaited

    def _on_message(self, message: Any) -> None:
        kind = type(message)
        if kind is GroupSend:
            self._put_to_group(message.group, message.payload, message.seconds)
        elif kind is ChannelDelivery:
            outcome = self._put(message.channel, message.payload, message.seconds)
            if message.ticket:
                self._line.post(Taken(message.ticket, outcome))
        elif kind is Received:
            self._line.post(GiveBack(message.channel, message.payload, message.seconds))
        elif kind is AddMember:
            self._add_for_another(message)
        elif kind is DropMember:
            self._drop(message.group, message.channel)
        elif kind is Flush:
            self._clear()
        elif kind is not HubAnswer:
            logger.warning("channel layer: %s", message.text)

    def _add_for_another(self, add: AddMember) -> None:
        self._members.add(add.group, add.channel, time.monotonic() + add.seconds)
        if add.group not in self._joined:
            self._joined.add(add.group)
            self._line.post(GroupJoin(0, add.group))


def _encode(message: object) -> bytes:
    if not isinstance(message, dict):
        raise UsageError(
            f"a message of a channel layer is a dictionary, got {type(message).__name__}; "
            'write {"type": "chat.message", "text": …}'
        )
    return encode_plain("the message", message, MAX_MESSAGE)


_layers: weakref.WeakSet[Layer] = weakref.WeakSet()


def _after_fork() -> None:
    for layer in list(_layers):
        layer._begin_in_child()


os.register_at_fork(after_in_child=_after_fork)
