"""The sending half of a UDP socket: it stays open for handlers at work when reading has ended."""

from __future__ import annotations

import errno
import logging
import socket

from lineman.base.address import format_ip_port
from lineman.errors import UsageError
from lineman.net.connection.context import ConnectionContext
from lineman.net.datagrams import datagram_calls
from lineman.net.datagrams.datagram_calls import Sender

# 65,535 less the headers of IPv4 and UDP.
MOST = 65_507
_MOST = MOST  # as a C number


class DatagramOutput:
    """Sends datagrams, and counts what was sent and what was not.

    Args:
        service: where it counts.
        udp: the bound, non-blocking socket; it is closed by `close`.
        listen_address: the address of the worker, as the program writes it.

    Attributes:
        family: of the socket: `socket.AF_INET` or `socket.AF_INET6`.
    """

    __slots__ = ("_fd", "_socket", "family", "listen_address", "service")

    def __init__(
        self, service: ConnectionContext, udp: socket.socket, listen_address: str = ""
    ) -> None:
        self.listen_address = listen_address
        self.service = service
        self.family = int(udp.family)
        self._socket = udp
        self._fd = udp.fileno()

    def send(self, sender: Sender, payload: bytes, may_broadcast: bool = False) -> bool:
        """Sends a datagram; whether the kernel took it. What was not sent is counted.

        Args:
            sender: where to.
            payload: the datagram.
            may_broadcast: whether to send to a broadcast address as well. Answers do not go there,
                since the address that they go to may be forged.

        Raises:
            UsageError: no datagram can have so many bytes.
        """
        if len(payload) > _MOST:
            raise UsageError(f"a datagram of {len(payload)} bytes; it may have {MOST} at most")
        if self._fd < 0:  # the number may be another one's by now
            self.service.send_failures += 1
            return False
        try:
            if not datagram_calls.send(self._fd, sender, payload):
                self.service.send_failures += 1
                return False
        except OSError as error:
            if may_broadcast and error.errno == errno.EACCES:
                return self._broadcast(sender, payload)
            return self._explain(sender, payload, error)
        self._count(payload)
        return True

    def send_at(self, ip: bytes, port: int, scope: int, payload: bytes) -> bool:
        """Like `send`, to any address; see `datagram_calls.sender_at`."""
        return self.send(datagram_calls.sender_at(ip, port, scope), payload, True)

    def _count(self, payload: bytes) -> None:
        tally = self.service.tally
        tally.messages_written += 1
        tally.bytes_written += len(payload)

    def _explain(self, sender: Sender, payload: bytes, error: OSError) -> bool:
        service = self.service
        service.send_failures += 1
        ip, port = datagram_calls.address_of(sender)
        why = error.strerror
        if not port:
            why = "port 0 means that the sender takes no answer (RFC 768)"
        elif error.errno == errno.EACCES:
            why = "it is a broadcast address, which only send_to sends to; or a firewall refuses it"
        service.log.log(
            logging.INFO,
            "unsent datagrams",
            "%s: a datagram of %d bytes was not sent: %s",
            format_ip_port(ip, port),
            len(payload),
            why,
        )
        return False

    def _broadcast(self, sender: Sender, payload: bytes) -> bool:
        """Sends to an address that the kernel refuses without this option (ip(7))."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            return self.send(sender, payload)
        finally:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 0)

    def local_address(self, ip: str) -> str:
        """`ip:port` of our end; empty once it is closed.

        Args:
            ip: where it is known; empty for the address that the socket is bound to.
        """
        if self._fd < 0:
            return ""
        bound = self._socket.getsockname()
        return format_ip_port(ip or bound[0], bound[1])

    def close(self) -> None:
        """Closes the socket."""
        if self._fd >= 0:
            self._fd = -1
            self._socket.close()
