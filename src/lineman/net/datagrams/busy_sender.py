"""The datagrams of one sender while an `async def` handler is at work on an earlier one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from lineman.net.connection.inbox import Inbox

if TYPE_CHECKING:
    from lineman.net.connection.context import ConnectionContext
    from lineman.net.datagrams.datagram_peer import DatagramPeer


class Receiver(Protocol):
    """What a sender's queue asks of the socket that the datagrams come from."""

    service: ConnectionContext
    waiting: int

    def call(self, peer: DatagramPeer, data: bytes) -> Coroutine[Any, Any, Any] | None:
        """Gives a datagram to the program; its coroutine, if there is one."""

    def failed(self, error: BaseException) -> None:
        """Acts on what the program raised."""


class BusySender:
    """One sender whose handler is at work: its datagrams wait here, and are handled in order.

    UDP cannot have a sender wait. So what does not fit is dropped, as the network would.

    Args:
        receiver: where the datagrams come from.
        on_end: called once when nothing is left, with the number of those that were given up.
    """

    __slots__ = ("_inbox", "_on_end", "_receiver", "_sizes", "is_full", "service")

    may_receive = True

    def __init__(self, receiver: Receiver, on_end: Callable[[int], None]) -> None:
        self.service = receiver.service
        self._receiver = receiver
        self._on_end = on_end
        self._sizes: deque[int] = deque()
        self.is_full = False
        self._inbox: Inbox | None = Inbox(self)

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Runs the coroutine of the first datagram."""
        if self._inbox is not None:
            self._inbox.start(work, None)

    def put(self, peer: DatagramPeer, data: bytes) -> bool:
        """Has a datagram wait; whether there was room for it."""
        if self.is_full or self._inbox is None:
            return False
        self._sizes.append(len(data))
        self._receiver.waiting += len(data)
        self._inbox.put((peer, data))
        return True

    # What the inbox asks; see `inbox.Source`.

    def pause(self, why: int) -> None:
        """Takes no more."""
        self.is_full = True

    def resume(self, why: int) -> None:
        """Takes more again."""
        self.is_full = False

    def note_read(self) -> None:
        """Is asked by `async for` only, which there is not."""

    def take(self, event: Any) -> Coroutine[Any, Any, Any] | None:
        """Gives the next datagram to the program."""
        self._receiver.waiting -= self._sizes.popleft()
        return self._receiver.call(*event)

    def callback_failed(self, error: BaseException) -> None:
        """Acts on what a coroutine raised: it costs one datagram."""
        self._receiver.failed(error)

    def inbox_is_empty(self) -> None:
        """Is over."""
        if self._inbox is not None:
            self._inbox = None
            self._receiver.waiting -= sum(self._sizes)
            self._on_end(len(self._sizes))
