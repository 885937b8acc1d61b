"""The seam between a connection and the protocol that it speaks.

A session knows one protocol and nothing else: no socket, no clock, no log. The connection asks it
everything and is never called by it: it gives it the bytes that came and takes what they mean,
has messages encoded, and tells it the time.

What a session gives for bytes, one at a time:

- a message: `str` or `bytes`, or whatever the protocol calls one;
- a `Reply`: `answer_to` has what the peer must be sent for it;
- a `Close`, or a `ProtocolError`: the peer ends, or has broken a rule. `answer_to` has the last
  words, if there are any; nothing follows in these bytes or in others;
- an `Upgrade`: another session goes on from here;
- `PROGRESS`: nothing yet, and work was done;
- None: these bytes are used up.

HTTP ends in an `Upgrade` to a websocket. The program decides about it, so it does not come from
`next`: `HttpStage` asks the session for it.
"""

from __future__ import annotations

from typing import Any

from lineman.base.buffers import Memory, Room


class Session:
    """One protocol on one connection.

    Attributes:
        has_more: whether `next` has something to do yet for the bytes that it was given last.
    """

    __slots__ = ("has_more",)

    def __init__(self) -> None:
        self.has_more = False

    def use_limits(self, limits: Any) -> None:
        """Has other limits hold from the next message on."""

    # What comes.

    def next(self, data: memoryview) -> Any:
        """The next of what these bytes mean; see the module.

        To be called with the same bytes while `has_more` is true, then with those that follow.
        A caller that continues later asks for the `rest`, and passes that.

        Args:
            data: valid during the call only.
        """
        raise NotImplementedError

    def rest(self, data: memoryview) -> bytes:
        """What of these bytes was not taken yet: `next` is to be called with it."""
        raise NotImplementedError

    def left(self, data: memoryview) -> bytes:
        """All that was given and has not become an event yet, for another session to go on with.

        As `rest`, and also what was taken of a message that is not complete, and of later ones.
        """
        return self.rest(data)

    def ask_now(self) -> bool:
        """Whether `next` is to be called, also without bytes: something waited for the clock."""
        return False

    def unfinished(self) -> Any:
        """What has come of a message that is not complete, one object for each; None without."""
        return None

    def held(self) -> int:
        """Bytes of memory that this takes."""
        return 0

    def ended(self) -> Any:
        """What the end of the bytes means, where the peer has not ended the protocol before.

        Returns:
            A `Close`, and the peer may still read its answers; None if this is an abnormal end.
        """
        return None

    # What goes.

    def encode_into(self, message: Any, room: Room, size: int) -> int:
        """Writes a message where there is room, without an object for it.

        Args:
            message: what to send.
            room: where to write.
            size: bytes that there are.

        Returns:
            How many bytes were written; -1 where only `pieces` can, or nothing: a long message,
            one that is compressed or of an unusual type, and too little room.
        """
        return -1

    def encode_memory(self, is_text: bool, data: Memory, count: int, room: Room, size: int) -> int:
        """As `encode_into`, for a message that lies in memory.

        Args:
            is_text: whether it is UTF-8, and a text.
            data: where it lies.
            count: bytes of it.
            room: where to write.
            size: bytes that there are.
        """
        return -1

    def pieces(self, message: Any) -> tuple[bytes, bytes, bytes]:
        """A message as it goes over the wire: what comes before its body, the body, and the rest.

        Where the protocol sends a body as it is, it is not copied.

        Raises:
            UsageError: it is nothing that can be sent.
        """
        raise NotImplementedError

    def encode(self, message: Any) -> bytes:
        """A message as it goes over the wire, in one piece.

        Raises:
            UsageError: it is nothing that can be sent.
        """
        before, body, behind = self.pieces(message)
        return before + body + behind

    def share_key(self) -> object:
        """Equal for all whose messages are the same bytes on the wire; None for nobody else."""
        return None

    def waiting(self, message: Any) -> Any:
        """A message as it waits for a slow reader, who may never get it.

        Returns:
            Bytes; or a pair with bytes at its end, where it is encoded when it really leaves,
            since the next one builds on it. `leaving` takes either.

        Raises:
            UsageError: it is nothing that can be sent.
        """
        return self.encode(message)

    def leaving(self, entry: Any) -> bytes:
        """What `waiting` returned as it goes over the wire.

        Also after `closing` or the last `answer_to`: the caller sends those bytes behind these.
        """
        encoded: bytes = entry
        return encoded

    def closing(self, code: int, reason: str, now: float) -> bytes | None:
        """What ends the conversation from our side; None where there is nothing to say.

        Args:
            code: a close code, for protocols that have them.
            reason: words for the peer.
            now: seconds, on the clock of `on_time`.

        Raises:
            UsageError: the protocol cannot say this; nothing has changed.
        """
        return None

    def is_answered(self) -> bool:
        """Whether the peer answers what `closing` says, and is waited for."""
        return True

    def answer_to(self, event: Any, now: float) -> bytes | None:
        """What the peer is to be sent for a `Reply`, a `Close` or a `ProtocolError`.

        Args:
            event: that `next` gave, or an error that the connection has found itself.
            now: seconds, on the clock of `on_time`.

        Returns:
            None where nothing is to be sent.
        """
        return None

    def on_time(
        self, now: float, last_received: float, is_reading: bool = True
    ) -> tuple[bytes | None, str | None, float]:
        """What the clock demands.

        Args:
            now: seconds on a clock that does not go back.
            last_received: when bytes last came.
            is_reading: False where nobody reads, so that silence says nothing about the peer.

        Returns:
            What to send, or None; why the peer is given up, or None; when to ask again, 0 for not
            at all.
        """
        return None, None, 0.0


class Upgrade:
    """Another protocol goes on from here.

    Attributes:
        answer: bytes to send first.
        session: of the other protocol.
        rest: bytes that it is to be given first.
    """

    __slots__ = ("answer", "rest", "session")

    def __init__(self, answer: bytes, session: Session, rest: bytes) -> None:
        self.answer = answer
        self.session = session
        self.rest = rest
