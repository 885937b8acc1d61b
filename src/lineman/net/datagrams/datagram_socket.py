"""A UDP socket in the poller: what comes on it goes to `on_message`, a datagram at a time.

What does not fit into a share of the turn waits in the socket, or in the batch that was read, and
is served behind what is newly ready, as with connections.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Coroutine
from types import CoroutineType
from typing import Any

from lineman.base.address import format_ip_port
from lineman.net.connection.context import ConnectionContext
from lineman.net.datagrams import datagram_calls, receive_buffer
from lineman.net.datagrams.busy_sender import BusySender
from lineman.net.datagrams.datagram_calls import Sender
from lineman.net.datagrams.datagram_output import DatagramOutput
from lineman.net.datagrams.datagram_peer import DatagramPeer
from lineman.net.datagrams.sender_meters import SenderMeters
from lineman.net.loop.poller import Handler

# Read by one system call.
BATCH = 32
_BATCH = BATCH  # as a C number
# Senders whose `async def` handlers are at work at once, and bytes that wait for them. Past it
# datagrams are dropped and counted.
MOST_AT_WORK = 4096
MOST_WAITING = 16 * 1024 * 1024
# At a stop so many datagrams of those that wait in the socket are still served, for so long.
LAST = 1024
LAST_SECONDS = 0.5


class DatagramSocket(Handler):
    """A socket that is bound and non-blocking.

    Args:
        service: whose callbacks get what comes.
        udp: it; the service owns it from here on.
        listen_address: the address of the worker, as the program writes it.

    Attributes:
        output: what answers are sent by.
        waiting: bytes of datagrams that wait for handlers at work.
    """

    __slots__ = (
        "__weakref__", "_batch", "_busy", "_count", "_drops", "_fd", "_is_queued", "_meters",
        "_next", "_socket", "output", "service", "waiting",
    )  # fmt: skip

    def __init__(
        self, service: ConnectionContext, udp: socket.socket, listen_address: str = ""
    ) -> None:
        self.filed_tick = 0
        self.service = service
        self.output = DatagramOutput(service, udp, listen_address)
        self._socket = udp
        self._fd = udp.fileno()
        self._batch = datagram_calls.new_batch()
        self._next = self._count = 0  # of the batch: those from the one to the other wait
        self._is_queued = False
        self._meters = SenderMeters(service.limits, time.monotonic)
        self._busy: dict[Sender, BusySender] = {}
        self.waiting = 0
        self._drops = receive_buffer.drops_of(udp)
        self._set_options()
        service.poller.add(self._fd, self)

    def _set_options(self) -> None:
        size = self.service.limits.udp_receive_buffer
        if size:
            receive_buffer.enlarge(self._socket, size, self._name())
        ip = self._socket.getsockname()[0]
        # An answer must come from the address that was asked: clients refuse any other.
        if ip == "0.0.0.0":
            self._socket.setsockopt(socket.IPPROTO_IP, datagram_calls.IP_PKTINFO, 1)
        elif ip == "::":
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)

    def _name(self) -> str:
        return f"udp://{format_ip_port(*self._socket.getsockname()[:2])}"

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
        turn = self.service.poller.turn
        while self._fd >= 0:
            if self._next == self._count and not self._receive():
                return
            index = self._next
            self._next += 1
            self._take(index)
            if turn.spend() and self._fd >= 0:
                self._is_queued = True
                self.service.poller.put_off(self._fd)
                return

    def _receive(self) -> bool:
        """Fills the batch; whether anything came."""
        self._next = self._count = 0
        try:
            self._count = datagram_calls.receive(self._fd, self._batch, _BATCH)
        except OSError as error:  # of the network; what waits comes with the next event
            self.service.log.log(
                logging.WARNING, "receive errors", "%s: %s", self._name(), error.strerror
            )
        return self._count > 0

    def _take(self, index: int) -> None:
        service = self.service
        data = datagram_calls.data_of(self._batch, index)
        sender = datagram_calls.sender_of(self._batch, index)
        if self._is_refused(sender, data, datagram_calls.is_cut(self._batch, index)):
            return
        tally = service.tally
        tally.messages_read += 1
        tally.bytes_read += len(data)
        if service.callbacks.on_message is None:
            return
        peer = DatagramPeer.__new__(DatagramPeer)
        peer._begin(self.output, sender, len(data))
        if self._busy and sender in self._busy:
            self._put(self._busy[sender], peer, data)
            return
        result = self.call(peer, data)
        if result is not None:
            self._begin_work(sender, result)

    def _is_refused(self, sender: Sender, data: bytes, is_cut: bool) -> bool:
        """Whether a limit keeps a datagram from the program; it is counted then."""
        service = self.service
        if is_cut or len(data) > service.limits.max_message_size:
            service.messages_dropped += 1
            limit = "max_message_size"
            words = f"more than {service.limits.max_message_size} bytes ({limit})"
        elif service.is_metered:
            passed = self._meters.passed(datagram_calls.address_of(sender), len(data))
            if passed is None:
                return False
            limit, words = passed
            service.tally.hits[limit] += 1
        else:
            return False
        where = format_ip_port(*datagram_calls.address_of(sender))
        service.log.log(
            logging.WARNING, f"past {limit}", "%s: a datagram was dropped: %s", where, words
        )
        return True

    def call(self, peer: DatagramPeer, data: bytes) -> Coroutine[Any, Any, Any] | None:
        """Gives a datagram to the program; its coroutine, if there is one."""
        callback = self.service.callbacks.on_message
        if callback is None:
            return None
        try:
            result = callback(peer, data)
        except BaseException as error:  # sys.exit() in it does not end the process
            self.failed(error)
            return None
        return result if isinstance(result, CoroutineType) else None

    def failed(self, error: BaseException) -> None:
        """Counts and logs what a callback raised; it costs one datagram."""
        self.service.exceptions += 1
        self.service.log.exception(error, "%s: on_message raised", self._name())

    # Handlers at work.

    def _begin_work(self, sender: Sender, work: Coroutine[Any, Any, Any]) -> None:
        if len(self._busy) >= MOST_AT_WORK:
            work.close()
            self._drop(f"the handlers of {MOST_AT_WORK} senders are at work")
            return

        def end(given_up: int) -> None:
            del self._busy[sender]
            self.service.messages_dropped += given_up
            if not self._busy and self._fd < 0:
                self.output.close()

        busy = self._busy[sender] = BusySender(self, end)
        busy.start(work)

    def _put(self, busy: BusySender, peer: DatagramPeer, data: bytes) -> None:
        if self.waiting + len(data) > MOST_WAITING:
            self._drop(f"{self.waiting} bytes wait for handlers at work")
        elif not busy.put(peer, data):
            self._drop(f"too many of {peer.peer_address} wait for its handler at work")

    def _drop(self, why: str) -> None:
        self.service.messages_dropped += 1
        self.service.log.log(
            logging.WARNING,
            "dropped datagrams",
            "%s: a datagram was dropped: %s",
            self._name(),
            why,
        )

    # The poller and the service.

    def on_fault(self) -> None:
        """Goes on: the fault concerns what was read last."""

    def flush(self) -> None:
        """Has nothing to write."""

    def count_drops(self) -> None:
        """Counts what the kernel has dropped since it was last asked, because the buffer was full.

        The socket may be another process' as well while one takes the place of the other.
        """
        if self._fd < 0:
            return
        now = receive_buffer.drops_of(self._socket)
        dropped = (now - self._drops) % 2**32
        self._drops = now
        if dropped:
            self.service.tally.hits["udp_receive_buffer"] += dropped
            self.service.log.log(
                logging.WARNING,
                "full receive buffers",
                "%s: the kernel dropped %d datagrams, since the receive buffer (%d bytes) was "
                "full; give udp_receive_buffer=%d, or a larger count",
                self._name(),
                dropped,
                receive_buffer.size_of(self._socket),
                8 * receive_buffer.size_of(self._socket),
            )

    def serve_rest(self) -> None:
        """Serves what waits in the socket, up to a limit: nobody else will read it."""
        deadline = time.monotonic() + LAST_SECONDS
        left = LAST
        while self._serve_batch() and left > 0 and time.monotonic() < deadline and self._receive():
            left -= self._count

    def _serve_batch(self) -> bool:
        """Serves what is read already; whether the socket is open after that."""
        while self._fd >= 0 and self._next < self._count:
            self._next += 1
            self._take(self._next - 1)
        return self._fd >= 0

    def close(self) -> None:
        """Ends reading: what is read already is served; the rest is for others with the socket.

        Handlers at work may still answer: the socket is closed behind the last of them.
        """
        if not self._serve_batch():
            return
        self.count_drops()
        self.service.poller.forget(self._fd)
        self._fd = -1
        if not self._busy:
            self.output.close()
