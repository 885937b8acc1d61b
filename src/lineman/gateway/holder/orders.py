"""Carries out orders on the clients of one gateway process."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Container

from lineman.base.loglimit import LogLimit
from lineman.errors import UsageError
from lineman.gateway.cluster.uids_elsewhere import UidsElsewhere
from lineman.gateway.holder.group_histories import Frame, Histories, frame_as_json
from lineman.gateway.holder.held_client import HeldClient
from lineman.gateway.holder.registry import Registry
from lineman.gateway.wire.messages import (
    Bind,
    Change,
    CloseClient,
    Deliver,
    DestroyClient,
    End,
    Join,
    Leave,
    Order,
    PublishToGroup,
    Send,
    Ungroup,
)
from lineman.gateway.wire.session_data import decode_session, encode_session, merge
from lineman.links.records import to_payload
from lineman.net.connection.broadcast import broadcast

logger = logging.getLogger("lineman")

ClientOrder = End | Change


class Orders:
    """Carries out orders, as far as they concern the clients here.

    Args:
        node: the name of this process.
        on_changed: called with a client whose uid, groups or session have changed.
        histories: of the groups whose home this process is; None if none are kept.
        frame: makes what members get of a kept message.

    Attributes:
        clients: the open clients by id.
        handshaking: the clients that are not let in yet, by id.
        registry: the uids and groups of the clients.
        delivered: messages given to clients.
        elsewhere: which of the uids here other nodes may hold too.
        expected: uids that count as online here without a client, because it is about to return.
        accepts: whether the members here may get a message with this place in the history of their
            group; None where all come from this process, and none is late.
    """

    def __init__(
        self,
        node: str,
        on_changed: Callable[[HeldClient], None],
        histories: Histories | None = None,
        frame: Frame = frame_as_json,
    ) -> None:
        self._node = node
        self._log = LogLimit(logger)
        self._on_changed = on_changed
        self._frame = frame
        self.histories = histories
        self.clients: dict[str, HeldClient] = {}
        self.handshaking: dict[str, HeldClient] = {}
        self.registry: Registry[HeldClient] = Registry()
        self.delivered = 0
        self.elsewhere = UidsElsewhere(is_alone=True)
        self.expected: Container[str] = ()
        self.accepts: Callable[[str, str, int], bool] | None = None

    def carry_out(self, order: Order) -> None:
        """Does the part of an order that concerns the clients of this process.

        Raises:
            UsageError: the order cannot be carried out, for example for an invalid session.
        """
        if isinstance(order, Send):
            self._deliver(to_payload(order.data), self._receivers(order))
        elif isinstance(order, Deliver):
            data = self._frame(order.group, order.epoch, order.offset, to_payload(order.data))
            members = self.registry.members_of_group(order.group)
            accepts = self.accepts
            if members and (accepts is None or accepts(order.group, order.epoch, order.offset)):
                self._deliver(data, members)
        elif isinstance(order, Ungroup):
            members = list(self.registry.members_of_group(order.group))
            self.registry.ungroup(order.group)
            for client in members:
                self._on_changed(client)
        elif isinstance(order, PublishToGroup):
            raise UsageError("this process is not the home of the group, or keeps no history")
        elif (found := self.clients.get(order.client)) is not None:
            self._change(found, order)
        elif (found := self.handshaking.get(order.client)) is not None:
            if isinstance(order, DestroyClient):
                found.connection.destroy()
            elif not isinstance(order, CloseClient) and found.early is not None:
                found.early.append(order)

    def let_in(self, client: HeldClient) -> None:
        """Adds a client that is open now, and carries out the earlier orders about it."""
        self.clients[client.id] = client
        self.handshaking.pop(client.id, None)
        early, client.early = client.early, None
        for order in early or ():
            try:
                self._change(client, order)
            except UsageError as error:
                text = "an order about %r was refused: %s"
                self._log.log(logging.ERROR, "refused early orders", text, client, error)

    def is_uid_online(self, uid: str) -> bool:
        """Whether a user has a client here, or one that was asked to connect again."""
        return bool(self.registry.members_of_uid(uid)) or uid in self.expected

    def _deliver(self, data: str | bytes, to: Collection[HeldClient]) -> None:
        # What the protocol of a client cannot say is counted there.
        with contextlib.suppress(UsageError):
            self.delivered += broadcast(data, [client.connection for client in to])

    def _change(self, client: HeldClient, order: ClientOrder) -> None:
        if isinstance(order, CloseClient):
            self._close(client, order)
            return
        if isinstance(order, DestroyClient):
            client.connection.destroy()
            return
        if isinstance(order, Bind):
            if order.uid is None:
                self.registry.unbind(client)
            else:
                self.registry.bind(client, order.uid)
        elif isinstance(order, Join):
            self.registry.join(client, order.group)
        elif isinstance(order, Leave):
            self.registry.leave(client, order.group)
        else:
            given = decode_session(order.session)
            if order.is_update:
                given = merge(decode_session(client.session), given)
            client.session = encode_session(given)
        self._on_changed(client)

    def _close(self, client: HeldClient, order: CloseClient) -> None:
        connection = client.connection
        try:
            connection.close(order.data, order.code, order.reason)
        except UsageError as error:
            if order.data is None:
                raise
            connection.note_unsendable(error)  # it is closed all the same
            connection.close(None, order.code, order.reason)

    def _receivers(self, order: Send) -> Collection[HeldClient]:
        if order.is_to_all:
            found: Collection[HeldClient] = self.clients.values()
        else:
            registry = self.registry
            parts: list[Collection[HeldClient]] = [
                registry.members_of_uid(uid) for uid in order.uids
            ]
            parts += [registry.members_of_group(group) for group in order.groups]
            named = (self.clients.get(client) for client in order.clients)
            parts.append([client for client in named if client is not None])
            parts = [part for part in parts if part]
            found = parts[0] if len(parts) == 1 else set[HeldClient]().union(*parts)
        if not order.exclude:
            return found
        excluded = frozenset(order.exclude)
        return [client for client in found if client.id not in excluded]
