"""A flood of one peer must not delay others: each connection's share of a turn, counted in work."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import zlib
from collections.abc import Callable

import pytest

from kit.recorder import Ends, Recorder
from kit.site import Serve, Site, compressing, echo, still_serves
from kit.waiting import DEADLINE, wait_until
from lineman import Connection, Request
from lineman.net.loop import poller
from lineman.net.loop.turn import STEPS
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.decoder import Close
from lineman.testing.client import RawClient, encode, encode_frame

MANY = 3000


class Watched:
    """A handler that counts, and holds the service up until the test has said `may_go_on`.

    Attributes:
        work: seconds that a call takes.
        count: how many calls there were.
        at_echo: how many when another client's message came.
        has_begun: whether a call holds the service up.
    """

    def __init__(self, work: float = 0.0) -> None:
        self.work = work
        self.count = 0
        self.at_echo = -1
        self.has_begun = threading.Event()
        self.may_go_on = threading.Event()

    def __call__(self, connection: Connection, message: str | bytes) -> None:
        if message == "spy":
            self.at_echo = self.count
            connection.send(message)
            return
        if not self.may_go_on.is_set():
            self.has_begun.set()
            assert self.may_go_on.wait(DEADLINE)
        self.count += 1
        if self.work:
            time.sleep(self.work)

    def hold(self) -> None:
        """Makes the next call block the service."""
        self.has_begun.clear()
        self.may_go_on.clear()


def calls_before(spy: RawClient, watched: Watched) -> int:
    """How much of a flood is worked off, from a call that is held up to the spy's message."""
    assert watched.has_begun.wait(DEADLINE)
    before = watched.count
    spy.send("spy")
    watched.may_go_on.set()
    assert spy.receive() == "spy"
    return watched.at_echo - before


def spied(watched: Watched, site: Site, flood: Callable[[], None]) -> int:
    """How much of a flood is worked off before another client's message, sent amidst it."""
    spy = site.open()
    flood()
    return calls_before(spy, watched)


# The order of the connections.


@pytest.mark.parametrize("flooders", [1, 8])
def test_another_clients_message_waits_for_a_share_of_each_flooder_at_most(
    serve: Serve, tls: bool, flooders: int
) -> None:
    watched = Watched()
    site = serve(tls, on_message=watched)
    crowd = [site.open() for _ in range(flooders)]

    def flood() -> None:
        for client in crowd:
            client.send_bytes(encode(b"") * MANY)

    # A share in the turn that has begun, and one in the queue behind it.
    assert spied(watched, site, flood) <= 2 * STEPS * flooders
    wait_until(lambda: watched.count == MANY * flooders, "all of the flood is worked off")


@pytest.mark.parametrize("flooders", [1, 30])
def test_the_time_of_slow_handlers_is_bounded_for_all_flooders_together(
    serve: Serve, flooders: int
) -> None:
    watched = Watched(0.005)
    site = serve(on_message=watched)
    crowd = [site.open() for _ in range(flooders)]

    def flood() -> None:
        for client in crowd:
            client.send_bytes(encode(b"") * 20)

    # The first message of each came before it. Without a bound they are twenty of each.
    assert spied(watched, site, flood) <= 2 * flooders + 6
    for client in crowd:
        client.reset()


def test_who_floods_on_stays_behind_who_does_not(serve: Serve) -> None:
    watched = Watched(0.002)
    watched.may_go_on.set()
    site = serve(on_message=watched)
    spy = site.open()
    crowd = [site.open() for _ in range(10)]
    for client in crowd:
        client.send_bytes(encode(b"") * 200)
    wait_until(lambda: watched.count > 20, "the flood is at its height")
    for _ in range(5):
        watched.hold()
        assert calls_before(spy, watched) <= 6
    for client in crowd:
        client.reset()


def test_pipelined_requests_are_answered_in_order_and_others_in_between(serve: Serve) -> None:
    watched = Watched()
    asked: list[str] = []

    def answer(request: Request) -> str:
        if not asked:
            watched.has_begun.set()
            assert watched.may_go_on.wait(DEADLINE)
        asked.append(request.path)
        watched.count += 1
        time.sleep(0.005)
        return request.path

    site = serve(on_request=answer, on_message=watched)
    client = site.connect()
    heads = [f"GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n" for n in range(15)]
    before = spied(watched, site, lambda: client.send_bytes("".join(heads).encode()))
    assert before <= 6
    for number in range(15):
        assert client.receive_reply().body == f"/{number}".encode()


