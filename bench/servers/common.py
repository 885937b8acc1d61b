"""What the servers of the comparison share: their command line, TLS, and the event loop.

    python <name>_server.py PORT [CERT KEY]

Each echoes every message; on the path `/b` it sends each message to all who are on that path, and
on `/look` it looks at the path and at the header `Host` before each echo.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Coroutine
from typing import Any

HOST = "127.0.0.1"
BACKLOG = 4096
BROADCAST = "/b"
LOOK = "/look"


def port() -> int:
    """Where to listen."""
    return int(sys.argv[1])


def files() -> tuple[str, str] | None:
    """Certificate and key; None for a server without TLS."""
    return (sys.argv[2], sys.argv[3]) if len(sys.argv) > 3 else None


def tls() -> ssl.SSLContext | None:
    """The same TLS for all of them: what the standard library does by itself."""
    found = files()
    if found is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*found)
    return context


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a server until it is ended, on uvloop where that is installed."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        new_event_loop = None
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main)
