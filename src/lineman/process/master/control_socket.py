"""The master's control socket: commands come in, children are asked, one reply goes out."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from lineman.base.open_questions import OpenQuestion, OpenQuestions
from lineman.base.unixpath import short_path
from lineman.base.unixpeer import peer_uid
from lineman.process.master.reactor import Channel, Reactor
from lineman.process.messages.lines import MAX_REQUEST, WireError, decode, encode

logger = logging.getLogger("lineman")

MAX_CLIENTS = 64
# Seconds after which a connection that sends nothing is closed.
SILENCE = 10.0
# Seconds for children to answer; a child that does not is shown as busy.
PATIENCE = 1.0


class Caller:
    """One command on the control socket, from its request to its reply."""

    def __init__(self, server: ControlServer, end: socket.socket, uid: int) -> None:
        self._server = server
        self.uid = uid
        self.since = time.monotonic()
        self.has_asked = False
        self.channel = Channel(
            server.reactor, end, self._on_line, lambda: server.forget(self), MAX_REQUEST
        )

    def _on_line(self, line: bytes) -> None:
        if self.has_asked:
            return  # one request for each connection
        self.has_asked = True
        try:
            request = decode(line)
        except WireError as error:
            self.reply({"error": str(error)})
            return
        self._server.on_request(self, request)

    def reply(self, message: dict[str, Any]) -> None:
        """Sends the reply and closes."""
        self.reply_raw([encode(message)])

    def reply_raw(self, parts: Iterable[bytes]) -> None:
        """Sends a reply that is JSON already, in parts; the last one ends the line."""
        self.channel.send(*parts)
        self.channel.close_when_sent()
        self._server.forget(self)


class ControlServer:
    """Listens for commands of the same user, or of root.

    Args:
        reactor: the master's event loop.
        path: the socket's path; a socket that a dead master has left there is replaced.
        on_request: gets each caller with its request; it must reply, now or later.
        others: further sockets at which it listens; they are not closed here.
    """

    def __init__(
        self,
        reactor: Reactor,
        path: Path,
        on_request: Callable[[Caller, dict[str, Any]], None],
        others: Sequence[socket.socket] = (),
    ) -> None:
        self.reactor = reactor
        self.on_request = on_request
        self._path = path
        self._callers: set[Caller] = set()
        self._is_paused = False
        self._others = others
        self._socket, self._made = _listen(path)
        self._watch()

    def _listeners(self) -> list[socket.socket]:
        return [self._socket, *self._others]

    def _watch(self) -> None:
        for listener in self._listeners():
            self.reactor.watch(listener, functools.partial(self._accept, listener))

    def _unwatch(self) -> None:
        if not self._is_paused:
            for listener in self._listeners():
                self.reactor.forget(listener)

    def restore(self) -> Path | None:
        """Listens again if the socket's file was removed; returns its path in this case.

        Raises:
            OSError: the socket cannot be created.
        """
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(self._made, self._path.lstat()):
                return None
        new, made = _listen(self._path)
        self._unwatch()
        self._socket.close()
        self._socket, self._made, self._is_paused = new, made, False
        self._watch()
        return self._path

    def _accept(self, listener: socket.socket, _: int) -> None:
        try:
            end, _address = listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            logger.error("cannot accept a command: %s", error.strerror)
            self._unwatch()  # it stays ready: look again in the next turn
            self._is_paused = True
            return
        uid = peer_uid(end)
        if uid not in (0, os.geteuid()):
            end.close()
            logger.warning("a command of user %d was refused on %s", uid, self._path)
            return
        now = time.monotonic()
        for caller in [each for each in self._callers if not each.has_asked]:
            if now - caller.since > SILENCE:
                caller.channel.close()
                self._callers.discard(caller)
        caller = Caller(self, end, uid)
        if len(self._callers) >= MAX_CLIENTS:
            caller.has_asked = True
            caller.reply({"error": f"{MAX_CLIENTS} commands already wait; try again in a moment"})
            return
        self._callers.add(caller)

    def resume(self) -> None:
        """Accepts again after a pause; call this from time to time."""
        if self._is_paused:
            self._is_paused = False
            self._watch()

    def forget(self, caller: Caller) -> None:
        """Stops counting a caller that has its reply, or has left."""
        self._callers.discard(caller)

    def close(self) -> None:
        """Stops listening and removes the socket's file."""
        self._unwatch()
        self._is_paused = True
        self._socket.close()
        with contextlib.suppress(OSError):
            if os.path.samestat(self._made, self._path.lstat()):
                self._path.unlink()


def _listen(path: Path) -> tuple[socket.socket, os.stat_result]:
    """A socket that listens at a path, and the status of its file."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with short_path(path) as short:
            server.bind(short)
        made = path.lstat()
    except BaseException:
        server.close()
        raise
    finally:
        os.umask(before)
    server.listen(MAX_CLIENTS)
    server.setblocking(False)
    return server, made


class Asker(Protocol):
    """A caller with a question to the children."""

    def reply_raw(self, parts: Iterable[bytes]) -> None:
        """Takes the reply: JSON in parts, with the end of a line at its end."""
        ...


class ChildQuestions:
    """Asks the children on behalf of callers; a child that is late counts as busy.

    Args:
        compose: makes the reply to a caller, in parts, from the answers that came in time.
    """

    def __init__(self, compose: Callable[[dict[int, bytes]], Iterable[bytes]]) -> None:
        self._compose = compose
        self._questions: OpenQuestions[int] = OpenQuestions()

    def ask(
        self, caller: Asker, request: dict[str, Any], children: dict[int, Channel], now: float
    ) -> None:
        """Asks every child; the caller gets its reply when all have answered or it is too late.

        Args:
            request: the `command` and its arguments.
            children: the children by the number of their process.
            now: the time, by the clock of `expire`.
        """

        def reply(question: OpenQuestion[int]) -> None:
            caller.reply_raw(self._compose(question.answers))

        number = self._questions.open(children, reply, now + PATIENCE)
        arguments = {name: value for name, value in request.items() if name != "command"}
        line = encode({**arguments, "ask": request["command"], "id": number})
        for channel in children.values():
            channel.send(line)

    def take(self, process: int, number: int, answer: bytes) -> None:
        """Takes the answer of a child; an answer that comes too late is ignored."""
        self._questions.answer(number, process, answer)

    def leave(self, process: int) -> None:
        """Waits no longer for a child that is gone."""
        self._questions.leave(process)

    def expire(self, now: float) -> None:
        """Replies to callers whose time is over."""
        self._questions.expire(now)

    def next_deadline(self) -> float | None:
        """When `expire` must be called; None for never."""
        return self._questions.next_deadline()
