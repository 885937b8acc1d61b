"""One end of a link between two processes of a machine: frames of messages over a stream."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
import struct
from collections.abc import Callable
from typing import Any, cast

from lineman.errors import ConfigError
from lineman.gateway.messages import (
    LENGTH,
    MAX_FRAME,
    Answer,
    BadMessageError,
    Message,
    Wire,
    encode_frames,
)
from lineman.unixpath import short_path

logger = logging.getLogger("lineman")

# A turn of the event loop that says more than this is not waited for.
FLUSH_SIZE = 256 * 1024
UNKNOWN = "unknown"
UCRED = struct.Struct("3i")  # pid, uid, gid; see unix(7)


class Link(asyncio.Protocol):
    """Collects what one turn of the event loop says, and sends it as one frame.

    Args:
        wire: what the other side may say.
        on_batch: gets the messages of each frame.
        on_end: called once, when the link is over; gets the reason in words.

    Attributes:
        is_up: whether messages can be posted; what is posted to a link that is down is dropped.
        is_clogged: whether the other side reads so slowly that more should wait.
        peer: who the other side is, for the log.
        asked_at: since when an answer to a `Ping` is missing; None where none is.
    """

    def __init__(
        self,
        wire: Wire,
        on_batch: Callable[[Link, list[Any]], None],
        on_end: Callable[[Link, str], None],
    ) -> None:
        self._wire = wire
        self._on_batch = on_batch
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._batch: list[Message] = []
        self._batched = 0
        self._drained: list[Callable[[], None]] = []
        self.is_up = False
        self.is_clogged = False
        self.peer = UNKNOWN
        self.asked_at: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins."""
        # uvloop's transports do what this class says and do not derive from it.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=4 * 1024 * 1024)
        self.is_up = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends."""
        self._over("it ended" if exc is None else str(exc))

    def post(self, message: Message, size: int = 0) -> None:
        """Says something, at the latest when this turn of the event loop ends.

        Args:
            message: what.
            size: bytes of its payload.
        """
        if not self._batch:
            if not self.is_up:
                return
            self._loop.call_soon(self.flush)
        self._batch.append(message)
        self._batched += size
        if self._batched > FLUSH_SIZE:
            self.flush()

    def flush(self) -> None:
        """Sends what was posted."""
        if self._batch and self._transport is not None:
            batch, self._batch = self._batch, []
            self._batched = 0
            frames, bad = encode_frames(batch)
            for frame in frames:
                self._transport.write(frame)
            for message, problem in bad:
                self._give_up(message, problem)

    def _give_up(self, message: Message, problem: str) -> None:
        kind = type(message).__name__
        logger.error("to process %s: a %s was dropped: %s", self.peer, kind, problem)
        if isinstance(message, Answer):
            self.post(Answer(message.number, error=f"the answer cannot be sent: {problem}"[:500]))

    def pause_writing(self) -> None:
        """Learns that the other side reads slowly."""
        self.is_clogged = True

    def resume_writing(self) -> None:
        """Learns that it has caught up."""
        self.is_clogged = False
        waiting, self._drained = self._drained, []
        for function in waiting:
            function()

    def when_drained(self, function: Callable[[], None]) -> None:
        """Calls a function once, when the link is clogged no more."""
        self._drained.append(function)

    def data_received(self, data: bytes) -> None:
        """Takes bytes, cut anywhere."""
        if self._received:
            self._received += data
            rest = self._take(self._received)
        else:
            rest = self._take(data)
            self._received += data[rest:]
            return
        del self._received[:rest]

    def _take(self, data: bytes | bytearray) -> int:
        """Hands over the whole frames; how many bytes they were."""
        start = 0
        with memoryview(data) as view:
            while len(data) - start >= LENGTH and self.is_up:
                size = int.from_bytes(view[start : start + LENGTH], "big")
                if size > MAX_FRAME:
                    self.fail(f"a frame of {size} bytes; {MAX_FRAME} are allowed")
                    break
                end = start + LENGTH + size
                if end > len(data):
                    break
                try:
                    batch = self._wire.decode_batch(view[start + LENGTH : end])
                except BadMessageError as error:
                    self.fail(str(error))
                    break
                self._on_batch(self, batch)
                start = end
        return start

    def fail(self, reason: str) -> None:
        """Gives the link up."""
        if self._transport is not None and self.is_up:
            self._transport.abort()
        self._over(reason)

    def close(self) -> None:
        """Ends the link after all that was posted has left."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def _over(self, reason: str) -> None:
        if self.is_up:
            self.is_up = False
            self._batch.clear()
            self._on_end(self, reason)

    def peer_uid(self) -> int | None:
        """The user that the other process runs as; None where the kernel does not tell."""
        sock = None if self._transport is None else self._transport.get_extra_info("socket")
        if sock is None or sock.family != socket.AF_UNIX:
            return None
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
        _, uid, _ = UCRED.unpack(credentials)
        return int(uid)


async def dial(make: Callable[[], Link], path: str) -> Link:
    """A link to whoever takes links at a unix socket.

    Raises:
        OSError: nobody does.
    """
    with short_path(path) as short:
        _, link = await asyncio.get_running_loop().create_unix_connection(make, short)
    return link


class Listener:
    """A unix socket at which links are taken.

    Args:
        server: that takes them.
        path: of the socket.
        alias: a second name of it; empty for none.
    """

    def __init__(self, server: asyncio.Server, path: str, alias: str) -> None:
        self._server = server
        self._path = path
        self._alias = alias
        self._made = os.lstat(path)

    def close(self) -> None:
        """Takes no more of them; the path is left to whoever listens there meanwhile."""
        self._server.close()
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(self._made, os.lstat(self._path)):
                os.unlink(self._path)
        with contextlib.suppress(FileNotFoundError):
            if self._alias:
                os.unlink(self._alias)


async def listen(make: Callable[[], Link], path: str, alias: str = "") -> Listener:
    """Takes links at a unix socket that only this user may use.

    Args:
        make: makes the end of each link.
        path: of the socket; one of an earlier process is replaced, which goes on with the links
            that it has, and is found by its alias.
        alias: a name in the same directory that no other process has; empty for none.

    Raises:
        ConfigError: it cannot be made there.
    """
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass
    # Nobody else may connect to it, not even between its making and a chmod.
    before = os.umask(0o177)
    try:
        with short_path(path) as short:
            server = await asyncio.get_running_loop().create_unix_server(make, short)
        if alias:
            os.link(path, alias)
        return Listener(server, path, alias)
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {path}: {(error.strerror or str(error)).lower()}",
            "name a path in a directory where the service's user may write",
        ) from None
    finally:
        os.umask(before)
