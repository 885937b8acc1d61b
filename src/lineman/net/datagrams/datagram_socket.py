"""A UDP socket in the poller: what comes on it goes to `on_message`, a datagram at a time.

What does not fit into a share of the turn waits in the socket, or in the batch that was read, and
is served behind what is newly ready, as with connections.
"""

from __future__ import annotations

import logging
import socket
from types import CoroutineType

from lineman.net.connection.context import ConnectionContext
from lineman.net.datagrams import datagram_calls
from lineman.net.datagrams.datagram_peer import DatagramPeer
from lineman.net.loop.poller import Handler

# Read by one system call.
BATCH = 32
_BATCH = BATCH  # as a C number
# Coroutines of `on_message` that are at work at once; past it datagrams are dropped and counted.
MOST_AT_WORK = 4096


class DatagramSocket(Handler):
    """A socket that is bound and non-blocking.

    Args:
        service: whose callbacks get what comes.
        udp: it; the service owns it from here on.

    Attributes:
        cut: datagrams that were longer than `max_message_size`, or than there was room.
    """

    __slots__ = (
        "__weakref__", "_at_work", "_batch", "_count", "_fd", "_is_queued", "_next", "_service",
        "_socket", "cut",
    )  # fmt: skip

    def __init__(self, service: ConnectionContext, udp: socket.socket) -> None:
        self.filed_tick = 0
        self._service = service
        self._socket = udp
        self._fd = udp.fileno()
        self._batch = datagram_calls.new_batch()
        self._next = self._count = 0  # of the batch: those from the one to the other wait
        self._is_queued = False
        self._at_work = 0
        self.cut = 0
        service.poller.add(self._fd, self)

    def on_events(self, events: int) -> None:
        """Serves what waits in the socket."""
        if not self._is_queued:
            self._serve()

    def on_turn(self) -> None:
        """Goes on where the last share ended."""
        was_queued, self._is_queued = self._is_queued, False
        if was_queued:
            self._serve()

    def _serve(self) -> None:
        turn = self._service.poller.turn
        while self._fd >= 0:
            if self._next == self._count:
                self._next = 0
                self._count = datagram_calls.receive(self._fd, self._batch, _BATCH)
                if self._count == 0:
                    return
            index = self._next
            self._next += 1
            self._take(index)
            if turn.spend() and self._fd >= 0:
                self._is_queued = True
                self._service.poller.put_off(self._fd)
                return

    def _take(self, index: int) -> None:
        service = self._service
        data = datagram_calls.data_of(self._batch, index)
        if len(data) > service.limits.max_message_size or datagram_calls.is_cut(self._batch, index):
            self.cut += 1
            return
        tally = service.tally
        tally.messages_read += 1
        tally.bytes_read += len(data)
        callback = service.callbacks.on_message
        if callback is None:
            return
        peer = DatagramPeer.__new__(DatagramPeer)
        peer._begin(service, self._fd, datagram_calls.sender_of(self._batch, index), len(data))
        try:
            result = callback(peer, data)
        except BaseException as error:
            self._failed(error)
            return
        if isinstance(result, CoroutineType):
            self._begin_work(result)

    def _failed(self, error: BaseException) -> None:
        service = self._service
        service.exceptions += 1
        service.log.exception(error, "on_message raised for a datagram")

    def _begin_work(self, work: CoroutineType[object, object, object]) -> None:
        service = self._service
        if self._at_work >= MOST_AT_WORK:
            work.close()
            service.messages_dropped += 1
            service.log.log(
                logging.WARNING,
                "dropped datagrams",
                "%d coroutines of on_message are at work: datagrams are dropped",
                self._at_work,
            )
            return
        self._at_work += 1
        service.spawn(work, lambda _: self._end_work(), self._work_failed)

    def _end_work(self) -> None:
        self._at_work -= 1

    def _work_failed(self, error: BaseException) -> None:
        self._at_work -= 1
        self._failed(error)

    def on_fault(self) -> None:
        """Goes on: the fault concerns what was read last."""

    def flush(self) -> None:
        """Has nothing to write."""

    def close(self) -> None:
        """Stops receiving; what waits in the socket is for others that have it."""
        if self._fd >= 0:
            while self._next < self._count:  # nobody else can have these
                self._next += 1
                self._take(self._next - 1)
            self._service.poller.forget(self._fd)
            self._socket.close()
            self._fd = -1
