"""The messages of clients between a link and the program, in a business worker."""

from __future__ import annotations

import asyncio
import io
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.gateway import ForeignTransport, Handled, Said, said_on
from kit.records import message_record
from lineman import Client
from lineman.gateway.business import link_receiver as receivers
from lineman.gateway.business.business_worker import Business
from lineman.gateway.business.link_receiver import LinkReceiver
from lineman.gateway.wire.messages import (
    TO_BUSINESS,
    TO_GATEWAY,
    IntroduceClient,
    LinkPong,
    Retired,
)
from lineman.links.framing import encode_frames
from lineman.links.link import Link

LONG = "0123456789" * 10_000
MESSAGES: list[tuple[int, str | bytes]] = [
    (1, "one"),
    (1, ""),
    (1, b""),
    (2, "gr\u00fc\u00df dich"),
    (1, b"\xff\x00"),
    (2, LONG),
    (2, "end"),
]


def stream_of(messages: list[tuple[int, str | bytes]]) -> bytes:
    """The bytes of a link that hold these messages."""
    return b"".join(message_record(number, data) for number, data in messages)


class Work:
    """A receiver with two clients, whose program echoes; its calls are recorded."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, str | bytes]] = []
        self.failures: list[BaseException] = []
        self.frames: list[Any] = []
        self.ends: list[str] = []
        self.receiver = LinkReceiver(cast(Business, self), self.on_message)
        self.link = Link(
            TO_BUSINESS,
            lambda _, batch: self.frames.extend(batch),
            lambda _, reason: self.ends.append(reason),
            self.receiver,
        )
        self.transport = ForeignTransport()
        self.link.connection_made(cast(asyncio.BaseTransport, self.transport))
        for number in (1, 2):
            introduction = IntroduceClient(
                number, f"{number:032}", "1.1.1.1", 1, "/", (), None, (), b"\x80", 0
            )
            self.receiver.clients[number] = Client(cast(Business, self), self.link, introduction)

    def on_message(self, client: Client, message: str | bytes) -> None:
        assert receivers.current.get() is client
        self.heard.append((client.number, message))
        if message == "raise":
            raise ZeroDivisionError
        client.send(message)

    def note_failure(self, client: Client, event: object, error: BaseException) -> None:
        """As of `Business`."""
        self.failures.append(error)

    @property
    def said(self) -> list[Any]:
        """The messages that were sent on the link."""
        return list(said_on(io.BytesIO(self.transport.written), TO_GATEWAY))


def hear(*pieces: bytes) -> Work:
    """The effect of bytes from a link."""

    async def run() -> Work:
        work = Work()
        for piece in pieces:
            work.link.data_received(piece)
        assert receivers.current.get() is None
        return work

    return asyncio.run(run())


def test_messages_are_handed_over_in_order_and_answered_in_one_piece() -> None:
    work = hear(stream_of(MESSAGES))
    assert work.heard == MESSAGES
    replies = [Said(number, data) for number, data in MESSAGES]
    dones = [Handled(1, 3), Handled(2, 1), Handled(1, 1), Handled(2, 2)]
    assert work.said == [*replies, *dones]


def test_records_that_are_cut_anywhere_are_heard_once_and_in_order() -> None:
    wanted = [one for one in MESSAGES if one[1] != LONG]
    stream = stream_of(wanted)
    for cut in range(len(stream)):
        work = hear(stream[:cut], stream[cut:])
        assert work.heard == wanted
    assert hear(*(bytes([byte]) for byte in stream)).heard == wanted


def test_frames_and_records_keep_their_order() -> None:
    (frame,), _ = encode_frames([Retired()])
    work = hear(frame + message_record(1, "a") + frame, frame + message_record(2, "b"))
    assert work.frames == [Retired()] * 3
    assert work.heard == [(1, "a"), (2, "b")]

    async def say() -> Work:
        work = Work()
        client = work.receiver.clients[1]
        work.link.post(LinkPong())
        client.send("a")
        work.link.acknowledge(1)
        client.send(b"b")
        work.link.post(LinkPong())
        work.link.post(LinkPong())
        client.send(memoryview(b"c"))
        await asyncio.sleep(0)
        return work

    said = asyncio.run(say()).said
    assert said == [
        LinkPong(), Said(1, "a"), Said(1, b"b"), LinkPong(), LinkPong(),
        Said(1, b"c"), Handled(1, 1),
    ]  # fmt: skip


def test_what_raises_is_noted_and_the_rest_goes_on() -> None:
    work = hear(message_record(1, "raise") + message_record(1, "next"))
    assert [type(error) for error in work.failures] == [ZeroDivisionError]
    assert work.said == [Said(1, "next"), Handled(1, 2)]


@given(
    st.lists(st.sampled_from(MESSAGES), max_size=3).map(stream_of),
    st.binary(max_size=40) | st.binary(max_size=40).map(lambda tail: b"\x81\x00\x00" + tail),
    st.integers(1, 50),
)
def test_garbage_behind_records_ends_the_link_or_waits_for_more(
    before: bytes, garbage: bytes, step: int
) -> None:
    whole = hear(before + garbage)
    pieces = [garbage[start : start + step] for start in range(0, len(garbage), step)]
    in_pieces = hear(before, *pieces)
    assert (in_pieces.heard, in_pieces.ends) == (whole.heard, whole.ends)
    assert len(whole.ends) <= 1


@pytest.mark.parametrize("size", [0, 1, 125, 70_000])
def test_what_waits_for_the_rest_of_a_record_is_kept(size: int) -> None:
    record = message_record(2, b"x" * size)
    work = hear(record[:-1] if size else record[:12])
    assert (work.heard, work.ends) == ([], [])
    work = hear(record[:7], record[7:])
    assert work.heard == [(2, b"x" * size)]
