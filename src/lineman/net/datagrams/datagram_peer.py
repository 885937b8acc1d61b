"""Who has sent a datagram: what the program answers, with the words of a connection."""

from __future__ import annotations

import logging
from typing import Any, Never

from lineman.base import unknown_names
from lineman.base.address import format_ip_port
from lineman.base.unknown_names import PeerNames
from lineman.net.datagrams import datagram_calls
from lineman.net.datagrams.datagram_calls import Sender
from lineman.net.datagrams.datagram_output import DatagramOutput
from lineman.protocols.websocket.session import to_frame

# Bytes of a datagram's headers, IPv6 and UDP: many empty answers are an amplification as well.
HEADERS = 48
_HEADERS = HEADERS  # as a C number


class _PeerBase:
    """Cython lets a class have a base in Python only behind one in C."""

    __slots__ = ()


class DatagramPeer(_PeerBase, PeerNames):
    """The sender of one datagram, as `on_message` gets it.

    UDP has no connections: each datagram comes with a peer of its own, and whether its address is
    true nobody knows. So by default it is answered with at most as many bytes as it has sent: this
    service cannot be used to flood somebody whose address was forged. `udp_amplification` allows
    more.
    """

    __slots__ = ("_address", "_allowed", "_output", "_sender", "_size")

    def __init__(self, output: DatagramOutput, sender: Sender, size: int) -> None:
        self._begin(output, sender, size)

    def _begin(self, output: DatagramOutput, sender: Sender, size: int) -> None:
        """All of `__init__`, as a call in C."""
        self._output = output
        self._sender = sender
        self._size = size
        self._allowed = -1.0  # not yet known
        self._address: tuple[str, int] | None = None

    def __setattr__(self, name: str, value: Never) -> None:
        unknown_names.set_or_refuse(self, name, value)

    def __repr__(self) -> str:
        return f"<DatagramPeer {self.peer_address}>"

    @property
    def listen_address(self) -> str:
        """The address of the worker that the datagram came to, as the program writes it."""
        return self._output.listen_address

    @property
    def worker(self) -> Any:
        """The worker that the datagram came to."""
        return self._output.service.owner

    @property
    def remote_ip(self) -> str:
        """The address of the sender, which may be forged."""
        return self._where()[0]

    @property
    def remote_port(self) -> int:
        """The port of the sender; 0 if it takes no answer."""
        return self._where()[1]

    @property
    def peer_address(self) -> str:
        """`ip:port` of the sender."""
        return format_ip_port(*self._where())

    @property
    def local_address(self) -> str:
        """`ip:port` that the datagram was sent to, from where it is answered."""
        return self._output.local_address(datagram_calls.local_ip_of(self._sender))

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
            UsageError: for any other type, and for more than 65,507 bytes.
        """
        payload = data if type(data) is bytes else to_frame(data)[1]
        output = self._output
        factor = output.service.limits.udp_amplification
        if factor:
            if self._allowed < 0.0:
                self._allowed = (self._size + _HEADERS) * factor
            cost = len(payload) + _HEADERS
            if cost > self._allowed:
                self._refuse(len(payload), factor)
                return False
            if not output.send(self._sender, payload):
                return False
            self._allowed -= cost  # what has not left may be sent again
            return True
        return output.send(self._sender, payload)

    def _refuse(self, size: int, factor: float) -> None:
        service = self._output.service
        service.send_failures += 1
        service.tally.hits["udp_amplification"] += 1
        service.log.log(
            logging.WARNING,
            "amplified answers",
            "%s sent %d bytes, and an answer of %d was not sent: all answers together would have "
            "more bytes than it has sent, and its address may be forged (udp_amplification is %g; "
            "raise it if your clients prove who they are)",
            self.peer_address,
            self._size,
            size,
            factor,
        )

    def close(self, data: Any = None) -> None:
        """Sends a last datagram, if there is one; nothing has to be closed."""
        if data is not None:
            self.send(data)
