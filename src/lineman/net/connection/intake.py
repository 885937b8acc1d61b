"""From received bytes to events: HTTP before the handshake, messages after it.

What is more than a share of the turn is kept, and comes again in another one.
"""

from __future__ import annotations

from lineman.net.connection.delivery import Delivery
from lineman.net.connection.http_stage import HttpStage
from lineman.net.connection.state import CLOSING, HANDSHAKE, OPEN
from lineman.net.loop import steps
from lineman.protocols.websocket import deflate
from lineman.protocols.websocket.decoder import Decoder
from lineman.protocols.websocket.fast_handshake import read_opening
from lineman.protocols.websocket.negotiation import Agreement

# Bytes of HTTP requests that are looked at in one go.
HTTP_PIECE = 4096
_HTTP_PIECE = HTTP_PIECE  # as a C number


class Intake(Delivery):
    """Takes bytes; `Lifecycle` says what begins and ends with them.

    Attributes:
        agreement: how messages are compressed; None for not at all.
    """

    __slots__ = (
        "_decoder",
        "_last_received",
        "_stage",
        "agreement",
    )

    def _begin_taking(self) -> None:
        """In place of `__init__`."""
        self._stage: HttpStage | None = None  # made for the first bytes, gone when open
        self._decoder: Decoder | None = None
        self.agreement: Agreement | None = None
        self._last_received = self.poller.wheel.now

    def on_data(self, data: memoryview) -> None:
        """Takes bytes from the peer."""
        state = self._state
        if state is OPEN or state is CLOSING:
            decoder = self._decoder
            if decoder is None:
                decoder = self._decoder = self._new_decoder()
            self._last_received = self.poller.wheel.now
            turn = self.poller.turn
            size = len(data)
            while (event := decoder.next(data)) is not None:
                self.process(event)
                if decoder._position == size and decoder.has_taken(data):
                    break
                if steps.has_spent(turn):
                    self.keep(decoder.rest(data))
                    break
            if self._is_unfinished or decoder._message is not None:
                self.note_unfinished(decoder._message, decoder.held())
        elif state is HANDSHAKE:
            if self._stage is None:
                self._stage = HttpStage(self)  # type: ignore[arg-type]  # each is a Lifecycle
                found = read_opening(data, self.service.limits.max_head_size)
                if found is not None:
                    size = len(found.head)
                    self._stage.begin(found, b"" if size == len(data) else bytes(data[size:]))
                    return
            self._feed_http(self._stage, data)

    def _feed_http(self, stage: HttpStage, data: memoryview) -> None:
        """Takes bytes of HTTP requests, in small pieces: a few bytes can be much work."""
        size, begin = len(data), 0
        while not self.is_over:
            stage.feed(data[begin : begin + _HTTP_PIECE])
            begin += _HTTP_PIECE
            if begin >= size or self.is_over:
                return
            has_more_first = self._stream.kept is not None or self._stream.paused
            if has_more_first or self._state is not HANDSHAKE or self.has_had_share():
                self.keep(bytes(data[begin:]))
                return

    def on_used_up(self) -> None:
        """Learns that nothing is kept any more: a goodbye that waited for it may follow."""
        if self._inbox is None:
            self.inbox_is_empty()

    def has_opened(self) -> bool:
        """Whether it is a websocket, or was one."""
        return self._state is not HANDSHAKE

    def _new_decoder(self) -> Decoder:
        """For the first bytes of an open connection: many never send any."""
        max_size = self.service.limits.max_message_size
        agreement = self.agreement
        inflater = None if agreement is None else deflate.Inflater(agreement, max_size)
        if self.service.is_metered:
            return self.service.admission.decoder(self, max_size, inflater)
        return Decoder(max_size, True, inflater)
