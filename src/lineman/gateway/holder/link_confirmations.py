"""Tells the other ends of links how far this gateway process has handled what they said.

Confirmed is what can no longer be lost with this process: it was carried out here, and what of it
goes to other nodes, or into a durable history, has left this process. The other end counts the
rest if this process dies.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from operator import ge

from lineman.gateway.holder.routing import Routing
from lineman.gateway.wire.messages import LinkConfirm
from lineman.gateway.wire.versions import CONFIRMED_SINCE
from lineman.links.link import Link

# Seconds from the first message that is not confirmed; one confirmation is for all until then.
AFTER = 0.25
# Bytes of a link after which it is not waited any longer: the other end keeps them.
SIZE = 256 * 1024


class LinkConfirmations:
    """The confirmations of one gateway process.

    Args:
        routing: passes on what is not for this process alone.
    """

    def __init__(self, routing: Routing) -> None:
        self._loop = asyncio.get_running_loop()
        self._routing = routing
        self._waiting: set[Link] = set()
        # The bytes of links that were handled when so much had been passed on.
        self._points: deque[tuple[list[int], dict[Link, int]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, link: Link, version: int) -> None:
        """Confirms what comes on a link, if its version of the wire has that."""
        if version >= CONFIRMED_SINCE:
            link.on_handled = self._note
            link.tell_at = link.handled

    def _note(self, link: Link) -> None:
        if link in self._waiting:
            self._look()
            return
        self._waiting.add(link)
        link.tell_at = link.handled + SIZE
        self._look_later()

    def _look_later(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(AFTER, self._look)

    def _look(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        cluster, durable = self._routing.cluster, self._routing.durable
        broker = None if cluster is None else cluster.broker
        outgoing = [one for one in (broker, durable) if one is not None]
        if self._waiting:
            taken = [one.taken for one in outgoing]
            self._points.append((taken, {link: link.handled for link in self._waiting}))
            for link in self._waiting:
                link.tell_at = link.handled + 1
            self._waiting.clear()
        found: dict[Link, int] = {}
        settled = [one.settled for one in outgoing]
        while self._points and all(map(ge, settled, self._points[0][0])):
            found |= self._points.popleft()[1]
        for link, handled in found.items():
            link.post(LinkConfirm(handled))
        if self._points:
            self._look_later()

    def handled(self, links: Collection[Link]) -> dict[Link, int]:
        """What the links that want confirmations have been handled so far, by link."""
        return {link: link.handled for link in links if link.on_handled is not None}

    def stop(self, handled: dict[Link, int]) -> None:
        """Confirms this much for the last time: all of it was sent before this process ends."""
        if self._timer is not None:
            self._timer.cancel()
        for link, size in handled.items():
            link.post(LinkConfirm(size))
