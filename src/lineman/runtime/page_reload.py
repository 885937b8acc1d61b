"""Under `--watch`, pages with one line of HTML load again when the program has been reloaded.

The line is `<script src="/.lineman/reload.js"></script>`. The script listens to a stream of events
that names the code. A reload ends the stream, and the next one names other code.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import time
from collections.abc import AsyncIterator

from lineman.net.connection.callbacks import Callback
from lineman.protocols.http.event_stream import ServerSentEvent
from lineman.protocols.http.http_messages import Request
from lineman.protocols.http.responses import Response

SCRIPT = "/.lineman/reload.js"
EVENTS = "/.lineman/reload"

_TEXT = f"""\
(() => {{
  let first;
  const listen = () => {{
    const events = new EventSource("{EVENTS}");
    events.onmessage = ({{ data }}) => {{
      first ??= data;
      if (data !== first) location.reload();
    }};
    events.onerror = () => {{ events.close(); setTimeout(listen, 300); }};
  }};
  listen();
}})();
"""


class PageReload:
    """An `on_request` that also serves the script and its events, to this machine alone.

    Args:
        answer: the program's `on_request`, which gets every other request.
    """

    def __init__(self, answer: Callback) -> None:
        self._answer = answer
        self._code = _name()
        self._ended = asyncio.Event()

    def __call__(self, request: Request) -> object:
        """The answer to a request."""
        if request.path == SCRIPT and _is_here(request):
            headers = {"Cache-Control": "no-store"}
            return Response(_TEXT, content_type="text/javascript; charset=utf-8", headers=headers)
        if request.path == EVENTS and _is_here(request):
            return _events(self._code, self._ended)
        return self._answer(request)

    def reloaded(self) -> None:
        """Ends the streams: this process stays, and others have new code."""
        self._ended.set()
        self._code, self._ended = _name(), asyncio.Event()


def _name() -> str:
    return f"{os.getpid()}-{time.time_ns()}"


def _is_here(request: Request) -> bool:
    try:
        return ipaddress.ip_address(request.remote_ip).is_loopback
    except ValueError:  # a unix socket, or an unknown client
        return False


async def _events(code: str, ended: asyncio.Event) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(code)
    await ended.wait()  # unless the client leaves, or the process ends
