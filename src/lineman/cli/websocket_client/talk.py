"""A conversation over one connection: sends typed lines and shows messages, until the end."""

from __future__ import annotations

import contextlib
import os
import select
import time
from dataclasses import dataclass

from lineman.cli.websocket_client import shown
from lineman.cli.websocket_client.client_socket import Wire
from lineman.cli.websocket_client.screens import CHUNK, Screen
from lineman.cli.websocket_client.stream_wire import StreamWire
from lineman.errors import ProtocolError, UsageError
from lineman.protocols.events import Close
from lineman.protocols.websocket import close
from lineman.protocols.websocket.control import Event, Ping, Pong


@dataclass(frozen=True, slots=True)
class Manners:
    """The options of a conversation.

    Attributes:
        is_binary: whether lines are sent as binary messages.
        is_hex: whether lines are hexadecimal, and sent as binary messages.
        is_verbose: whether pings, pongs and times are shown.
        wait: seconds without a message, after the end of the input, that end the conversation;
            None to wait until the server ends it.
        count: messages after which it ends; None for any number.
    """

    is_binary: bool = False
    is_hex: bool = False
    is_verbose: bool = False
    wait: float | None = 1.0
    count: int | None = None

    def message(self, line: str) -> str | bytes:
        """The message that a line is sent as.

        Raises:
            ValueError: it should be hexadecimal and is not, or it should be text and is not UTF-8.
        """
        if self.is_hex:
            return bytes.fromhex(line)
        data = line.encode("utf-8", "surrogateescape")
        return data if self.is_binary else data.decode("utf-8")


