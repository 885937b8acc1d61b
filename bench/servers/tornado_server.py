"""Tornado, without compression."""

import asyncio

from common import BACKLOG, BROADCAST, HOST, LOOK, port, run, tls
from tornado.httpserver import HTTPServer
from tornado.web import Application
from tornado.websocket import WebSocketHandler

listeners: set["TellAll"] = set()


class Echo(WebSocketHandler):
    """Sends every message back."""

    def on_message(self, message: str | bytes) -> None:
        """Answers a message."""
        self.write_message(message, binary=isinstance(message, bytes))


class Look(WebSocketHandler):
    """The same, but reads the request's path and header for each message."""

    def on_message(self, message: str | bytes) -> None:
        """Answers a message."""
        if self.request.path == LOOK and self.request.headers.get("host"):
            self.write_message(message, binary=isinstance(message, bytes))


class TellAll(WebSocketHandler):
    """Sends every message to all clients."""

    def open(self) -> None:
        """Notes who listens."""
        listeners.add(self)

    def on_close(self) -> None:
        """Removes a client that has left."""
        listeners.discard(self)

    def on_message(self, message: str | bytes) -> None:
        """Tells everybody."""
        for one in tuple(listeners):
            one.write_message(message, binary=isinstance(message, bytes))


async def main() -> None:
    """Serves until it is ended."""
    app = Application([("/", Echo), (LOOK, Look), (BROADCAST, TellAll)])
    HTTPServer(app, ssl_options=tls()).listen(port(), HOST, backlog=BACKLOG)
    await asyncio.Event().wait()


run(main())
