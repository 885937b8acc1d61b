"""Who has sent a datagram: what the program answers, with the words of a connection."""

from __future__ import annotations

import logging
from typing import Any

from lineman.base.address import format_ip_port
from lineman.errors import UsageError
from lineman.net.connection.context import ConnectionContext
from lineman.net.datagrams import datagram_calls
from lineman.net.datagrams.datagram_calls import Sender
from lineman.protocols.websocket.session import to_frame


class DatagramPeer:
    """The sender of one datagram, as `on_message` gets it.

    UDP has no connections: each datagram comes with a peer of its own, and whether its address is
    true nobody knows. So by default it is answered with at most as many bytes as it has sent: this
    service cannot be used to flood somebody whose address was forged. `udp_amplification` allows
    more.
    """

    __slots__ = ("_address", "_allowed", "_fd", "_sender", "_service", "_size")

    def __init__(self, service: ConnectionContext, fd: int, sender: Sender, size: int) -> None:
        self._begin(service, fd, sender, size)

    def _begin(self, service: ConnectionContext, fd: int, sender: Sender, size: int) -> None:
        """All of `__init__`, as a call in C."""
        self._service = service
        self._fd = fd
        self._sender = sender
        self._size = size
        self._allowed = -1.0
        self._address: tuple[str, int] | None = None

    def __repr__(self) -> str:
        return f"<DatagramPeer {self.peer_address}>"

    @property
    def worker(self) -> Any:
        """The worker that the datagram came to."""
        return self._service.owner

    @property
    def remote_ip(self) -> str:
        """The address of the sender, which may be forged."""
        return self._where()[0]

    @property
    def remote_port(self) -> int:
        """The port of the sender."""
        return self._where()[1]

    @property
    def peer_address(self) -> str:
        """`ip:port` of the sender."""
        return format_ip_port(*self._where())

    def _where(self) -> tuple[str, int]:
        if self._address is None:
            self._address = datagram_calls.address_of(self._sender)
        return self._address

    def send(self, data: Any) -> bool:
        """Sends a datagram to this peer: bytes, or a `str` as UTF-8.

        Returns:
            Whether the kernel took it. False where its buffer is full, where the peer cannot be
            reached, and where the answers would be longer than `udp_amplification` allows; each is
            counted as unsent.

        Raises:
            UsageError: for any other type, and for more bytes than a datagram can have.
        """
        payload = data if type(data) is bytes else to_frame(data)[1]
        service = self._service
        factor = service.limits.udp_amplification
        if factor:
            if self._allowed < 0.0:
                self._allowed = self._size * factor
            if len(payload) > self._allowed:
                self._refuse(len(payload), factor)
                return False
            self._allowed -= len(payload)
        return send_to(service, self._fd, self._sender, payload)

    def _refuse(self, size: int, factor: float) -> None:
        service = self._service
        service.send_failures += 1
        service.log.log(
            logging.WARNING,
            "amplified answers",
            "%s sent %d bytes and would get %d: not sent, since the address may be forged "
            "(udp_amplification is %g); raise it where clients prove who they are",
            self.peer_address,
            self._size,
            size,
            factor,
        )

    def close(self, data: Any = None) -> None:
        """Sends a last datagram; there is nothing to close."""
        if data is not None:
            self.send(data)


def send_to(service: ConnectionContext, fd: int, sender: Sender, payload: bytes) -> bool:
    """Sends a datagram, and counts it; see `DatagramPeer.send`."""
    try:
        if not datagram_calls.send(fd, sender, payload):
            service.send_failures += 1
            return False
    except OSError as error:
        if len(payload) > MOST:
            raise UsageError(f"a datagram of {len(payload)} bytes; {MOST} are the most") from None
        service.send_failures += 1
        where = format_ip_port(*datagram_calls.address_of(sender))
        kind = "unsent datagrams"
        service.log.log(logging.INFO, kind, "%s: cannot be sent to: %s", where, error.strerror)
        return False
    service.tally.messages_written += 1
    service.tally.bytes_written += len(payload)
    return True


# 65,535 less the headers of IPv4 and UDP.
MOST = 65_507