class Conversation:
    """From the open connection to its end.

    Args:
        wire: open.
        screen: the user's side.
        manners: the options.
        alarm: descriptor that a signal makes readable; see `woken_by_signals`.
    """

    def __init__(
        self, wire: Wire | StreamWire, screen: Screen, manners: Manners, alarm: int
    ) -> None:
        self._wire = wire
        self._alarm = alarm
        self._screen = screen
        self._manners = manners
        self._source: int | None = screen.fileno()
        self._began = time.monotonic()
        self._sent_at = 0.0
        self._count = 0
        self._has_unsent = False
        self._is_closing = False  # whether our close frame was sent
        self._deadline: float | None = None
        self._patience = 0.0  # seconds that the server has to answer our close frame
        self.code: int | None = None
        self.reason = ""

    def run(self) -> int:
        """Talks until one side ends it.

        Returns:
            The close code: 1000 for an orderly end; 1006 where the connection was lost.
        """
        try:
            early, self._wire.early = self._wire.early, []
            self._take(early)
            while self.code is None:
                self._step()
        except OSError as error:
            self._read_last_words()
            self._lost(error.strerror or str(error) or type(error).__name__)
        assert self.code is not None
        return self.code

    def _read_last_words(self) -> None:
        """Reads what the server sent before it closed, such as its close frame."""
        with contextlib.suppress(OSError):
            while self.code is None and (events := self._wire.read()):
                self._take(events)

    def say_goodbye(self, code: int) -> None:
        """Sends our close frame; the conversation ends with the server's answer, or without."""
        self._say_close(code, "")

    def _say_close(self, code: int, reason: str) -> None:
        patience = self._wire.say_close(code, reason)
        if patience is not None:
            self._is_closing = True
            self._patience = patience
            self._deadline = time.monotonic() + patience

    # One step.

    def _step(self) -> None:
        timeout = None
        if self._deadline is not None:
            timeout = max(0.0, self._deadline - time.monotonic())
        if self._wire.has_more():
            timeout = 0.0
        watched: list[Wire | StreamWire | int] = [self._wire, self._alarm]
        if self._source is not None and not self._is_closing:
            watched.append(self._source)
        ready = select.select(watched, [], [], timeout)[0]
        if self._alarm in ready:
            os.read(self._alarm, CHUNK)
        is_late = self._deadline is not None and time.monotonic() >= self._deadline
        if (self._wire in ready or self._wire.has_more()) and not (is_late and self._is_closing):
            self._read()  # not after the deadline, even if the server never stops sending
        elif self._source in ready:
            self._enter()
        elif is_late:
            self._out_of_time()

    def _out_of_time(self) -> None:
        if self._is_closing:
            self._lost(f"{self._wire.no_answer} within {self._patience:g} s")
        else:
            self.say_goodbye(close.NORMAL)

    def _enter(self) -> None:
        lines = self._screen.lines()
        if lines is None:
            self._end_of_input()
            return
        for line in lines:
            if self._screen.is_terminal and line.startswith("/"):
                self._command(line[1:])
            elif line or not self._screen.is_terminal:
                self._send(line)
            if self._is_closing:
                return

    def _end_of_input(self) -> None:
        self._source = None
        if self._screen.is_terminal:
            self.say_goodbye(close.NORMAL)
        else:
            self._wait_on()

    def _wait_on(self) -> None:
        if self._source is None and not self._is_closing and self._manners.wait is not None:
            self._deadline = time.monotonic() + self._manners.wait

    def _send(self, line: str) -> None:
        try:
            message = self._manners.message(line)
        except ValueError:
            what = "hexadecimal, such as 00 ff" if self._manners.is_hex else "UTF-8; use --binary"
            self._screen.tell(f"not sent: {line[:40]!r} is not {what}")
            self._has_unsent = not self._screen.is_terminal
            return
        self._send_message(message)

    def _send_message(self, message: str | bytes) -> None:
        try:
            encoded = self._wire.encode(message)
        except UsageError as error:  # such as two lines in one message of text://
            self._screen.tell(f"not sent: {error}")
            self._has_unsent = not self._screen.is_terminal
            return
        self._sent_at = time.monotonic()
        self._wire.send(encoded)

    def _command(self, words: str) -> None:
        name, _, rest = words.partition(" ")
        if name.startswith("/"):
            self._send(words)  # `//text` sends `/text`
        elif name == "ping":
            self._ping(rest)
        elif name == "hex":
            try:
                message = bytes.fromhex(rest)
            except ValueError:
                self._screen.tell(f"not sent: {rest[:40]!r} is not hexadecimal, such as 00 ff")
            else:
                self._send_message(message)
        elif name in ("close", "quit"):
            self._close(rest)
        else:
            self._screen.tell("/ping [text], /hex 00 ff, /close [code [reason]], //text for /text")

    def _ping(self, words: str) -> None:
        if isinstance(self._wire, StreamWire):
            self._screen.tell("this protocol has no pings")
            return
        self._sent_at = time.monotonic()
        self._wire.send(self._wire.session.ping(words.encode()[:125]))

    def _close(self, rest: str) -> None:
        code, _, reason = rest.partition(" ")
        number = int(code) if code.isascii() and code.isdigit() else close.NORMAL
        if not close.is_sendable(number):
            self._screen.tell(f"{number} cannot be sent; use 1000, or 4000 to 4999")
            return
        self._say_close(number, reason)

    # What comes.

    def _read(self) -> None:
        events = self._wire.read()
        if events is None:
            self._lost(self._wire.no_end)
        else:
            self._take(events)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if self.code is not None:
                return
            if isinstance(event, (str, bytes)):
                self._message(event)
            elif isinstance(event, Ping):
                self._verbose(f"ping{shown.payload(event.payload)}, answered")
                self._answer(event)
            elif isinstance(event, Pong):
                after = shown.milliseconds(time.monotonic() - self._sent_at)
                self._screen.tell(f"pong{shown.payload(event.payload)} after {after}")
            elif isinstance(event, Close):
                self._on_close(event)
            elif isinstance(event, ProtocolError):
                self._answer(event)
                self.code, self.reason = event.code, event.reason
                self._screen.tell(f"the server broke the protocol: {event.reason}")

    def _answer(self, event: Event) -> None:
        self._wire.send(self._wire.session.answer_to(event, time.monotonic()))

    def _message(self, content: str | bytes) -> None:
        if self._count == self._manners.count:
            return  # it came behind the last one that was asked for
        now = time.monotonic()
        text = shown.message(content, is_terminal=self._screen.is_terminal)
        if isinstance(content, bytes) and self._screen.is_terminal:
            text = f"{len(content)} bytes: {text}"
        self._screen.show(text)
        if self._manners.is_verbose:
            kind = "binary" if isinstance(content, bytes) else "text"
            words = f"{kind}, {len(content)} long, at {shown.milliseconds(now - self._began)}"
            if self._sent_at:
                words += f", {shown.milliseconds(now - self._sent_at)} after ours"
            self._screen.tell(words)
        self._count += 1
        self._wait_on()
        if self._count == self._manners.count:
            self.say_goodbye(close.NORMAL)

    def _verbose(self, text: str) -> None:
        if self._manners.is_verbose:
            self._screen.tell(text)

    def _on_close(self, event: Close) -> None:
        self.code, self.reason = event.code, event.reason
        self._answer(event)
        if self._screen.is_terminal or self._manners.is_verbose or not self.is_good:
            self._screen.tell(shown.closed(event.code, event.reason, by_us=self._is_closing))

    def _lost(self, words: str) -> None:
        if self.code is None:
            self.code, self.reason = close.ABNORMAL, words
            self._screen.tell(f"lost: 1006 {words}")

    @property
    def is_good(self) -> bool:
        """Whether all lines were sent, and it ended with our close frame or the server's 1000."""
        return not self._has_unsent and self._ended_in_order

    @property
    def _ended_in_order(self) -> bool:
        return self.code in (close.NORMAL, close.NO_STATUS) or (
            self._is_closing and self.code != close.ABNORMAL
        )
