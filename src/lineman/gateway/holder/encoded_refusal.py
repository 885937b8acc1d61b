"""The answer of an application that refuses a handshake, as it goes on the line."""

from __future__ import annotations

from lineman.net.connection.connection import Connection
from lineman.protocols.http.responses import Response


class EncodedRefusal(Response):
    """An answer that is bytes already.

    Args:
        status: 300 to 599.
        answer: all of it.
    """

    __slots__ = ("_answer",)

    def __init__(self, status: int, answer: bytes) -> None:
        super().__init__(status=status)
        self._answer = answer

    def encode(self, *, head_only: bool = False, keep_alive: bool = True) -> bytes:
        """See `Response`."""
        return self._answer


def reject(connection: Connection, status: int, body: str, answer: bytes) -> None:
    """Refuses a handshake: with an answer of an application, if there is one."""
    if answer:
        connection._before_open("reject").reject_with(EncodedRefusal(status, answer))
    else:
        connection.reject(status, body)
