"""Pipes of a connection: `a.pipe(b)` sends to b all that comes from a, as fast as b takes it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from lineman.errors import UsageError
from lineman.net.connection.own_settings import OwnSettings
from lineman.net.connection.pipe_ends import PipeEnds
from lineman.net.connection.state import HANDSHAKE, OPEN
from lineman.net.loop.poller import ROOM
from lineman.net.stream.stream_status import PAUSED_BY_USER
from lineman.protocols.websocket import close as closing


class Piping(OwnSettings):
    """Passes on what comes to another connection, of a worker, of `connect` or of a `Dialer`."""

    __slots__ = ()

    def pipe(self, target: Any) -> bool:
        """Sends all that comes from now on to another connection, in place of `on_message`.

        While the target's peer reads slowly this connection is not read. When one of the two ends,
        the other one is closed, once what it was sent before has left; if one is lost (1006), the
        other one is dropped. A message that the target's protocol cannot carry (a line break to
        `text://`) closes its sender with 1003. Between `tcp`, `text` and `frame` a peer that only
        sends no more ends that direction, and the other one goes on. For both directions call
        `b.pipe(a)` as well.

        Args:
            target: an open `Connection`.

        Returns:
            True if it works from now on; False if one of the two has ended: then both end.

        Raises:
            UsageError: this is no connection, one is not open yet, `end()` was called on the
                target, or a coroutine waits for a message of this connection by `async for`.
        """
        if not isinstance(target, Piping):
            raise UsageError(
                f"pipe() is called with {target!r:.80}; give a Connection: the one of a callback, "
                "of connect(), or the attribute connection of a Dialer"
            )
        if self._state is HANDSHAKE or target.is_unopened:
            raise UsageError("pipe() is called, and a connection is not open yet: from on_connect")
        if self._state is not OPEN or not target.is_open:
            self.end_piped(target.close_code or closing.NORMAL, target.close_reason)
            target.end_piped(self.close_code or closing.NORMAL, self.close_reason)
            return False
        inbox = self._inbox
        if inbox is not None and inbox.is_awaited:
            raise UsageError(
                "pipe() is called, and a coroutine waits for a message of this connection; "
                "let it end before"
            )
        into = target.pipe_ends()
        ends = self.pipe_ends()
        ends.join(into)
        self._use_callbacks(self._callbacks.with_own("on_message", ends.pass_on))
        if inbox is not None and inbox.is_stream:
            inbox.go_to_callbacks()
        return True

    # The rest is for `PipeEnds`.

    def pipe_ends(self) -> PipeEnds:
        """The pipes of this connection, as the target of another one.

        Raises:
            UsageError: `end()` was called.
        """
        if self._has_said_end:
            raise UsageError("pipe() is called, and end() was called on the target before")
        ends: PipeEnds | None = self._callbacks.pipes
        if ends is None:
            ends = PipeEnds(self)
            callbacks = self._callbacks.with_own("on_message", self._callbacks.on_message)
            callbacks.pipes = ends
            self._use_callbacks(callbacks)
        return ends

    @property
    def may_half_close(self) -> bool:
        """Whether a direction may end on its own: on a byte stream, while we still send."""
        return self.endpoint.protocol is not None and self.is_open and not self._has_said_end

    def send_piped(self, message: Any) -> bool:
        """Sends a message of a pipe; whether its source may go on.

        Nothing is dropped for a slow peer: its sources are not read meanwhile.
        """
        session, stream = self._session, self._stream
        if self._state is not OPEN or self._has_said_end or session is None:
            self.service.send_failures += 1
            return True
        if self._queue is not None:
            self._release_queue()  # what waits goes first
        room = stream.room()
        count = session.encode_into(message, room, ROOM)
        if count >= 0:
            stream.wrote(room, count)
        else:
            before, body, behind = session.pieces(message)
            if before:
                stream.write(before)
            stream.write(body)
            if behind:
                stream.write(behind)
        self._has_written()
        return not stream.is_blocked

    def refuse_piped(self, target: object, error: UsageError) -> None:
        """Ends the connection whose message the other end of its pipe cannot send."""
        self.service.log.log(
            logging.WARNING,
            "piped messages",
            "%s: closed with 1003: its pipe to %s cannot carry what it sent: %s",
            self,
            target,
            error,
        )
        self.start_close(closing.UNSUPPORTED_DATA, "the other end of the pipe cannot take this")

    def pause_piped(self) -> None:
        """Stops reading until `resume_recv`."""
        if self._inbox is None and self.endpoint.protocol is not None:
            self.pause(PAUSED_BY_USER)  # what is at hand is kept as bytes
        else:
            self.pause_recv()

    def call_when_sent(self, function: Callable[[], Any]) -> None:
        """Calls a function once all that waits has left, or the connection has ended."""
        waiter = self.service.loop.create_future()
        waiter.add_done_callback(lambda _: function())
        self._new_queue().waiters.append(waiter)

    def end_piped(self, code: int, reason: str) -> None:
        """Ends as the connection did that a pipe joined to this one; what was sent leaves first."""
        if self._state is not OPEN:
            return
        if code != closing.ABNORMAL:
            self.start_close(code if closing.is_sendable(code) else closing.NORMAL, reason)
            return
        self.flush()
        if self._state is OPEN and self.unsent:
            self.pause_recv()
            self.call_when_sent(self.destroy)
            self.after(self.service.limits.close_timeout, self.destroy)
        elif self._state is OPEN:
            self.destroy()
