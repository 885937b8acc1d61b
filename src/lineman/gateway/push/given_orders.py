"""The orders that gateway processes have not confirmed: what may be lost with them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial

from lineman.base.loglimit import LogLimit
from lineman.gateway.wire.messages import (
    TO_GATEWAY,
    Deliver,
    LinkConfirm,
    Order,
    PublishToGroup,
    Send,
    Ungroup,
)
from lineman.gateway.wire.names import client_name, group_topic, uid_topic
from lineman.gateway.wire.timer_messages import TimerOrder
from lineman.gateway.wire.versions import CONFIRMED_SINCE
from lineman.links.framing import Message
from lineman.links.link import Link
from lineman.links.records import DONE, Record
from lineman.links.unconfirmed import NAMES, Summary, Unconfirmed, contents

logger = logging.getLogger("lineman")

# The name of the client with a number, for the log.
NameOf = Callable[[int], str]


class GivenOrders:
    """Counts the orders that are not confirmed when a link is lost.

    Attributes:
        unconfirmed: how many they were: no order that is lost with a gateway process is left out,
            and some were carried out, since it confirms what it has done up to half a second later.
    """

    def __init__(self) -> None:
        self.unconfirmed = 0
        self._log = LogLimit(logger)

    def facts(self) -> dict[str, float]:
        """The figure by its name, for `status` and the metrics."""
        return {"gateway_unconfirmed_orders": self.unconfirmed}

    def begin(self, link: Link, version: int, name_of: NameOf = str) -> None:
        """Keeps what is sent from now on, if the other end confirms it.

        Args:
            link: to a gateway process.
            version: of the wire that both ends use.
            name_of: names clients by their numbers on this link.
        """
        if version >= CONFIRMED_SINCE:
            link.kept = Unconfirmed(link.sent, partial(read_orders, name_of))

    def confirm(self, link: Link, confirmed: LinkConfirm) -> None:
        """The gateway process has handled and sent on what came before."""
        if link.kept is not None:
            link.kept.confirm(confirmed.handled)

    def leave(self, link: Link) -> None:
        """A link is over, and was not closed by this side."""
        kept, link.kept = link.kept, None
        if kept is None or not (found := kept.summary()).count:
            return
        self.unconfirmed += found.count
        more = ", …" if len(found.names) == NAMES else ""
        text = "%d orders that the gateway process %s had not confirmed may be lost: %s%s"
        shown = ", ".join(f"{name:.60}" for name in found.names)
        self._log.log(
            logging.WARNING, "unconfirmed orders", text, found.count, link.peer, shown, more
        )


def read_orders(name_of: NameOf, data: bytes, summary: Summary) -> None:
    """Adds the orders that some bytes to a gateway process contain."""
    for one in contents(data, TO_GATEWAY):
        if isinstance(one, Record):
            if one.kind != DONE:
                summary.add(1, iter((name_of(one.number),)))
        elif isinstance(one, (Order, TimerOrder)):
            summary.add(1, _names_of(one))


def _names_of(order: Message) -> Iterator[str]:
    if isinstance(order, Send):
        if order.is_to_all:
            yield "all clients"
        yield from map(uid_topic, order.uids)
        yield from map(group_topic, order.groups)
        yield from map(client_name, order.clients)
    elif isinstance(order, (Ungroup, Deliver, PublishToGroup)):
        yield group_topic(order.group)
    elif isinstance(order, TimerOrder):
        yield f"timer:{order.key}"
    else:
        yield client_name(getattr(order, "client", ""))
