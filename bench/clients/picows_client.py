"""picows, its core API."""

import asyncio

from client_work import Work, run
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect


class Echo(WSListener):
    """Sends one more message for each that comes back."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.left = work.each
        self.done = asyncio.Event()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Takes a message."""
        if frame.msg_type == WSMsgType.CLOSE:
            return
        frame.get_payload_as_bytes()
        self.left -= 1
        if self.left >= self.work.depth:
            transport.send(WSMsgType.BINARY, self.work.message)
        elif not self.left:
            self.done.set()


async def echo(work: Work) -> None:
    """Does the work of one connection."""
    transport, listener = await ws_connect(lambda: Echo(work), work.url)
    await work.begin()
    for _ in range(work.depth):
        transport.send(WSMsgType.BINARY, work.message)
    await listener.done.wait()
    transport.send_close()
    transport.disconnect()


run(echo)
