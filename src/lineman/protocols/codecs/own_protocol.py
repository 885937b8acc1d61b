"""What a program's own protocol must have, as type checkers see it."""

from __future__ import annotations

import typing
from typing import Any

M = typing.TypeVar("M", covariant=True)


class Protocol(typing.Protocol[M]):
    """A protocol of the program's own, for type checkers; it need not be a base class.

    A class with these three methods is given as `protocol=MyProtocol`. Each connection has an
    object of it, made without arguments.
    """

    def input(self, buffer: bytes) -> int:
        """How many bytes the next package has, its framing included.

        Args:
            buffer: bytes from the beginning of the package on. It may be cut anywhere, and more
                may have arrived than it shows.

        Returns:
            0 if more bytes are needed to know it; a negative number for an error.

        Raises:
            ProtocolError: the peer breaks the protocol; this ends the connection.
        """
        ...

    def decode(self, package: bytes) -> M:
        """The message of a package, as `on_message` gets it; None for no message.

        Raises:
            ProtocolError: as `input`.
        """
        ...

    def encode(self, message: Any) -> bytes:
        """The package of a message that the program sends.

        Raises:
            UsageError: this message cannot be sent; `send` raises it.
        """
        ...
