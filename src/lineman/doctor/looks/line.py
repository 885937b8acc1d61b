"""Looks at an open websocket: whether it answers a ping, stays open, takes a large message."""

from __future__ import annotations

import ssl
import time

from lineman.doctor.facts import LineLook, Outcome, SizeLook
from lineman.doctor.looks.probe import CHUNK, Line, outcome_of
from lineman.errors import ProtocolError
from lineman.protocols.events import Close
from lineman.protocols.websocket import close
from lineman.protocols.websocket.control import Event, Ping, Pong

_PROBE = b"doctor"
_PIECE = 16 * 1024  # of a large message


class _Watch:
    """Reads a websocket, answers its pings, and records what happened."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.outcome = Outcome.DONE
        self.code = 0
        self.reason = ""
        self.pings = 0
        self.pongs: list[bytes] = []
        self._events(line.session.feed(line.early))
        line.early = b""

    def until(self, deadline: float, pong: bytes | None = None) -> None:
        """Reads until this time, the end of the connection, or the pong that is waited for."""
        while self.outcome is Outcome.DONE and (pong is None or pong not in self.pongs):
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self.read(left)

    def read(self, seconds: float) -> None:
        """What comes within this time; with 0 what has already come."""
        link = self.line.link
        try:
            link.settimeout(seconds)
            data = link.recv(CHUNK)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError as error:
            self._lost(outcome_of(error)[1])
            return
        if data:
            self._events(self.line.session.feed(data))
        else:
            self._lost("")

    def _lost(self, reason: str) -> None:
        self.outcome, self.code, self.reason = Outcome.CLOSED, close.ABNORMAL, reason

    def _events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Ping):
                self.pings += 1
            elif isinstance(event, Pong):
                self.pongs.append(event.payload)
            elif isinstance(event, Close):
                self.outcome, self.code, self.reason = Outcome.CLOSED, event.code, event.reason
            elif isinstance(event, ProtocolError):
                self.outcome, self.reason = Outcome.BROKEN, event.reason
            answer = self.line.session.answer_to(event, time.monotonic())
            if answer is not None:
                self.send(answer)

    def send(self, frame: bytes) -> None:
        """Sends one frame; if that fails, reads the server's close frame first."""
        try:
            self.line.link.sendall(frame)
        except OSError as error:
            if self.outcome is Outcome.DONE:
                self.read(0.1)  # the server's close frame, if it sent one
            if self.outcome is Outcome.DONE:
                self._lost(outcome_of(error)[1])

    def seen(self, pong: float | None) -> LineLook:
        """What happened, as facts."""
        after = time.monotonic() - self.line.opened
        return LineLook(pong, self.outcome, self.code, self.reason, after, self.pings)


def ping(line: Line, timeout: float) -> LineLook:
    """Sends a ping and waits for its answer."""
    watch = _Watch(line)
    began = time.monotonic()
    if watch.outcome is Outcome.DONE:
        watch.send(line.session.ping(_PROBE))
    watch.until(began + timeout, _PROBE)
    if _PROBE not in watch.pongs:
        return watch.seen(None)
    took = time.monotonic() - began
    # A service that refuses its clients closes at once, so bytes that have come are read as well.
    watch.until(time.monotonic() + 0.05)
    return watch.seen(took)


def silence(line: Line, patience: float) -> LineLook:
    """Sends nothing but pongs, until the connection is cut or the time is over."""
    line.opened = time.monotonic()
    watch = _Watch(line)
    watch.until(line.opened + patience)
    return watch.seen(None)


def large(line: Line, size: int, timeout: float) -> SizeLook:
    """Sends a binary message of this size in one frame, and a ping behind it."""
    watch = _Watch(line)
    frame = line.session.encode(bytes(size))
    for start in range(0, len(frame), _PIECE):
        # The server's bytes are read at once: its later reset would discard them.
        watch.read(0)
        if watch.outcome is not Outcome.DONE:
            break
        try:
            line.link.settimeout(timeout)
            line.link.sendall(frame[start : start + _PIECE])
        except OSError:
            watch.until(time.monotonic() + timeout)  # to the reason, if there is one
            break
    if watch.outcome is Outcome.DONE:
        watch.send(line.session.ping(_PROBE))
    watch.until(time.monotonic() + timeout, _PROBE)
    return SizeLook(size, _PROBE in watch.pongs, watch.code, watch.reason)
