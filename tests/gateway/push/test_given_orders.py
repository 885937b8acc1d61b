"""Orders that a gateway process had got, and had not confirmed when it was killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from kit.waiting import until
from lineman import AsyncGatewayClient
from lineman.gateway.business.business_worker import Business
from lineman.gateway.push.given_orders import GivenOrders
from lineman.gateway.wire import versions
from lineman.gateway.wire.messages import Hello, IntroduceClient, LinkConfirm, new_hello
from lineman.links.framing import Message, encode_frames

NODE = "a" * 8
ANNA, BEN = NODE + "1" * 24, NODE + "2" * 24


class Taker:
    """A gateway process that takes everything, and does nothing by itself."""

    def __init__(self, hello: Hello) -> None:
        self._hello = hello
        self._writer: asyncio.StreamWriter | None = None
        self.taken = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.say(self._hello)
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 20):
                self.taken += len(data)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        self._writer = None

    def say(self, *batch: Message) -> None:
        assert self._writer is not None
        self._writer.write(b"".join(encode_frames(list(batch))[0]))

    async def end(self) -> None:
        if self._writer is not None:
            self.die()
            await until(lambda: self._writer is None)

    def die(self) -> None:
        assert self._writer is not None
        self._writer.transport.abort()


@contextlib.asynccontextmanager
async def taking(path: str, hello: Hello | None = None) -> AsyncIterator[Taker]:
    taker = Taker(hello or new_hello(os.getpid(), NODE))
    server = await asyncio.start_unix_server(taker.serve, path)
    try:
        yield taker
    finally:
        server.close()
        await taker.end()


def with_business(
    tmp_path: Path, story: Callable[[Business, Taker], Awaitable[None]], hello: Hello | None = None
) -> GivenOrders:
    """What a business worker knows after a story with a gateway process."""

    async def run() -> GivenOrders:
        path = str(tmp_path / "0.sock")
        async with taking(path, hello) as taker:
            business = Business({}, (path,), 0)
            await business.start()
            await story(business, taker)
            business.close()
            return business.given

    return asyncio.run(run())


async def flushed(business: Business, taker: Taker) -> int:
    """The bytes that were sent, when all of them were taken."""
    (link,) = business.links
    link.flush()
    await until(lambda: taker.taken == link.sent)
    return int(link.sent)


async def death(business: Business, taker: Taker) -> None:
    taker.die()
    await until(lambda: not business.links)


def introduce(number: int, client: str, uid: str | None) -> IntroduceClient:
    return IntroduceClient(number, client, "127.0.0.1", 4711, "/", (), uid, (), b"", 0)


def test_orders_of_every_kind_are_counted_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(business: Business, taker: Taker) -> None:
        taker.say(introduce(7, ANNA, "anna"), introduce(8, BEN, None))
        await until(lambda: len(business._by_id) == 2)
        anna, ben = business._by_id[ANNA], business._by_id[BEN]
        anna.send("by the shortest way")
        ben.send(b"the same")
        business.send_to_uid("carl", "x")
        business.publish_to_group("news", "x")
        anna.join("room")
        business.after(5.0, "ring", key="bell")
        await flushed(business, taker)
        await death(business, taker)

    given = with_business(tmp_path, story)
    assert given.facts() == {"gateway_unconfirmed_orders": 6}
    assert f"6 orders that the gateway process {NODE} had not confirmed may be lost" in caplog.text
    for name in ("uid:anna", f"client:{BEN}", "uid:carl", "group:news", "timer:bell"):
        assert name in caplog.text


def test_what_was_confirmed_is_not_counted(tmp_path: Path) -> None:
    async def story(business: Business, taker: Taker) -> None:
        for _ in range(10):
            business.send_to_all("done")
        handled = await flushed(business, taker)
        taker.say(LinkConfirm(handled))
        (link,) = business.links
        await until(lambda: link.kept is not None and not link.kept.summary().count)
        business.send_to_all("not done")
        await flushed(business, taker)
        await death(business, taker)

    assert with_business(tmp_path, story).unconfirmed == 1


def test_an_order_of_the_turn_in_which_the_link_ends_is_counted(tmp_path: Path) -> None:
    async def story(business: Business, taker: Taker) -> None:
        await flushed(business, taker)
        (link,) = business.links
        business.send_to_all("posted")
        link.fail("it is killed")

    assert with_business(tmp_path, story).unconfirmed == 1


def test_nothing_is_counted_that_is_no_order_or_if_this_side_ends_the_link(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def no_order(business: Business, taker: Taker) -> None:
        (link,) = business.links
        link.acknowledge(7)
        await flushed(business, taker)
        await death(business, taker)

    async def own_end(business: Business, taker: Taker) -> None:
        business.send_to_all("x")

    for story in (no_order, own_end):
        assert with_business(tmp_path, story).unconfirmed == 0
    assert "may be lost" not in caplog.text


def test_a_gateway_process_that_confirms_nothing_makes_nobody_keep_what_was_sent(
    tmp_path: Path,
) -> None:
    async def story(business: Business, taker: Taker) -> None:
        business.send_to_all("x")
        (link,) = business.links
        assert link.kept is None
        await death(business, taker)

    before = Hello(4, NODE, newest=versions.CONFIRMED_SINCE - 1)
    assert with_business(tmp_path, story, before).unconfirmed == 0


def test_a_program_that_pushes_counts_as_well(tmp_path: Path) -> None:
    async def run() -> dict[str, float]:
        path = str(tmp_path / "0.sock")
        async with taking(path) as taker:
            client = AsyncGatewayClient(f"unix://{path}", timeout=0.2)
            await client.connect()
            client.send_to_all("x")
            taker.die()
            await until(lambda: not client.is_connected)
            return client._facts()

    assert asyncio.run(run()) == {"gateway_unconfirmed_orders": 1}


def test_a_program_that_pushes_and_ends_waits_until_its_orders_are_handled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> dict[str, float]:
        path = str(tmp_path / "0.sock")
        async with taking(path) as taker:
            client = AsyncGatewayClient(f"unix://{path}", timeout=30.0)
            await client.connect()
            client.send_to_all("x")
            closing = asyncio.ensure_future(client.close())
            await until(lambda: taker.taken > 30)
            taker.die()  # with the order
            await closing
            return client._facts()

    assert asyncio.run(run()) == {"gateway_unconfirmed_orders": 1}
    assert "all clients" in caplog.text


def test_beyond_what_is_kept_the_number_is_right(tmp_path: Path) -> None:
    big = "x" * 1_000_000

    async def story(business: Business, taker: Taker) -> None:
        for _ in range(20):
            business.send_to_uid("anna", big)
            await flushed(business, taker)
        await death(business, taker)

    assert with_business(tmp_path, story).unconfirmed == 20
