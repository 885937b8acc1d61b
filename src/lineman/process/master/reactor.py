"""The master's own event loop: a selector, signals as numbers, and sockets that carry lines.

It stays apart from asyncio so that the master is small, starts fast, and never blocks.
"""

from __future__ import annotations

import selectors
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable

from lineman.process.messages.lines import LineSplitter, WireError

CHUNK = 256 * 1024


class Reactor:
    """Waits for sockets and signals.

    Args:
        signals: the signals that `wait` reports; others keep their action.
    """

    def __init__(self, signals: Iterable[signal.Signals]) -> None:
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._wakeup_end = socket.socketpair()
        for end in (self._wakeup, self._wakeup_end):
            end.setblocking(False)
        self._caught: list[int] = []
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._read_signals)
        self._wanted: set[int] = set()
        signal.set_wakeup_fd(self._wakeup_end.fileno(), warn_on_full_buffer=False)
        self.catch(signals)

    def catch(self, signals: Iterable[int]) -> None:
        """Lets `wait` report further signals."""
        for number in signals:
            self._wanted.add(number)
            signal.signal(number, lambda number, frame: None)

    def _read_signals(self, _: int) -> None:
        try:
            numbers = self._wakeup.recv(4096)
        except BlockingIOError:
            return
        self._caught.extend(number for number in numbers if number in self._wanted)

    def watch(
        self, file: socket.socket | int, on_ready: Callable[[int], None], *, writing: bool = False
    ) -> None:
        """Calls `on_ready` with the selector's events when the socket or descriptor is ready."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        try:
            self._selector.modify(file, events, on_ready)
        except KeyError:
            self._selector.register(file, events, on_ready)

    def forget(self, file: socket.socket | int) -> None:
        """Stops watching a socket or descriptor; it is not closed."""
        self._selector.unregister(file)

    def wait(self, timeout: float | None) -> list[int]:
        """Handles sockets that are ready.

        Args:
            timeout: seconds to wait for the first one; None for no limit.

        Returns:
            The numbers of the signals that came.
        """
        for key, events in self._selector.select(timeout):
            now = self._selector.get_map().get(key.fd)
            if now is not None and now.fileobj == key.fileobj:  # an earlier one may have closed it
                now.data(events)
        self._read_signals(0)  # a signal that ended the wait is not among the ready ones
        caught, self._caught = self._caught, []
        return caught

    def close(self) -> None:
        """Closes the selector; the watched sockets stay open."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._wakeup.close()
        self._wakeup_end.close()


class Channel:
    """A socket that carries lines both ways and never blocks.

    Args:
        reactor: the event loop.
        end: the socket, which the channel owns.
        on_line: gets each line.
        on_end: called once, when the other end has closed or has sent too long a line.
        limit: the largest size of a line in bytes.
    """

    def __init__(
        self,
        reactor: Reactor,
        end: socket.socket,
        on_line: Callable[[bytes], None],
        on_end: Callable[[], None],
        limit: int,
    ) -> None:
        end.setblocking(False)
        self._reactor = reactor
        self._socket = end
        self._on_line = on_line
        self._on_end = on_end
        self._lines = LineSplitter(limit)
        self._unsent: deque[memoryview] = deque()
        self._closes_when_sent = False
        self.is_closed = False
        reactor.watch(end, self._on_ready)

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""
        return sum(map(len, self._unsent))

    def send(self, *parts: bytes) -> None:
        """Sends bytes, now or when the other end reads; drops them if it is gone."""
        if self.is_closed:
            return
        was_idle = not self._unsent
        self._unsent.extend(memoryview(part) for part in parts if part)
        if was_idle:
            self._write()

    def close_when_sent(self) -> None:
        """Closes when all that was given to `send` is sent."""
        self._closes_when_sent = True
        if not self._unsent:
            self.close()

    def drain(self) -> None:
        """Reads what the other end has sent before it ended."""
        while not self.is_closed:
            try:
                if not self._socket.recv(1, socket.MSG_PEEK):
                    return
            except OSError:
                return
            self._read()

    def close(self) -> None:
        """Closes now; `on_end` is not called."""
        if not self.is_closed:
            self.is_closed = True
            self._reactor.forget(self._socket)
            self._socket.close()

    def _end(self) -> None:
        if not self.is_closed:
            self.close()
            self._on_end()

    def _on_ready(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._write()
        if events & selectors.EVENT_READ and not self.is_closed:
            self._read()

    def _read(self) -> None:
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        try:
            lines = self._lines.feed(data)
        except WireError:
            self._end()
            return
        for line in lines:
            if not self.is_closed:
                self._on_line(line)

    def _write(self) -> None:
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent[0])
                self._unsent[0] = self._unsent[0][sent:]
                if not self._unsent[0]:
                    self._unsent.popleft()
        except BlockingIOError:
            self._reactor.watch(self._socket, self._on_ready, writing=True)
            return
        except OSError:
            self._end()
            return
        if self._closes_when_sent:
            self.close()
        else:
            self._reactor.watch(self._socket, self._on_ready)
