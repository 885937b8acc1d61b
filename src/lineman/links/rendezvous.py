"""Opens links: one process listens at a unix socket, and others dial it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import stat
from collections.abc import Callable
from typing import cast

from lineman.base.unixpath import short_path
from lineman.base.unixpeer import stranger
from lineman.errors import ConfigError
from lineman.links.link import Link

logger = logging.getLogger("lineman")

LOOK = 1.0

# A link has the methods of an asyncio protocol; compiled, it cannot derive from that class.
Make = Callable[[], asyncio.Protocol]


class StrangerError(OSError):
    """Another user listens at a path of the service; nothing was sent to that process."""

    def __init__(self, user: str, path: str) -> None:
        super().__init__(
            errno.EPERM,
            f"{user} listens there and is not the service's user; nothing is sent to it",
            path,
        )


async def dial(make: Callable[[], Link], path: str) -> Link:
    """A link to the process that accepts links at a unix socket.

    Raises:
        StrangerError: another user listens there, who may have replaced the service's socket.
        OSError: no process listens there.
    """
    loop = asyncio.get_running_loop()
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        with short_path(path) as short:
            await loop.sock_connect(end, short)
        if user := stranger(end, path):
            raise StrangerError(user, path)
    except BaseException:
        end.close()
        raise
    _, link = await loop.create_unix_connection(cast(Make, make), sock=end)
    return cast(Link, link)


class Listener:
    """A unix socket at which links are accepted.

    Args:
        make: makes this end of each link.
        path: the socket's path.
        alias: a second path of the socket; empty for none.
    """

    def __init__(self, make: Callable[[], Link], path: str, alias: str) -> None:
        self._make = make
        self.path = path
        self._alias = alias
        self._server: asyncio.Server | None = None
        self._made: os.stat_result | None = None
        self._has_path = True  # False once another process has taken the path over

    async def open(self) -> None:
        """Listens; another process that listened at the path keeps its links and its alias.

        Raises:
            OSError: the socket cannot be made there.
        """
        first = self._alias or self.path
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.lstat(first).st_mode):
                os.unlink(first)
        # No other user may connect to the socket, not even for the moment before a chmod.
        before = os.umask(0o177)
        loop = asyncio.get_running_loop()
        try:
            with short_path(first) as short:
                server = await loop.create_unix_server(cast(Make, self._make), short)
        finally:
            os.umask(before)
        self._made = os.lstat(first)
        self._server, old = server, self._server
        if old is not None:
            old.close()
        if self._alias and self._has_path:
            # The rename replaces the old socket in one step: the path always has a socket.
            new = f"{self._alias}.new"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
            os.link(self._alias, new)
            os.replace(new, self.path)

    async def restore(self) -> bool:
        """Listens again if the socket was removed; returns whether it was.

        Raises:
            OSError: it was removed and cannot be created again.
        """
        is_there = self._is_at(self.path)
        if is_there is not None:
            self._has_path = is_there
        is_gone = self._has_path and is_there is None
        if self._alias and not is_gone:
            is_gone = self._is_at(self._alias) is None
        if is_gone:
            await self.open()
        return is_gone

    def _is_at(self, path: str) -> bool | None:
        """Whether this socket is at a path: False for another socket, None for none."""
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return None
        return self._made is not None and os.path.samestat(self._made, found)

    def close(self) -> None:
        """Accepts no more links; leaves the path to another process that listens there now."""
        if self._server is not None:
            self._server.close()
        for path in (self.path, self._alias):
            with contextlib.suppress(FileNotFoundError):
                if path and self._is_at(path):
                    os.unlink(path)


async def listen(make: Callable[[], Link], path: str, alias: str = "") -> Listener:
    """Accepts links at a unix socket that only this user may use.

    Args:
        make: makes this end of each link.
        path: the socket's path; it replaces the socket of an earlier process, which keeps its
            links and is found by its alias.
        alias: a path in the same directory that no other process has; empty for none.

    Raises:
        ConfigError: the socket cannot be made there.
    """
    listener = Listener(make, path, alias)
    try:
        await listener.open()
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen at {path}: {(error.strerror or str(error)).lower()}",
            "name a path in a directory where the service's user may write",
        ) from None
    return listener


class Listeners:
    """The listeners of a process; sockets that others have removed are created again."""

    def __init__(self) -> None:
        self._all: list[Listener] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, make: Callable[[], Link], path: str, alias: str = "") -> None:
        """Listens at one more path; arguments and errors as for `listen`."""
        self._all.append(await listen(make, path, alias))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        faults: dict[str, str] = {}
        while True:
            await asyncio.sleep(LOOK)
            for listener in self._all:
                try:
                    is_new = await listener.restore()
                except OSError as error:
                    if faults.get(listener.path) != str(error):
                        faults[listener.path] = str(error)
                        logger.warning(
                            "a socket was removed and cannot be created again: %s", error
                        )
                else:
                    faults.pop(listener.path, None)
                    if is_new:
                        logger.warning(
                            "a socket was removed and was created again: %s", listener.path
                        )

    def close(self) -> None:
        """Accepts no more links at any path."""
        if self._task is not None:
            self._task.cancel()
        for listener in self._all:
            listener.close()
