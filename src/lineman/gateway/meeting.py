"""Where links begin: unix sockets that one process listens at and others dial."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from typing import cast

from lineman.errors import ConfigError
from lineman.gateway.link import Link

# A link does what a protocol of asyncio does, and cannot derive from it where it is compiled.
Make = Callable[[], asyncio.Protocol]


async def dial(make: Callable[[], Link], path: str) -> Link:
    """A link to whoever takes links at a unix socket.

    Raises:
        OSError: there is nobody.
    """
    _, link = await asyncio.get_running_loop().create_unix_connection(cast(Make, make), path)
    return cast(Link, link)


async def listen(make: Callable[[], Link], path: str) -> asyncio.Server:
    """Takes links at a unix socket that only this user may use.

    Args:
        make: makes the end of each link.
        path: of the socket; a socket that is left over from an earlier process is replaced.

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
        return await asyncio.get_running_loop().create_unix_server(cast(Make, make), path)
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {path}: {(error.strerror or str(error)).lower()}",
            "name a path in a directory where the service's user may write",
        ) from None
    finally:
        os.umask(before)
