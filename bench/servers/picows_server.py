"""picows, its core API."""

import asyncio

from common import BACKLOG, BROADCAST, HOST, LOOK, port, run, tls
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

listeners: set[WSTransport] = set()


class Echo(WSListener):
    """Sends every message back."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answers a frame."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        else:
            transport.send(frame.msg_type, frame.get_payload_as_bytes())


class Look(Echo):
    """The same, but reads the request's path and header for each message."""

    def __init__(self, request: WSUpgradeRequest) -> None:
        self.request = request

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answers a frame."""
        if path_of(self.request) == LOOK and self.request.headers.get("host"):
            super().on_ws_frame(transport, frame)


class TellAll(WSListener):
    """Sends every message to all clients."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Notes who listens."""
        listeners.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Removes a client that has left."""
        listeners.discard(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Tells everybody."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
            return
        message = frame.get_payload_as_bytes()
        for one in listeners:
            one.send(frame.msg_type, message)


def choose(request: WSUpgradeRequest) -> WSListener:
    """The listener for this path."""
    path = path_of(request)
    if path == LOOK:
        return Look(request)
    return TellAll() if path == BROADCAST else Echo()


def path_of(request: WSUpgradeRequest) -> str:
    """The path without the query after `?`."""
    path = request.path if isinstance(request.path, str) else request.path.decode()
    return path.partition("?")[0]


async def main() -> None:
    """Serves until it is ended."""
    server = await ws_create_server(choose, HOST, port(), ssl=tls(), backlog=BACKLOG)
    async with server:
        await asyncio.Event().wait()


run(main())
