"""What pipes join a connection to: who gets its messages, whose it gets, and how an end is told.

A pipe goes one way; two of them make a proxy. The end of one connection ends the other, whichever
way the pipe goes. Between two protocols on a byte stream each way ends on its own.
"""

from __future__ import annotations

from typing import Any

from lineman.errors import UsageError
from lineman.net.stream.stream_status import PAUSED_BY_END
from lineman.protocols.websocket.close import NORMAL


class PipeEnds:
    """The pipes of one connection.

    Args:
        connection: whose they are.

    Attributes:
        has_ended: whether its peer sends no more, which the target was told.
    """

    __slots__ = ("_connection", "_sources", "_target", "has_ended")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._target: PipeEnds | None = None
        self._sources: list[PipeEnds] = []
        self.has_ended = False

    def join(self, target: PipeEnds) -> None:
        """Has messages go to another connection from now on, in place of an earlier target."""
        if self._target is not None:
            self._target._sources.remove(self)
        self._target = target
        target._sources.append(self)

    def pass_on(self, connection: Any, message: Any) -> None:
        """Stands where `on_message` would; its connection is not read while the target is slow."""
        target = self._target
        if target is None:
            return
        try:
            may_go_on = target._connection.send_piped(message)
        except UsageError as error:  # the target's protocol has no such message
            connection.refuse_piped(target._connection, error)
            return
        if not may_go_on:
            connection.pause_piped()
            target._connection.call_when_sent(connection.resume_recv)

    def has_target(self) -> bool:
        """Whether what comes is sent to another connection."""
        return self._target is not None

    def passes_end(self, code: int) -> bool:
        """Tells the target that no more comes, while it may still answer.

        Args:
            code: of the peer's end.

        Returns:
            False where that ends the connection: both sides have ended, the peer did not end well,
            or one of both protocols has no end of one direction.
        """
        target = self._target
        if code != NORMAL or target is None or target is self or target.has_ended:
            return False
        if not (self._connection.may_half_close and target._connection.may_half_close):
            return False
        self.has_ended = True
        self._connection.pause(PAUSED_BY_END)
        target._connection.end()
        return True

    def close(self, code: int, reason: str) -> None:
        """Ends the connections at the other ends, now that this one has ended."""
        target, self._target = self._target, None
        sources, self._sources = self._sources, []
        if target is not None and target is not self:
            target._sources.remove(self)
            target._connection.end_piped(code, reason)
        for source in sources:
            if source is not self:
                source._target = None
                source._connection.end_piped(code, reason)