# Nothing is lost, nothing comes twice, and the end comes last.


def test_a_burst_that_takes_many_turns_is_whole_and_in_order(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=echo)
    client = site.open()
    said = [f"{number}" for number in range(MANY)]
    client.send_bytes(b"".join(map(encode, said)))
    assert [client.receive_message() for _ in said] == said
    client.send_close()
    assert client.receive() == Close(1000, "")


@pytest.mark.parametrize("end", ["close", "end", "reset"])
def test_the_peers_end_comes_behind_what_it_sent_before(
    serve: Serve, tls: bool, ends: Ends, end: str
) -> None:
    seen: list[str] = []
    has_ended = threading.Event()

    def take(connection: Connection, message: str) -> None:
        seen.append(message)
        if len(seen) == 1:
            assert has_ended.wait(DEADLINE)
        connection.send("noted")  # finds a broken line

    site = serve(tls, on_message=take, **ends.callbacks)
    client = site.open()
    said = [f"{number}" for number in range(MANY // 2 if tls else MANY)]
    client.send_bytes(b"".join(map(encode, said)))
    wait_until(lambda: seen, "the first is there")
    if end == "close":
        client.send_close()
    elif end == "reset":
        client.reset()
    else:
        client.end_writing()
    has_ended.set()
    ends.closed.wait()
    if end == "reset" and tls:
        assert seen == said[: len(seen)]  # records in the socket are gone with it
    else:
        assert seen == said
    assert ends.closed.calls[0][0] == (1000 if end == "close" else 1006)


def pausing(seen: list[str]) -> Callable[[Connection, str], None]:
    """A handler that records its messages, and pauses its connection at the message 10."""

    def take(connection: Connection, message: str) -> None:
        seen.append(message)
        if message == "10":
            connection.pause_recv()

    return take


def test_a_paused_connection_keeps_what_has_come_and_goes_on_with_it(
    serve: Serve, tls: bool
) -> None:
    seen: list[str] = []
    site = serve(tls, on_message=pausing(seen))
    client = site.open()
    said = [f"{number}" for number in range(MANY)]
    client.send_bytes(b"".join(map(encode, said)))
    wait_until(lambda: site.connection.is_paused, "it has paused")
    let_turns_pass(site)
    assert seen == said[:11]
    site.call(site.connection.resume_recv)
    wait_until(lambda: len(seen) == MANY, "all have come")
    assert seen == said


def let_turns_pass(site: Site) -> None:
    """Makes the event loop run some turns."""

    async def turns() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    site.run(turns())


def test_a_reset_of_a_paused_connection_comes_behind_what_was_read(
    serve: Serve, ends: Ends
) -> None:
    seen: list[str] = []
    site = serve(on_message=pausing(seen), **ends.callbacks)
    client = site.open()
    said = [f"{number}" for number in range(1000)]
    client.send_bytes(b"".join(map(encode, said)))
    wait_until(lambda: site.connection.is_paused, "it has paused")
    client.reset()
    ends.closed.wait()
    assert seen == said


def test_slow_coroutines_get_a_burst_whole_and_in_order(serve: Serve, tls: bool) -> None:
    async def reply(connection: Connection, message: str) -> None:
        await asyncio.sleep(0)
        connection.send(message)

    site = serve(tls, on_message=reply)
    client = site.open()
    said = [f"{number}" for number in range(1000)]
    client.send_bytes(b"".join(map(encode, said)))
    assert [client.receive_message() for _ in said] == said


@pytest.mark.parametrize("how", ["close", "destroy"])
def test_a_handler_that_ends_its_connection_sees_nothing_more_of_the_burst(
    serve: Serve, tls: bool, ends: Ends, how: str
) -> None:
    seen: list[bytes] = []

    def end(connection: Connection, message: bytes) -> None:
        seen.append(message)
        getattr(connection, how)()

    site = serve(tls, on_message=end, **ends.callbacks)
    client = site.open()
    client.send_bytes(encode(b"x") * MANY)
    if how == "close":
        assert client.receive() == Close(1000, "")
        client.send_close()
    ends.closed.wait()
    assert seen == [b"x"]
    site.wait_until_empty()


def test_what_was_read_is_worked_off_before_the_goodbye_of_a_stop(
    serve: Serve, tls: bool, ends: Ends
) -> None:
    seen: list[str] = []
    stops = threading.Event()

    def take(connection: Connection, message: str) -> None:
        seen.append(message)
        if len(seen) == 1:
            connection.service.loop.call_soon(connection.say_goodbye, 1001, "")
            stops.set()

    site = serve(tls, on_message=take, **ends.callbacks)
    client = site.open()
    count = 1000  # in one record of TLS
    client.send_bytes(b"".join(encode(f"{number}") for number in range(count)))
    assert stops.wait(DEADLINE)
    assert client.receive() == Close(1001, "")
    client.send_close(1001)
    ends.closed.wait()
    assert len(seen) == count


def test_what_comes_behind_a_handshake_is_whole_also_where_the_program_decides_slowly(
    serve: Serve, tls: bool
) -> None:
    async def decide(connection: Connection, request: Request) -> None:
        await asyncio.sleep(0.01)

    seen = Recorder()
    site = serve(tls, on_websocket_connect=decide, on_message=lambda _, text: seen(text))
    client = site.connect()
    said = [f"{number}" for number in range(MANY)]
    client.send_bytes(client.handshake_bytes() + b"".join(map(encode, said)))
    assert seen.wait(MANY) == said


# Each kind of flood, and a bystander.


def bomb() -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = stream.compress(bytes(10 * 1024 * 1024)) + stream.flush(zlib.Z_SYNC_FLUSH)
    return encode_frame(frames.BINARY, packed[:-4], reserved=0x40)


FLOODS = {
    "bombs": bomb() * 2,
    "empty messages": encode(b"") * MANY,
    "one byte each": encode(b"x") * MANY,
    "pings": encode_frame(frames.PING, b"x") * 1000,
    "pongs": encode_frame(frames.PONG, b"x") * MANY,
    "fragments": encode_frame(frames.BINARY, fin=False)
    + encode_frame(frames.CONTINUATION, b"x", fin=False) * MANY,
    "empty fragments": encode_frame(frames.TEXT, fin=False)
    + encode_frame(frames.CONTINUATION, fin=False) * MANY,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_bystander_is_served_in_each_flood_and_everything_after_it(
    serve: Serve, tls: bool, flood: str
) -> None:
    sizes = Recorder()

    def take(connection: Connection, message: str | bytes) -> None:
        if len(message) > 10_000 or message == b"last":
            sizes(len(message))
        elif message == "still here":
            connection.send(message)

    site = serve(tls, on_message=take)
    bystander = site.open()
    client = compressing(site)
    data = FLOODS[flood]
    with contextlib.ExitStack() as stack:
        sender = threading.Thread(target=client.send_bytes, args=(data,))
        sender.start()
        stack.callback(sender.join)
        for _ in range(5):
            still_serves(bystander)
    fin = encode_frame(frames.CONTINUATION) if "fragments" in flood else b""
    client.send_bytes(fin + encode(b"last"))
    expected = [10 * 1024 * 1024] * 2 if flood == "bombs" else []
    assert sizes.wait(len(expected) + 1) == [*expected, 4]


def test_bytes_that_are_kept_for_many_are_bounded(serve: Serve) -> None:
    site = serve(on_message=lambda connection, message: time.sleep(0.001))
    service = site.worker.service
    assert service is not None
    service.poller.note_kept(poller.MAX_KEPT + 1)
    try:
        client: RawClient = site.open()
        client.send_bytes(encode(b"") * MANY)
        wait_until(lambda: site.connection.messages_read > 3, "some are served")
        most = 0
        for _ in range(20):
            most = max(most, site.call(lambda: service.poller.kept))
        assert most - poller.MAX_KEPT - 1 <= poller.SMALL_READ
        client.reset()
    finally:
        service.poller.note_kept(-poller.MAX_KEPT - 1)


def test_a_message_that_takes_many_steps_counts_as_one(serve: Serve) -> None:
    seen = Recorder()
    site = serve(on_message=lambda _, data: seen(len(data)), messages_per_second=2)
    client = compressing(site)
    client.send_bytes(bomb() + encode(b"x"))
    assert seen.wait(2) == [10 * 1024 * 1024, 1]
    assert site.connection.is_open
