"""A websocket client that says what it expects; `Serving.connect` makes it."""

from __future__ import annotations

import contextlib
import json
import re
import select
from collections.abc import Callable
from typing import Any

from lineman.protocols.websocket import frames
from lineman.protocols.websocket.decoder import Close, Ping, Pong
from lineman.testing.client import RawClient

_MARK = b"lineman.testing: is there more?"


class ServiceClient(RawClient):
    """A `RawClient` that behaves as a browser does, and fails a test that expects something else.

    It answers pings and a close frame by itself, whenever it reads.
    """

    def _take(self, data: bytes) -> None:
        for event in self._decoder.feed(data):
            self._events.append(event)
            with contextlib.suppress(OSError):  # the service has gone, and what it sent counts
                if isinstance(event, Ping):
                    self.send_frame(frames.PONG, event.payload)
                elif isinstance(event, Close):
                    self.send_close(event.code, event.reason)

    def receive_message(self) -> str | bytes:
        """The next message.

        Raises:
            EOFError: the server closed instead; the message holds its code and reason.
            TimeoutError: nothing came in time.
        """
        while True:
            event = self.receive()
            if isinstance(event, (str, bytes)):
                return event
            if isinstance(event, Close):
                raise EOFError(f"the server closed with {event.code}: {event.reason}")

    def send_json(self, value: Any) -> None:
        """Sends a value as JSON, in a text message."""
        self.send(json.dumps(value, separators=(",", ":"), ensure_ascii=False))

    def receive_json(self) -> Any:
        """The next message, read as JSON."""
        return json.loads(self.receive_message())

    def expect(
        self, wanted: str | bytes | re.Pattern[str] | Callable[[str | bytes], object]
    ) -> str | bytes:
        """Waits for the next message, which must be the wanted one; returns it.

        Args:
            wanted: the message; or a pattern that the whole text matches; or a function that is
                true for it.

        Raises:
            AssertionError: it is another one, or the server closed, or nothing came in time.
        """
        try:
            message = self.receive_message()
        except (EOFError, TimeoutError) as error:
            raise AssertionError(f"expected {_said(wanted)}; {_why(error)}") from None
        if isinstance(wanted, re.Pattern):
            is_right = isinstance(message, str) and bool(wanted.fullmatch(message))
        elif callable(wanted):
            is_right = bool(wanted(message))
        else:
            is_right = message == wanted and type(message) is type(wanted)
        if not is_right:
            raise AssertionError(f"expected {_said(wanted)}, got {message!r}")
        return message

    def expect_json(self, wanted: Any) -> Any:
        """The same for a message that is JSON: its value must be equal to the wanted one."""
        try:
            message = self.receive_message()
        except (EOFError, TimeoutError) as error:
            raise AssertionError(f"expected {wanted!r}; {_why(error)}") from None
        try:
            value = json.loads(message)
        except ValueError:
            raise AssertionError(
                f"expected {wanted!r}, got {message!r}, which is no JSON"
            ) from None
        if value != wanted:
            raise AssertionError(f"expected {wanted!r}, got {value!r}")
        return value

    def expect_nothing(self) -> None:
        """Makes sure that the server has sent no message up to now.

        It sends a ping: the pong comes behind whatever was sent before it. A message that a task of
        the service sends later is not seen.

        Raises:
            AssertionError: there is a message, or the server closed.
        """
        self.ping(_MARK)
        while True:
            try:
                event = self.receive()
            except EOFError:
                raise AssertionError("expected nothing; the connection ended") from None
            if isinstance(event, (str, bytes)):
                raise AssertionError(f"expected nothing, got {event!r}")
            if isinstance(event, Close):
                raise AssertionError(f"expected nothing; the server closed with {event.code}")
            if isinstance(event, Pong) and event.payload == _MARK:
                return

    def expect_close(self, code: int | None = None, reason: str | None = None) -> Close:
        """Waits for the server's close frame, before which no message may come.

        Args:
            code: the wanted close code; None for any.
            reason: the wanted reason; None for any.

        Raises:
            AssertionError: a message came, or another code or reason, or nothing in time.
        """
        wanted = "a close frame" if code is None else f"close code {code}"
        while True:
            try:
                event = self.receive()
            except (EOFError, TimeoutError) as error:
                raise AssertionError(f"expected {wanted}; {_why(error)}") from None
            if isinstance(event, (str, bytes)):
                raise AssertionError(f"expected {wanted}, got {event!r}")
            if isinstance(event, Close):
                break
        if code not in (None, event.code) or reason not in (None, event.reason):
            more = "" if reason is None else f" {reason!r}"
            raise AssertionError(f"expected {wanted}{more}, got {event.code} {event.reason!r}")
        return event

    def answer_pending(self) -> None:
        """Reads what has come and answers pings and a close frame; messages wait to be expected."""
        while self.plain.fileno() >= 0 and select.select([self.plain], [], [], 0)[0]:
            try:
                data = self.receive_bytes()
            except OSError:
                return
            if not data:
                return
            self._take(data)


def _said(wanted: object) -> str:
    if isinstance(wanted, re.Pattern):
        return f"a text like {wanted.pattern!r}"
    return "another message" if callable(wanted) else repr(wanted)


def _why(error: Exception) -> str:
    return "nothing came in time" if isinstance(error, TimeoutError) else str(error)
