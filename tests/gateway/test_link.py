"""A link takes any transport that does what asyncio's do."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from lineman.gateway.link import Link
from lineman.gateway.messages import LENGTH, TO_BUSINESS, TO_GATEWAY, Pong, Retired, encode_frames


class ForeignTransport:
    """As uvloop's: it derives from nothing in asyncio."""

    def __init__(self) -> None:
        self.written = b""

    def set_write_buffer_limits(self, high: int) -> None:
        """Is called once."""

    def abort(self) -> None:
        """Is called where the link is given up."""

    def write(self, data: bytes) -> None:
        """Keeps what is sent."""
        self.written += data


def new_link(wire: Any) -> tuple[Link, ForeignTransport, list[Any]]:
    """An open link, its transport, and what it hears."""
    heard: list[Any] = []
    link = Link(wire, lambda _, batch: heard.extend(batch), lambda _, reason: heard.append(reason))
    transport = ForeignTransport()
    link.connection_made(cast(asyncio.BaseTransport, transport))
    return link, transport, heard


def test_a_transport_of_another_event_loop_is_taken() -> None:
    async def say() -> bytes:
        link, transport, _ = new_link(TO_BUSINESS)
        link.post(Pong())
        await asyncio.sleep(0)
        return transport.written

    written = asyncio.run(say())
    assert TO_GATEWAY.decode_batch(written[LENGTH:]) == [Pong()]


def test_frames_that_are_cut_anywhere_are_heard_once_and_in_order() -> None:
    batches = ([Retired()], [Retired(), Retired()])
    frames = b"".join(frame for batch in batches for frame in encode_frames(list(batch))[0])

    async def hear(cut: int) -> list[Any]:
        link, _, heard = new_link(TO_BUSINESS)
        link.data_received(frames[:cut])
        link.data_received(frames[cut:])
        return heard

    for cut in range(len(frames)):
        assert asyncio.run(hear(cut)) == [Retired()] * 3
