"""Files that an application names in place of a body (`http.response.pathsend`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Iterator
from typing import Any

from lineman.errors import LinemanError, UsageError

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
# Bytes that are sent at once: by the kernel, and where TLS encrypts them.
PIECE = 2 * 1024 * 1024
TLS_PIECE = 64 * 1024


@contextlib.contextmanager
def open_file(path: Any) -> Iterator[tuple[int, int]]:
    """The descriptor of a file and its size.

    The standard asks for an absolute path. Starlette passes on whatever path a program gives to
    `FileResponse`, so a relative one is taken from the directory of the process, as `open` does.

    Raises:
        UsageError: it is no path of a regular file.
        OSError: it cannot be opened.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(f"the path of 'http.response.pathsend' is {path!r}; ASGI: a text")
    file = os.open(path, _FLAGS)
    try:
        facts = os.fstat(file)
        if not stat.S_ISREG(facts.st_mode):
            raise UsageError(f"{path!r} of 'http.response.pathsend' is no regular file")
        yield file, facts.st_size
    finally:
        os.close(file)


async def send_file(connection: Any, file: int, size: int) -> None:
    """Sends a file, no faster than its client reads.

    Raises:
        ConnectionLost: the client has gone.
        LinemanError: the file has become shorter.
    """
    offset = 0
    while offset < size:
        if connection.tls is None:
            wanted = min(size - offset, PIECE)
            sent = await connection.send_file(file, offset, wanted)
        else:
            data = os.pread(file, min(size - offset, TLS_PIECE), offset)
            wanted, sent = len(data), len(data)
            connection.cork(data)
            await connection.drain()
        if not sent:
            raise LinemanError(
                f"the file has become shorter while it was sent: it ends at byte {offset} of {size}"
            )
        offset += sent
        if sent == wanted:
            await asyncio.sleep(0)
