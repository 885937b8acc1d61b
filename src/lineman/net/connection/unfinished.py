"""Messages that have begun and not ended: what they hold together, and whether they go on.

A client that sends most of a message and never its end is alive by all other signs: it answers
pings. So each unfinished message must go on by some bytes within a time, however slowly, and all
of them together may hold so much memory; past that the largest is given up first.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sized
from typing import Any

from lineman.base.loglimit import LogLimit
from lineman.errors import HttpError, ProtocolError
from lineman.net.connection.counters import Tally
from lineman.net.loop.wheel import Timed, Wheel
from lineman.protocols.websocket import close as closing

# Within `unfinished_timeout` a message must go on by one in so many of its bytes, and by one at
# least. It is small on purpose: a bad network can carry this much, and a client that holds more
# must send more.
PROGRESS = 10_000
# Seconds after which a refused client may connect again.
RETRY_AFTER = 5


class _Entry:
    """One unfinished message.

    Attributes:
        what: tells it from the next one of the same connection.
        held: bytes of memory.
        arrived: bytes of it that have come.
        checked_at: when its progress was looked at last, and `had` what had arrived then.
    """

    __slots__ = ("arrived", "checked_at", "had", "held", "what")

    def __init__(self, what: Sized, now: float) -> None:
        self.what = what
        self.held = 0
        self.arrived = 0
        self.had = len(what)
        self.checked_at = now


class Unfinished(Timed):
    """The unfinished messages of one service.

    Args:
        wheel: for the time; it stands still while the process does.
        max_size: bytes that they may hold together.
        timeout: seconds within which each must go on; 0 for ever.
        tally: where hits are counted.
        log: where they are told.

    Attributes:
        size: bytes that they hold together now.
    """

    def __init__(
        self, wheel: Wheel, max_size: int, timeout: float, tally: Tally, log: LogLimit
    ) -> None:
        super().__init__()
        self._wheel = wheel
        self._max_size = max_size
        self._timeout = timeout
        self._tally = tally
        self._log = log
        self._entries: OrderedDict[Any, _Entry] = OrderedDict()  # next to be looked at first
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def note(self, connection: Any, what: Sized | None, held: int) -> bool:
        """Takes the state of a connection's message after bytes have come.

        Args:
            connection: the `Connection` whose message it is.
            what: what has come of it, inflated, an object for each message; None where none is
                unfinished.
            held: bytes of memory that it takes.

        Returns:
            Whether the message is known here, so that its end must be told.
        """
        if what is None or connection.is_over:
            self.forget(connection)
            return False
        now = self._wheel.now
        entry = self._entries.get(connection)
        if entry is None or entry.what is not what:
            self.forget(connection)
            entry = self._entries[connection] = _Entry(what, now)
            if self._timeout and not self.filed_tick:
                self._wheel.file(self, now + self._timeout)
        self.size += held - entry.held
        entry.held = held
        entry.arrived = len(what)
        while self.size > self._max_size and self._entries:
            self._give_up_largest()
        return connection in self._entries

    def forget(self, connection: Any) -> None:
        """The connection has no unfinished message any more."""
        entry = self._entries.pop(connection, None)
        if entry is not None:
            self.size -= entry.held

    def _give_up_largest(self) -> None:
        connection, entry = max(self._entries.items(), key=lambda item: item[1].held)
        self._log.log(
            logging.WARNING,
            "too many unfinished messages",
            "%s: unfinished messages hold %d bytes, %d may (max_unfinished_size); the largest is "
            "given up: %d bytes",
            connection,
            self.size,
            self._max_size,
            entry.held,
        )
        words = "too much is unfinished here; send it again later (max_unfinished_size)"
        self._give_up(connection, "max_unfinished_size", closing.TRY_AGAIN_LATER, words)

    def on_deadline(self, now: float) -> float:
        """Gives up the messages that have not gone on; see `Timed`."""
        while self._entries:
            connection, entry = next(iter(self._entries.items()))
            if now - entry.checked_at < self._timeout:
                return entry.checked_at + self._timeout
            is_going_on = entry.arrived - entry.had >= max(1, entry.arrived // PROGRESS)
            if is_going_on or connection.is_paused:
                entry.checked_at = now
                entry.had = entry.arrived
                self._entries.move_to_end(connection)
                continue
            words = f"a message did not go on within {self._timeout:g} s (unfinished_timeout)"
            self._log.log(
                logging.WARNING, "messages that do not go on", "%s: %s", connection, words
            )
            self._give_up(connection, "unfinished_timeout", closing.POLICY_VIOLATION, words)
        return 0.0

    def _give_up(self, connection: Any, limit: str, code: int, words: str) -> None:
        self._tally.hits[limit] += 1
        self.forget(connection)
        if connection.is_open:
            connection.on_broken_rule(ProtocolError(code, words))
        elif connection.is_unopened:  # the body of a plain request
            connection.refuse(HttpError(503, words, (("Retry-After", str(RETRY_AFTER)),)))
        else:
            connection.on_fault()  # it already closes, and needs no further byte
