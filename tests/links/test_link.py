"""A link accepts any transport that behaves like asyncio's."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

from kit.gateway import ForeignTransport
from lineman.base.tasktime import TASK_TIME
from lineman.gateway.wire.messages import TO_BUSINESS, TO_GATEWAY, LinkPong, Retired
from lineman.links.framing import LENGTH, encode_frames
from lineman.links.link import LOOK, Link


def new_link(wire: Any) -> tuple[Link, ForeignTransport, list[Any]]:
    """An open link, its transport, and the messages that it receives."""
    heard: list[Any] = []
    link = Link(wire, lambda _, batch: heard.extend(batch), lambda _, reason: heard.append(reason))
    transport = ForeignTransport()
    link.connection_made(cast(asyncio.BaseTransport, transport))
    return link, transport, heard


def test_a_transport_of_another_event_loop_is_taken() -> None:
    async def say() -> bytes:
        link, transport, _ = new_link(TO_BUSINESS)
        link.post(LinkPong())
        await asyncio.sleep(0)
        return transport.written

    written = asyncio.run(say())
    assert TO_GATEWAY.decode_batch(written[LENGTH:]) == [LinkPong()]


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


class Reading(ForeignTransport):
    """Knows whether it is read."""

    is_read = True

    def pause_reading(self) -> None:
        """The peer has to wait."""
        self.is_read = False

    def resume_reading(self) -> None:
        """It may go on."""
        self.is_read = True

    def is_closing(self) -> bool:
        """It is not."""
        return False


def busy_frames(count: int) -> bytes:
    return encode_frames([Retired()])[0][0] * count


def busy_link(heard: list[Any]) -> tuple[Link, Reading]:
    """A link of which each frame takes a tenth of the time that a turn has."""

    def take(_: Link, batch: list[Any]) -> None:
        end = time.perf_counter() + TASK_TIME / 10
        while time.perf_counter() < end:
            pass
        heard.extend(batch)

    link = Link(TO_BUSINESS, take, lambda _, reason: heard.append(reason))
    transport = Reading()
    link.connection_made(cast(asyncio.BaseTransport, transport))
    return link, transport


def test_what_has_come_at_once_is_worked_off_in_several_turns_and_in_order() -> None:
    async def hear() -> None:
        heard: list[Any] = []
        link, transport = busy_link(heard)
        link.data_received(busy_frames(500))
        assert 0 < len(heard) <= 2 * LOOK
        assert not transport.is_read
        link.data_received(busy_frames(1))  # a transport may have had more at hand
        while len(heard) < 501:
            await asyncio.sleep(0)
        assert heard == [Retired()] * 501
        while not transport.is_read:
            await asyncio.sleep(0)

    asyncio.run(hear())


def test_what_there_was_no_time_for_is_still_heard_when_the_link_ends() -> None:
    async def hear() -> list[Any]:
        heard: list[Any] = []
        link, _ = busy_link(heard)
        link.data_received(busy_frames(300))
        assert len(heard) < 300
        link.connection_lost(None)
        return heard

    heard = asyncio.run(hear())
    assert heard[:-1] == [Retired()] * 300
    assert heard[-1] == "it ended"
