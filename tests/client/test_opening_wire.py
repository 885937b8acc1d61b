"""The socket of a handshake."""

from __future__ import annotations

import asyncio
import socket

from lineman.client.opening_wire import OpeningWire


def test_reading_up_to_an_end_leaves_what_follows() -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        wire = OpeningWire(ours)
        with ours, theirs:
            reading = asyncio.create_task(wire.receive_until(b"\r\n\r\n", b""))
            await asyncio.sleep(0)
            theirs.send(b"head\r\n\r")  # the end is cut in the middle
            head = await reading
            assert head == b"head\r\n\r"
            theirs.send(b"\nrest\r\n\r\n")
            assert await wire.receive_until(b"\r\n\r\n", head) == b"\n"
            assert await wire.receive() == b"rest\r\n\r\n"
            theirs.close()
            assert await wire.receive_until(b"\r\n\r\n", b"") == b""

    asyncio.run(main())
