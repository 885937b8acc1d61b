"""Where links begin: unix sockets that one process listens at and others dial."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable
from typing import cast

from lineman.errors import ConfigError
from lineman.gateway.link import Link
from lineman.unixpath import short_path
from lineman.unixpeer import stranger

# A link does what a protocol of asyncio does, and cannot derive from it where it is compiled.
Make = Callable[[], asyncio.Protocol]


class StrangerError(OSError):
    """Somebody listens at a path of ours who is none of us; nothing was said to him."""

    def __init__(self, user: str, path: str) -> None:
        super().__init__(
            errno.EPERM,
            f"{user} listens there, who is none of the service's, and is told nothing",
            path,
        )


async def dial(make: Callable[[], Link], path: str) -> Link:
    """A link to whoever takes links at a unix socket.

    Raises:
        StrangerError: it is somebody who could have put the socket there in our place.
        OSError: nobody does.
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
            server = await asyncio.get_running_loop().create_unix_server(cast(Make, make), short)
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
